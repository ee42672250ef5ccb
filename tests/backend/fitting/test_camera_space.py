"""Placement: people found again in front of the camera, on their lines of sight, with bones that keep their lengths."""

import time
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting import camera_space, reprojection_fit
from blender_meshrec.backend.fitting.camera_space import keypoint_noise, keypoint_weights, measure_segment_lengths, solve_camera_space, solve_translation
from blender_meshrec.core import metrics
from blender_meshrec.core.records import Estimate
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS
from tests.support import synthetic_gait

TIMES = np.arange(90) / 30
LEGS = [H36M17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle")]


def slow_noise(rng, shape, seconds=0.4, fps=30):
    """Noise that stays alike for a while, of standard deviation 1: a detector's habits."""
    keep = np.exp(-1 / (seconds * fps))
    noise = rng.normal(size=shape)
    for i in range(1, len(noise)):
        noise[i] = keep * noise[i - 1] + np.sqrt(1 - keep**2) * noise[i]
    return noise


def seen(joints, view, rng=None):
    """What is known of joints (F,17,3) m in the world: an Estimate and keypoints (F,17,3), and the truth in camera axes.

    With rng: 3 to 4 px in the picture, depth flattened to 85 % and off by 7 cm, all as BlazePose errs.
    """
    truth = view.joints(joints)
    relative, keypoints = truth - truth[:, :1], view.keypoints(joints)
    if rng is not None:
        error = 0.05 * slow_noise(rng, relative.shape) * [0.4, 0.4, 1.4] + rng.normal(scale=0.012, size=relative.shape) * [1, 1, 2]
        relative = relative * [1, 1, 0.85] + error
        keypoints[..., :2] += 3 * slow_noise(rng, (*truth.shape[:2], 2)) + rng.normal(scale=2, size=(*truth.shape[:2], 2))
    return Estimate(relative - relative[:, :1], np.ones(truth.shape[:2])), keypoints, truth


def placed(estimate, keypoints, view, visible=None, times=TIMES, **options):
    visible = np.ones(len(keypoints), bool) if visible is None else visible
    return solve_camera_space(estimate, keypoints, visible, view.intrinsics, view.size, times, **options)


@pytest.mark.parametrize("motion", [synthetic_gait.walk, synthetic_gait.squat, synthetic_gait.stand])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_exact_input_is_placed_where_it_was(motion, smoothing):
    joints = motion(TIMES).h36m17
    view = synthetic_gait.make_view(distance=7, pitch=0.1, roll=0.05, bearing=0.8, look_at=(0, -1, 0.9))
    estimate, keypoints, truth = seen(joints, view)
    result = placed(estimate, keypoints, view, smoothing=smoothing)
    assert metrics.mpjpe(result.joints, truth, root=0) < 15  # mm; the walker's torso is not quite rigid
    assert np.abs(result.joints[:, 0, 2] - truth[:, 0, 2]).max() < 0.1  # m of 7
    np.testing.assert_array_equal(result.confidence, 1)


def test_who_is_thought_to_crouch_too_little_does_not_step_back_on_planted_feet():
    """Somebody who goes down farther than the estimate has it looks small. Shares of the distance."""
    squat = synthetic_gait.squat(np.clip(TIMES - 1, 0, 1.25)).h36m17
    view = synthetic_gait.make_view(distance=5, height=1.2)
    _, keypoints, truth = seen(squat, view)
    shallow, _, _ = seen(squat[:1] + 0.66 * (squat - squat[:1]), view)
    off = [
        np.abs(placed(replace(shallow, contacts=contacts), keypoints, view).joints[:, 0, 2] / truth[:, 0, 2] - 1).max()
        for contacts in (None, np.ones((len(TIMES), 4)))
    ]
    assert off[0] > 0.1 and off[1] < 0.02


def test_noisy_people_are_placed_better_than_they_were_estimated():
    before, after = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        view = synthetic_gait.make_view(distance=6, pitch=0.15, bearing=rng.uniform(0, 6), look_at=(0, -1.5, 0.9))
        estimate, keypoints, truth = seen(synthetic_gait.walk(TIMES).h36m17, view, rng)
        result = placed(estimate, keypoints, view)
        before.append(metrics.mpjpe(estimate.joints, truth, root=0))
        after.append(metrics.mpjpe(result.joints, truth, root=0))
        assert metrics.jitter(result.joints, TIMES) < 0.1 * metrics.jitter(estimate.joints, TIMES)
        assert np.abs(np.median(result.joints[:, 0, 2] / truth[:, 0, 2]) - 1) < 0.05
        boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], -1)
        assert metrics.reprojection_error(result.joints, H36M17, keypoints, H36M17, view.intrinsics, boxes)[1] < 0.02
        assert metrics.bone_length_variation(result.joints, H36M17_PARENTS).max() < 1e-9
    assert np.mean(after) < 0.9 * np.mean(before)  # what is left is depth that was wrong for long


def test_real_motion_is_placed_better_than_it_was_estimated(recorded_joints):
    before, after = [], []
    for number in (0, 30, 60, 90, 120):
        rng = np.random.default_rng(number)
        joints = recorded_joints(number)[:120][..., [0, 2, 1]] * [1, -1, 1]
        middle = joints[:, 0].mean(0)
        distance = 5 + np.ptp(joints[:, 0, :2], axis=0).max() / 2
        view = synthetic_gait.make_view(distance, pitch=0.1, bearing=rng.uniform(0, 6), look_at=(*middle[:2], 0.9))
        estimate, keypoints, truth = seen(joints, view, rng)
        result = placed(estimate, keypoints, view, times=np.arange(len(joints)) / 30)
        before.append(metrics.mpjpe(estimate.joints, truth, root=0))
        after.append(metrics.mpjpe(result.joints, truth, root=0))
    assert np.mean(after) < 0.9 * np.mean(before)


def test_frames_without_the_person_lie_between_their_neighbours():
    view = synthetic_gait.make_view(distance=6, look_at=(0, -1.5, 0.9))
    estimate, keypoints, truth = seen(synthetic_gait.walk(TIMES).h36m17, view)
    visible = np.ones(90, bool)
    visible[:10] = visible[40:46] = visible[80:] = False
    blank = Estimate(estimate.joints * visible[:, None, None], estimate.confidence * visible[:, None])
    result = placed(blank, keypoints * visible[:, None, None], view, visible)
    assert not result.confidence[~visible].any() and result.confidence[visible].all()
    np.testing.assert_allclose(result.joints[:10], np.broadcast_to(result.joints[10], (10, 17, 3)))
    np.testing.assert_allclose(result.joints[80:], np.broadcast_to(result.joints[79], (10, 17, 3)))
    assert np.linalg.norm(result.joints[40:46] - truth[40:46], axis=-1).max() < 0.25  # m: a walker's foot in its swing
    assert metrics.bone_length_variation(result.joints, H36M17_PARENTS).max() < 1e-9


@pytest.mark.parametrize("hidden", ["unsure", "outside"])
def test_legs_out_of_the_picture_hang_as_the_estimate_has_them(hidden):
    view = synthetic_gait.make_view(distance=3, look_at=(0, 0, 0.9))
    estimate, keypoints, truth = seen(synthetic_gait.stand(TIMES).h36m17, view)
    keypoints[:, LEGS, :2] += 400 if hidden == "unsure" else 3000
    keypoints[:, LEGS, 2] = 0.1 if hidden == "unsure" else 0.9
    result = placed(estimate, keypoints, view)
    assert np.linalg.norm(result.joints - truth, axis=-1).max() < 0.1


def test_one_frame_and_two_are_enough():
    view = synthetic_gait.make_view(distance=5)
    for frames in (1, 2, 3):
        times = np.arange(frames) / 30
        estimate, keypoints, truth = seen(synthetic_gait.squat(times).h36m17, view)
        result = placed(estimate, keypoints, view, times=times)
        assert np.linalg.norm(result.joints - truth, axis=-1).max() < 0.1


def test_translation_is_exact_for_a_known_figure_and_shrugs_off_an_outlier():
    rng = np.random.default_rng(0)
    figure, transl = rng.normal(scale=0.5, size=(20, 17, 3)), np.column_stack([rng.normal(size=(20, 2)), rng.uniform(3, 12, 20)])
    moved = figure + transl[:, None]
    rays, weights = moved[..., :2] / moved[..., 2:], np.ones((20, 17))
    np.testing.assert_allclose(solve_translation(figure, rays, weights), transl, atol=1e-6)
    rays[:, 3] += 0.3
    assert np.abs(solve_translation(figure, rays, weights) - transl).max() < 0.15  # m
    depth = transl[:, 2] * 1.1
    np.testing.assert_allclose(solve_translation(figure, moved[..., :2] / moved[..., 2:], weights, depth)[:, 2], depth)


def test_bone_lengths_come_from_bones_seen_across():
    """Half of the frames show the limbs foreshortened, with a depth that says too little: they hardly count."""
    joints = synthetic_gait.walk(TIMES, turn=np.pi / 2).h36m17
    view = synthetic_gait.make_view(distance=8, look_at=(1.5, 0, 0.9))
    estimate, _keypoints, truth = seen(joints, view)
    flat = np.array(estimate.joints, float) * [1, 1, 0.5]
    rays = truth[..., :2] / truth[..., 2:]
    lengths = measure_segment_lengths(flat, rays, np.ones((90, 17)))
    true = np.linalg.norm(truth[0, reprojection_fit.SEGMENTS[:, 1]] - truth[0, reprojection_fit.SEGMENTS[:, 0]], axis=-1)
    limbs = [k for k, (a, b) in enumerate(reprojection_fit.BONES.tolist()) if "knee" in H36M17[b] or "ankle" in H36M17[b]]
    assert np.abs(lengths[limbs] / true[limbs] - 1).max() < 0.05
    sides = [H36M17[b].split("_")[0] for _a, b in reprojection_fit.BONES.tolist()]
    assert np.allclose(lengths[:16][np.array(sides) == "left"].sum(), lengths[:16][np.array(sides) == "right"].sum())


def test_points_count_by_confidence_and_only_inside_the_picture():
    keypoints = np.array([[[10, 10, 0.9], [10, 10, 0.1], [-100, 10, 0.9], [10, 800, 0.9], [10, 10, 0.45]]], float)
    np.testing.assert_allclose(keypoint_weights(keypoints, (1280, 720)), [[1, 0, 0, 0, 0.5]])


def test_the_fits_gradient_is_that_of_its_energy():
    """Half the energy's slope, against central differences, and its matrix positive definite."""
    rng = np.random.default_rng(1)
    view = synthetic_gait.make_view(distance=5)
    truth = view.joints(synthetic_gait.squat(TIMES[:3]).h36m17)
    rays, weights = truth[..., :2] / truth[..., 2:], rng.uniform(0.2, 1, (3, 17))
    lengths = np.full(18, 0.3)
    fixed, distance = reprojection_fit._prior_matrix(3), truth[:, 0, 2]
    directions = (truth[:, reprojection_fit.BONES[:, 1]] - truth[:, reprojection_fit.BONES[:, 0]]) * 0.9
    prior, joints = truth + 0.05, truth + rng.normal(scale=0.05, size=truth.shape)

    def linearised(joints):
        return reprojection_fit._linearise(joints, prior, fixed, directions, rays, weights, distance, lengths, 0.015)

    _energy, matrix, gradient = linearised(joints)
    for joint, axis in rng.integers(0, [17, 3], (12, 2)):
        step = np.zeros_like(joints)
        step[:, joint, axis] = 1e-6
        slope = (linearised(joints + step)[0] - linearised(joints - step)[0]) / 2e-6
        np.testing.assert_allclose(2 * gradient[:, joint, axis], slope, rtol=1e-4, atol=1e-3)
    assert np.linalg.eigvalsh(matrix.transpose(0, 1, 3, 2, 4).reshape(3, 51, 51)).min() > 0


def test_placing_takes_less_than_two_milliseconds_a_frame():
    times = np.arange(600) / 30
    view = synthetic_gait.make_view(distance=6)
    estimate, keypoints, _truth = seen(synthetic_gait.squat(times).h36m17, view, np.random.default_rng(2))
    begun = time.process_time()
    placed(estimate, keypoints, view, times=times)
    assert (time.process_time() - begun) / 600 < 0.002 * 2  # 0.7 ms where measured; room for slower machines


def test_a_larger_person_stands_farther_away_and_looks_the_same():
    joints = synthetic_gait.walk(TIMES).h36m17
    view = synthetic_gait.make_view(distance=7, pitch=0.1, roll=0.05, bearing=0.8, look_at=(0, -1, 0.9))
    estimate, keypoints, _ = seen(joints, view)
    ordinary, larger = placed(estimate, keypoints, view), placed(estimate, keypoints, view, scale=1.2)
    assert np.abs(larger.joints - 1.2 * ordinary.joints).max() < 0.03  # m of 8
    np.testing.assert_allclose(larger.bone_lengths, 1.2 * ordinary.bone_lengths, rtol=0.01)


def test_the_tremble_of_points_is_told_from_their_motion():
    """White noise of known size on the points of somebody who squats, in units of the picture; and none."""
    times = np.arange(300) / 30
    view = synthetic_gait.make_view(distance=6)
    keypoints = seen(synthetic_gait.squat(times).h36m17, view)[1]
    rays = keypoints[..., :2] / 1000
    sure = np.ones(rays.shape[:2])
    assert keypoint_noise(rays, sure, times).max() < 5e-4
    size = np.linspace(0.001, 0.006, 17)
    noisy = rays + size[:, None] * np.random.default_rng(4).normal(size=rays.shape)
    np.testing.assert_allclose(keypoint_noise(noisy, sure, times), size, rtol=0.3)
    assert (keypoint_noise(noisy[::4], sure[::4], times[::4]) == 0).all()  # 7.5 frames a second: who could tell


def test_points_that_tremble_pull_less(monkeypatch):
    """Where the 3D estimate is right and the 2D points tremble by 30 mm, weighing them by their tremble keeps it right."""
    times = np.arange(150) / 30
    view = synthetic_gait.make_view(distance=6)
    estimate, keypoints, truth = seen(synthetic_gait.squat(times).h36m17, view)
    keypoints[..., :2] += np.random.default_rng(3).normal(0, 0.03 / 6 * view.intrinsics[0, 0], keypoints[..., :2].shape)
    estimate = replace(estimate, is_temporal=True)
    weighed = metrics.pa_mpjpe(placed(estimate, keypoints, view, times=times).joints, truth)
    monkeypatch.setattr(camera_space, "NOISE_FACTOR", 0.0)
    assert weighed < 0.75 * metrics.pa_mpjpe(placed(estimate, keypoints, view, times=times).joints, truth)


def test_noise_draws_short_bones_out_and_an_estimates_proportions_draw_them_back():
    """Half a pelvis measured between two points that err by 4 cm is too long; a thigh is not, and exact points are believed."""
    rng = np.random.default_rng(6)
    true = synthetic_gait.walk(TIMES).h36m17
    rods = np.linalg.norm(true[:, reprojection_fit.SEGMENTS[:, 1]] - true[:, reprojection_fit.SEGMENTS[:, 0]], axis=-1)
    noise = np.full(17, 0.04)
    seen = true + noise[:, None] * rng.normal(size=true.shape)
    measured = np.median(np.linalg.norm(seen[:, reprojection_fit.SEGMENTS[:, 1]] - seen[:, reprojection_fit.SEGMENTS[:, 0]], axis=-1), 0)
    expected, half_pelvis = np.median(rods, 0), reprojection_fit.SEGMENTS.tolist().index([0, H36M17.index("left_hip")])
    # The estimate has the right proportions, and is too small.
    lengths = camera_space.regularize_segment_lengths(measured, 0.9 * true, noise)
    assert measured[half_pelvis] > 1.1 * expected[half_pelvis]
    assert np.abs(lengths - expected).max() < 0.5 * np.abs(measured - expected).max()
    np.testing.assert_allclose(camera_space.regularize_segment_lengths(measured, true, np.zeros(17)), measured, atol=1e-9)  # m
