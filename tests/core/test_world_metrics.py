"""Measures of paths in the world, each on a made-up motion with a known answer."""

import numpy as np
import pytest

from blender_meshrec.core import world_metrics
from blender_meshrec.core.metrics import find_similarity, transform_similarity
from blender_meshrec.core.rotations import rotmat_from_rotvec

RATE = 30  # Hz


def walk(frames=250, joints=24):
    """A motion (F,J,3) m that walks 1 m/s along x and waves its joints."""
    rng = np.random.default_rng(5)
    times = np.arange(frames)[:, None, None] / RATE
    swing = 0.1 * np.sin(2 * np.pi * times + rng.uniform(0, 6, (1, joints, 3)))
    return rng.normal(0, 0.3, (1, joints, 3)) + swing + times * [1.0, 0, 0]


def turned_about_z(points, degrees):
    return points @ rotmat_from_rotvec(np.array([0, 0, np.radians(degrees)])).T


def test_similarity_is_recovered():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(6, 10, 3))
    rotation, transl, size = rotmat_from_rotvec(rng.normal(size=(6, 3))), rng.normal(size=(6, 3)), rng.uniform(0.5, 2, 6)
    target = transform_similarity(source, size, rotation, transl)
    found = find_similarity(source, target)
    for ours, true in zip(found, (size, rotation, transl)):
        np.testing.assert_allclose(ours, true, atol=1e-9)
    rigid = find_similarity(source, transform_similarity(source, np.ones(6), rotation, transl), with_scale=False)
    np.testing.assert_allclose(rigid[1], rotation, atol=1e-9)
    assert (find_similarity(source, target, with_scale=False)[0] == 1).all()


def test_heading_and_origin_do_not_matter_but_size_and_level_do():
    truth = walk()
    moved = turned_about_z(truth, 130) + [4.0, -2.0, 0.7]
    assert world_metrics.heading_mpjpe(moved, truth) < 1e-6
    assert world_metrics.heading_mpjpe(moved * 1.05, truth) > 20
    tilted = truth @ rotmat_from_rotvec(np.radians([0, 3.0, 0])).T
    # A walk of 8.3 m along x in a world tilted by 3 degrees: the mean height off is a quarter of the rise.
    rise = 1000 * np.sin(np.radians(3)) * (len(truth) - 1) / RATE
    assert world_metrics.heading_mpjpe(tilted, truth) == pytest.approx(rise / 4, rel=0.1)
    assert world_metrics.wa_mpjpe(tilted * 1.05 + [0, 1, 0], truth) < 1e-6  # a similarity takes both away


def test_segments_are_aligned_one_by_one():
    truth = walk(300)
    bent = truth.copy()
    for begin, degrees in ((0, 0), (100, 20), (200, 50)):
        bent[begin : begin + 100] = turned_about_z(truth[begin : begin + 100], degrees)
    assert world_metrics.wa_mpjpe(bent, truth, segment=100) < 1e-6
    assert world_metrics.w_mpjpe(bent, truth) < 1e-6
    assert world_metrics.wa_mpjpe(bent, truth) > 100


def test_w_mpjpe_grows_with_drift():
    truth = walk(200)
    slow = truth + np.arange(200)[:, None, None] / RATE * [0, 0.1, 0]  # 10 cm/s aside
    # The first two frames fix the start: 100 frames drift 0 to 33 cm, less 1.7 mm from the first frames' own drift.
    drift = 1000 * 0.1 * (np.arange(100) / RATE).mean()
    assert world_metrics.w_mpjpe(slow, truth) == pytest.approx(drift, rel=0.1)
    assert world_metrics.wa_mpjpe(slow, truth) < drift / 3


def test_a_short_rest_of_a_segment_does_not_count():
    truth = walk(149)
    wrong_at_the_end = truth.copy()
    wrong_at_the_end[100:] += np.random.default_rng(1).normal(size=(49, 24, 3))
    assert world_metrics.w_mpjpe(wrong_at_the_end, truth) < 1e-6
    longer = walk(150)
    longer_wrong = longer.copy()
    longer_wrong[102:] += 1.0
    assert world_metrics.w_mpjpe(longer_wrong, longer) == pytest.approx(1000 * np.sqrt(3) * 48 / 150)
    assert world_metrics.w_mpjpe(truth[:30], truth[:30]) < 1e-6  # everything is shorter than a segment


@pytest.mark.parametrize("length", [1, 2, 5, 6, 7])
@pytest.mark.parametrize("frames", range(1, 20))
def test_all_whole_segments_and_a_rest_of_half_a_segment_count(length, frames):
    """The slow twin: the segments one by one."""
    truth = walk(frames, joints=4)
    ours = truth + np.random.default_rng(frames).normal(0, 0.1, truth.shape)
    segments = [slice(begin, begin + length) for begin in range(0, frames, length)]
    counted = [segment for segment in segments if 2 * len(truth[segment]) >= length] or segments
    errors = []
    for segment in counted:
        similarity = find_similarity(ours[segment][:2].reshape(-1, 3), truth[segment][:2].reshape(-1, 3))
        errors.append(
            np.linalg.norm(transform_similarity(ours[segment].reshape(-1, 3), *similarity) - truth[segment].reshape(-1, 3), axis=1)
        )
    assert world_metrics.w_mpjpe(ours, truth, segment=length) == pytest.approx(1000 * np.concatenate(errors).mean())


def test_root_translation_error_is_a_part_of_the_path():
    times = np.arange(101) / 50
    truth = times[:, None] * [2.0, 0, 0]  # 4 m
    wave = np.where(np.arange(101) % 4 < 2, 0.02, -0.02)[:, None] * [0, 1.0, 0]  # 2 cm to either side
    assert world_metrics.root_translation_error(turned_about_z(truth, 70) + 3, truth) < 1e-6
    assert world_metrics.root_translation_error(truth + wave, truth) == pytest.approx(0.5, rel=0.02)
    # A path 10 % too long: off by 0 to 20 cm, 10 cm on average, of 4 m.
    assert world_metrics.root_translation_error(1.1 * truth, truth) == pytest.approx(2.5, rel=0.02)
    assert np.isnan(world_metrics.root_translation_error(truth, 0 * truth))


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (20, 0), (-15, 0), (0, 8), (60, 0)])
def test_camera_level_of_a_camera_turned_by_known_angles(pitch, roll):
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # OpenCV axes of a level camera that looks along y
    looks_down = rotmat_from_rotvec(np.radians([pitch, 0, 0]))
    rolled = rotmat_from_rotvec(np.radians([0, 0, roll]))
    heading = rotmat_from_rotvec(np.array([0, 0, 1.3]))
    np.testing.assert_allclose(world_metrics.camera_level(rolled @ looks_down @ level @ heading), (pitch, roll), atol=1e-9)


def test_peak_speed_leaves_out_the_fastest_twentieth():
    step = np.ones(101)
    step[::25] = 40.0  # 5 of 101 steps
    points = np.cumsum(step)[:, None, None] * [0.01, 0, 0]
    assert world_metrics.peak_speed(points, np.arange(101) / RATE) == pytest.approx(0.01 * RATE)
    assert world_metrics.peak_speed(2 * points, np.arange(101) / RATE) == pytest.approx(0.02 * RATE)


def test_measures_over_too_few_frames_are_nan():
    nothing = np.zeros((0, 24, 3))
    assert np.isnan(world_metrics.wa_mpjpe(nothing, nothing)) and np.isnan(world_metrics.w_mpjpe(nothing, nothing))
    one = walk(1)
    assert np.isnan(world_metrics.peak_speed(one, [0.0])) and np.isnan(world_metrics.root_translation_error(one[:, 0], one[:, 0]))
    assert world_metrics.w_mpjpe(one, one) < 1e-6
