"""Joints in camera space: at their true distance, on their lines of sight, with constant bone lengths."""

import time
from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting import camera_space
from blender_meshrec.backend.fitting.camera_space import solve_camera_space
from blender_meshrec.backend.fitting.camera_translation import solve_translation
from blender_meshrec.backend.fitting.keypoint_noise import keypoint_noise, keypoint_weights
from blender_meshrec.backend.fitting.reprojection_fit import BONES, SEGMENTS, ReprojectionProblem
from blender_meshrec.backend.fitting.segment_lengths import measure_segment_lengths, regularize_segment_lengths, segment_vectors
from blender_meshrec.core import metrics
from blender_meshrec.core.records import Estimate
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS
from tests.support import synthetic_gait

TIMES = np.arange(90) / 30
LEGS = [H36M17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle")]


def slow_noise(rng, shape, seconds=0.4, fps=30):
    """Autocorrelated noise of standard deviation 1, as detectors have it."""
    correlation = np.exp(-1 / (seconds * fps))
    noise = rng.normal(size=shape)
    for i in range(1, len(noise)):
        noise[i] = correlation * noise[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
    return noise


def observe(joints, view, rng=None):
    """An Estimate, keypoints (F,17,3) and the truth in camera axes of joints (F,17,3) m in the world.

    With rng: errors of 3 to 4 px in the image, depth flattened to 85 % and off by 7 cm, as BlazePose has them.
    """
    truth = view.joints(joints)
    relative, keypoints = truth - truth[:, :1], view.keypoints(joints)
    if rng is not None:
        error = 0.05 * slow_noise(rng, relative.shape) * [0.4, 0.4, 1.4] + rng.normal(scale=0.012, size=relative.shape) * [1, 1, 2]
        relative = relative * [1, 1, 0.85] + error
        keypoints[..., :2] += 3 * slow_noise(rng, (*truth.shape[:2], 2)) + rng.normal(scale=2, size=(*truth.shape[:2], 2))
    return Estimate(relative - relative[:, :1], np.ones(truth.shape[:2])), keypoints, truth


def solve(estimate, keypoints, view, visible=None, times=TIMES, **options):
    visible = np.ones(len(keypoints), bool) if visible is None else visible
    return solve_camera_space(estimate, keypoints, visible, view.intrinsics, view.size, times, **options)


@pytest.mark.parametrize("motion", [synthetic_gait.walk, synthetic_gait.squat, synthetic_gait.stand])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_exact_input_gives_the_true_position(motion, smoothing):
    joints = motion(TIMES).h36m17
    view = synthetic_gait.make_view(distance=7, pitch=0.1, roll=0.05, bearing=0.8, look_at=(0, -1, 0.9))
    estimate, keypoints, truth = observe(joints, view)
    result = solve(estimate, keypoints, view, smoothing=smoothing)
    assert metrics.mpjpe(result.joints, truth, root=0) < 15  # mm; the walker's torso is not quite rigid
    assert np.abs(result.joints[:, 0, 2] - truth[:, 0, 2]).max() < 0.1  # m of 7
    np.testing.assert_array_equal(result.confidence, 1)


def test_planted_feet_keep_the_depth_of_a_misjudged_crouch():
    """A person who squats deeper than the estimate looks small. Errors as fractions of the distance."""
    squat = synthetic_gait.squat(np.clip(TIMES - 1, 0, 1.25)).h36m17
    view = synthetic_gait.make_view(distance=5, height=1.2)
    _, keypoints, truth = observe(squat, view)
    shallow, _, _ = observe(squat[:1] + 0.66 * (squat - squat[:1]), view)
    off = [
        np.abs(solve(replace(shallow, contacts=contacts), keypoints, view).joints[:, 0, 2] / truth[:, 0, 2] - 1).max()
        for contacts in (None, np.ones((len(TIMES), 4)))
    ]
    assert off[0] > 0.1 and off[1] < 0.02


def test_noisy_walkers_come_out_better_than_their_estimate():
    before, after = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        view = synthetic_gait.make_view(distance=6, pitch=0.15, bearing=rng.uniform(0, 6), look_at=(0, -1.5, 0.9))
        estimate, keypoints, truth = observe(synthetic_gait.walk(TIMES).h36m17, view, rng)
        result = solve(estimate, keypoints, view)
        before.append(metrics.mpjpe(estimate.joints, truth, root=0))
        after.append(metrics.mpjpe(result.joints, truth, root=0))
        assert metrics.jitter(result.joints, TIMES) < 0.1 * metrics.jitter(estimate.joints, TIMES)
        assert np.abs(np.median(result.joints[:, 0, 2] / truth[:, 0, 2]) - 1) < 0.05
        boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], -1)
        assert metrics.reprojection_error(result.joints, H36M17, keypoints, H36M17, view.intrinsics, boxes)[1] < 0.02
        assert metrics.bone_length_variation(result.joints, H36M17_PARENTS).max() < 1e-9
    assert np.mean(after) < 0.9 * np.mean(before)  # what is left is depth that was wrong for long


def test_recorded_motion_comes_out_better_than_its_estimate(recorded_joints):
    before, after = [], []
    for number in (0, 30, 60, 90, 120):
        rng = np.random.default_rng(number)
        joints = recorded_joints(number)[:120][..., [0, 2, 1]] * [1, -1, 1]
        middle = joints[:, 0].mean(0)
        distance = 5 + np.ptp(joints[:, 0, :2], axis=0).max() / 2
        view = synthetic_gait.make_view(distance, pitch=0.1, bearing=rng.uniform(0, 6), look_at=(*middle[:2], 0.9))
        estimate, keypoints, truth = observe(joints, view, rng)
        result = solve(estimate, keypoints, view, times=np.arange(len(joints)) / 30)
        before.append(metrics.mpjpe(estimate.joints, truth, root=0))
        after.append(metrics.mpjpe(result.joints, truth, root=0))
    assert np.mean(after) < 0.9 * np.mean(before)


def test_frames_without_the_person_are_interpolated():
    view = synthetic_gait.make_view(distance=6, look_at=(0, -1.5, 0.9))
    estimate, keypoints, truth = observe(synthetic_gait.walk(TIMES).h36m17, view)
    visible = np.ones(90, bool)
    visible[:10] = visible[40:46] = visible[80:] = False
    blank = Estimate(estimate.joints * visible[:, None, None], estimate.confidence * visible[:, None])
    result = solve(blank, keypoints * visible[:, None, None], view, visible)
    assert not result.confidence[~visible].any() and result.confidence[visible].all()
    np.testing.assert_allclose(result.joints[:10], np.broadcast_to(result.joints[10], (10, 17, 3)))
    np.testing.assert_allclose(result.joints[80:], np.broadcast_to(result.joints[79], (10, 17, 3)))
    assert np.linalg.norm(result.joints[40:46] - truth[40:46], axis=-1).max() < 0.25  # m: a walker's foot in its swing
    assert metrics.bone_length_variation(result.joints, H36M17_PARENTS).max() < 1e-9


@pytest.mark.parametrize("hidden", ["unsure", "outside"])
def test_legs_outside_the_image_follow_the_estimate(hidden):
    view = synthetic_gait.make_view(distance=3, look_at=(0, 0, 0.9))
    estimate, keypoints, truth = observe(synthetic_gait.stand(TIMES).h36m17, view)
    keypoints[:, LEGS, :2] += 400 if hidden == "unsure" else 3000
    keypoints[:, LEGS, 2] = 0.1 if hidden == "unsure" else 0.9
    result = solve(estimate, keypoints, view)
    assert np.linalg.norm(result.joints - truth, axis=-1).max() < 0.1


def test_one_two_and_three_frames_are_enough():
    view = synthetic_gait.make_view(distance=5)
    for frames in (1, 2, 3):
        times = np.arange(frames) / 30
        estimate, keypoints, truth = observe(synthetic_gait.squat(times).h36m17, view)
        result = solve(estimate, keypoints, view, times=times)
        assert np.linalg.norm(result.joints - truth, axis=-1).max() < 0.1


def test_translation_of_a_known_figure_is_exact_and_robust():
    rng = np.random.default_rng(0)
    figure, transl = rng.normal(scale=0.5, size=(20, 17, 3)), np.column_stack([rng.normal(size=(20, 2)), rng.uniform(3, 12, 20)])
    moved = figure + transl[:, None]
    rays, weights = moved[..., :2] / moved[..., 2:], np.ones((20, 17))
    np.testing.assert_allclose(solve_translation(figure, rays, weights), transl, atol=1e-6)
    rays[:, 3] += 0.3
    assert np.abs(solve_translation(figure, rays, weights) - transl).max() < 0.15  # m
    depth = transl[:, 2] * 1.1
    np.testing.assert_allclose(solve_translation(figure, moved[..., :2] / moved[..., 2:], weights, depth)[:, 2], depth)


def test_lengths_come_from_bones_across_the_line_of_sight():
    """Half of the frames show the limbs foreshortened, with too little depth: they hardly weigh."""
    joints = synthetic_gait.walk(TIMES, turn=np.pi / 2).h36m17
    view = synthetic_gait.make_view(distance=8, look_at=(1.5, 0, 0.9))
    estimate, _keypoints, truth = observe(joints, view)
    flat = np.array(estimate.joints, float) * [1, 1, 0.5]
    rays = truth[..., :2] / truth[..., 2:]
    lengths = measure_segment_lengths(flat, rays, np.ones((90, 17)))
    true = np.linalg.norm(truth[0, SEGMENTS[:, 1]] - truth[0, SEGMENTS[:, 0]], axis=-1)
    limbs = [k for k, (a, b) in enumerate(BONES.tolist()) if "knee" in H36M17[b] or "ankle" in H36M17[b]]
    assert np.abs(lengths[limbs] / true[limbs] - 1).max() < 0.05
    sides = [H36M17[b].split("_")[0] for _a, b in BONES.tolist()]
    assert np.allclose(lengths[:16][np.array(sides) == "left"].sum(), lengths[:16][np.array(sides) == "right"].sum())


def test_keypoints_weigh_by_confidence_inside_the_image_only():
    keypoints = np.array([[[10, 10, 0.9], [10, 10, 0.1], [-100, 10, 0.9], [10, 800, 0.9], [10, 10, 0.45]]], float)
    np.testing.assert_allclose(keypoint_weights(keypoints, (1280, 720)), [[1, 0, 0, 0, 0.5]])


def test_the_gradient_matches_finite_differences_of_the_energy():
    """Half the energy's slope, against central differences, and the matrix is positive definite."""
    rng = np.random.default_rng(1)
    view = synthetic_gait.make_view(distance=5)
    truth = view.joints(synthetic_gait.squat(TIMES[:3]).h36m17)
    rays, weights = truth[..., :2] / truth[..., 2:], rng.uniform(0.2, 1, (3, 17))
    problem = ReprojectionProblem(0.9 * truth + 0.05, rays, weights, np.full(18, 0.3), np.full(17, 0.01))
    joints = truth + rng.normal(scale=0.05, size=truth.shape)
    _energy, matrix, gradient = problem.linearise(joints, 0.015)
    for joint, axis in rng.integers(0, [17, 3], (12, 2)):
        step = np.zeros_like(joints)
        step[:, joint, axis] = 1e-6
        slope = (problem.linearise(joints + step, 0.015).energy - problem.linearise(joints - step, 0.015).energy) / 2e-6
        np.testing.assert_allclose(2 * gradient[:, joint, axis], slope, rtol=1e-4, atol=1e-3)
    assert np.linalg.eigvalsh(matrix.transpose(0, 1, 3, 2, 4).reshape(3, 51, 51)).min() > 0


def test_solving_takes_less_than_two_milliseconds_a_frame():
    times = np.arange(600) / 30
    view = synthetic_gait.make_view(distance=6)
    estimate, keypoints, _truth = observe(synthetic_gait.squat(times).h36m17, view, np.random.default_rng(2))
    begun = time.process_time()
    solve(estimate, keypoints, view, times=times)
    assert (time.process_time() - begun) / 600 < 0.002 * 2  # 0.7 ms where measured; room for slower machines


def test_a_scaled_person_is_farther_away_and_projects_the_same():
    joints = synthetic_gait.walk(TIMES).h36m17
    view = synthetic_gait.make_view(distance=7, pitch=0.1, roll=0.05, bearing=0.8, look_at=(0, -1, 0.9))
    estimate, keypoints, _ = observe(joints, view)
    ordinary, larger = solve(estimate, keypoints, view), solve(estimate, keypoints, view, scale=1.2)
    assert np.abs(larger.joints - 1.2 * ordinary.joints).max() < 0.03  # m of 8
    np.testing.assert_allclose(larger.bone_lengths, 1.2 * ordinary.bone_lengths, rtol=0.01)


def test_keypoint_noise_is_measured_apart_from_motion():
    """White noise of known size on the keypoints of a squat, in units of the rays; and none."""
    times = np.arange(300) / 30
    view = synthetic_gait.make_view(distance=6)
    keypoints = observe(synthetic_gait.squat(times).h36m17, view)[1]
    rays = keypoints[..., :2] / 1000
    sure = np.ones(rays.shape[:2])
    assert keypoint_noise(rays, sure, times).max() < 5e-4
    size = np.linspace(0.001, 0.006, 17)
    noisy = rays + size[:, None] * np.random.default_rng(4).normal(size=rays.shape)
    np.testing.assert_allclose(keypoint_noise(noisy, sure, times), size, rtol=0.3)
    assert (keypoint_noise(noisy[::4], sure[::4], times[::4]) == 0).all()  # unknown at 7.5 frames a second


def test_noisy_keypoints_pull_less(monkeypatch):
    """With an exact 3D estimate and keypoints that scatter by 30 mm, weighing them by their noise keeps the joints exact."""
    times = np.arange(150) / 30
    view = synthetic_gait.make_view(distance=6)
    estimate, keypoints, truth = observe(synthetic_gait.squat(times).h36m17, view)
    keypoints[..., :2] += np.random.default_rng(3).normal(0, 0.03 / 6 * view.intrinsics[0, 0], keypoints[..., :2].shape)
    estimate = replace(estimate, is_temporal=True)
    weighted = metrics.pa_mpjpe(solve(estimate, keypoints, view, times=times).joints, truth)
    monkeypatch.setattr(camera_space, "NOISE_FACTOR", 0.0)
    assert weighted < 0.75 * metrics.pa_mpjpe(solve(estimate, keypoints, view, times=times).joints, truth)


def test_proportions_correct_bones_that_noise_lengthened():
    """Half a pelvis between two points with errors of 4 cm measures too long; a thigh does not, and exact lengths stay."""
    rng = np.random.default_rng(6)
    true = synthetic_gait.walk(TIMES).h36m17
    lengths_by_frame = np.linalg.norm(segment_vectors(true), axis=-1)
    noise = np.full(17, 0.04)
    noisy = true + noise[:, None] * rng.normal(size=true.shape)
    measured = np.median(np.linalg.norm(segment_vectors(noisy), axis=-1), 0)
    expected, half_pelvis = np.median(lengths_by_frame, 0), SEGMENTS.tolist().index([0, H36M17.index("left_hip")])
    # The estimate has the right proportions, and is too small.
    lengths = regularize_segment_lengths(measured, 0.9 * true, noise)
    assert measured[half_pelvis] > 1.1 * expected[half_pelvis]
    assert np.abs(lengths - expected).max() < 0.5 * np.abs(measured - expected).max()
    np.testing.assert_allclose(regularize_segment_lengths(measured, true, np.zeros(17)), measured, atol=1e-9)  # m
