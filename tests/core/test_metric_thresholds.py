"""Measures of quality at their thresholds, and over motions, points and segments of known answers."""

import numpy as np
import pytest

from blender_meshrec.core import metrics, world_metrics
from blender_meshrec.core.rotations import rotmat_from_rotvec

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # measures of nothing are nan, not the mean of nothing

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("contact, counts", [(0.05, False), (0.49, False), (0.5, False), (0.51, True), (1.0, True)])
def test_contacts_count_above_one_half(contact, counts):
    times = np.arange(5) / 10
    points = np.zeros((5, 4, 3))
    points[:, 1, :2] = times[:, None] * [0.3, 0.4]
    contacts = np.zeros((5, 4))
    contacts[:, 1] = contact
    assert metrics.foot_slide(points, contacts, times) == (pytest.approx(50) if counts else pytest.approx(np.nan, nan_ok=True))
    true = np.zeros((5, 4))
    true[:3, 1] = 1
    assert metrics.contact_f1(contacts, true) == pytest.approx(2 * 3 / 8 if counts else 0)
    assert metrics.contact_f1(true, contacts) == metrics.contact_f1(contacts, true)


@pytest.mark.parametrize("percentile, expected", [(95, 95), (50, 50), (100, 100), (0, 0)])
def test_penetration_is_a_percentile_of_the_lowest_point(percentile, expected):
    points = np.ones((101, 3, 3))
    points[:, 1, 2] = -np.arange(101) / 1000
    assert metrics.floor_penetration(points, percentile) == pytest.approx(expected)
    assert metrics.floor_penetration(points) == pytest.approx(95) and np.isnan(metrics.floor_penetration(points[:0]))
    assert metrics.floor_penetration(points[:, :1]) == 0


@pytest.mark.parametrize("confidence, counts", [(0.5, False), (0.51, True)])
def test_joints_behind_the_camera_or_unsure_do_not_count(confidence, counts):
    from blender_meshrec.core.skeletons import COCO17, LIMB_JOINTS

    joints = np.zeros((2, 12, 3)) + [0, 0, 2.0]
    joints[1, :, 2] = -1  # behind
    keypoints = np.zeros((2, 17, 3))
    keypoints[..., 0] = 10
    keypoints[..., 2] = confidence
    boxes = np.array([[0, 100, 10, 150.0]] * 2)
    pixels, share = metrics.reprojection_error(joints, LIMB_JOINTS, keypoints, COCO17, np.diag([100.0, 100, 1]), boxes)
    assert (pixels, share) == ((10, pytest.approx(0.2)) if counts else (pytest.approx(np.nan, nan_ok=True),) * 2)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_polynomials_are_exact_at_uneven_times(order):
    times = np.cumsum(RNG.uniform(0.01, 0.1, 20))
    factorial = (1, 2, 6)[order - 1]
    values = (times**order)[:, None, None] * np.array([[1.0, -2.0]])
    found = metrics._derivative(values, times, order)
    assert found.shape == (20 - order, 1, 2)
    np.testing.assert_allclose(found, np.broadcast_to(factorial * np.array([[1.0, -2.0]]), found.shape), rtol=1e-6)
    assert metrics._derivative(values[:order], times[:order], order).shape[0] == 0


def test_similarities_are_found_whatever_axes_come_first():
    source = RNG.normal(size=(2, 3, 8, 3))
    scale, rotation, transl = RNG.uniform(0.5, 2, (2, 3)), rotmat_from_rotvec(RNG.normal(size=(2, 3, 3))), RNG.normal(size=(2, 3, 3))
    target = metrics.transform_similarity(source, scale, rotation, transl)
    np.testing.assert_allclose(target[1, 2], scale[1, 2] * source[1, 2] @ rotation[1, 2].T + transl[1, 2])
    for found, expected in zip(metrics.find_similarity(source, target), (scale, rotation, transl)):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(metrics.align_similarity(source, target), target, atol=1e-9)
    mirrored = metrics.find_similarity(source, target * [-1, 1, 1])
    np.testing.assert_allclose(np.linalg.det(mirrored[1]), 1)
    point = np.zeros((4, 3))
    assert np.isfinite(metrics.align_similarity(point, RNG.normal(size=(4, 3)))).all()


def test_bones_of_no_length_do_not_vary():
    joints = np.zeros((5, 3, 3))
    joints[:, 2, 1] = [1, 2, 1, 2, 1]
    found = metrics.bone_length_variation(joints, [-1, 0, 1])
    assert found[0] == 0 and found[1] == pytest.approx(np.std([1, 2, 1, 2, 1]) / 1.4)


# --- in the world ---


def segments(count, length):
    """A motion of segments that are each turned and scaled on their own, its truth, and the segments' length."""
    truth = RNG.normal(size=(count, 5, 3))
    moved = truth.copy()
    for begin in range(0, count, length):
        rotation = rotmat_from_rotvec(RNG.normal(size=3))
        moved[begin : begin + length] = 1.3 * truth[begin : begin + length] @ rotation.T + RNG.normal(size=3)
    return moved, truth


@pytest.mark.parametrize("count", [10, 20, 25, 26])
def test_segments_are_aligned_on_their_own(count):
    moved, truth = segments(count, 10)
    assert world_metrics.wa_mpjpe(moved, truth, 10) < 1e-9 and world_metrics.w_mpjpe(moved, truth, 10) < 1e-9
    assert count == 10 or world_metrics.wa_mpjpe(moved, truth) > 100
    assert np.isnan(world_metrics.wa_mpjpe(moved[:0], truth[:0])) and np.isnan(world_metrics.w_mpjpe(moved[:0], truth[:0]))


@pytest.mark.parametrize("rest, counts", [(4, False), (5, True), (9, True)])
def test_a_rest_of_half_a_segment_counts(rest, counts):
    truth = RNG.normal(size=(20 + rest, 5, 3))
    moved = truth.copy()
    moved[20:] += RNG.normal(size=(rest, 5, 3))
    assert (world_metrics.wa_mpjpe(moved, truth, 10) > 1) == counts
    short = RNG.normal(size=(3, 5, 3))
    assert world_metrics.wa_mpjpe(short, RNG.normal(size=(3, 5, 3)), 10) > 1  # everything


def test_drift_is_seen_from_the_first_two_frames():
    truth = RNG.normal(size=(100, 5, 3))
    drifting = truth + np.maximum(np.arange(100) - 1, 0)[:, None, None] * [0.01, 0, 0]
    expected = 1000 * 0.01 * np.maximum(np.arange(100) - 1, 0).mean()
    assert world_metrics.w_mpjpe(drifting, truth) == pytest.approx(expected, rel=1e-6)
    assert world_metrics.SEGMENT_FRAMES == 100 and world_metrics.wa_mpjpe(drifting, truth) < expected


@pytest.mark.parametrize("pitch, roll", [(0, 0), (30, 0), (-20, 10), (0, -45)])
def test_pitch_looks_down_and_roll_leans_right(pitch, roll):
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # rows: right, down, forward of a camera that looks along y
    down = rotmat_from_rotvec([np.radians(pitch), 0, 0])
    lean = rotmat_from_rotvec([0, 0, np.radians(roll)])
    found = world_metrics.camera_level(np.stack([lean @ down @ level] * 2)[None])
    assert found[0].shape == (1, 2)
    up = (lean @ down @ level)[:, 2]
    np.testing.assert_allclose(found[0], np.degrees(np.arctan2(-up[2], -up[1])))
    np.testing.assert_allclose(found[1], np.degrees(np.arcsin(up[0])), atol=1e-9)
    if not roll:
        np.testing.assert_allclose(np.abs(found[0]), abs(pitch), atol=1e-9)
    whole = np.eye(4)
    whole[:3, :3] = lean @ down @ level
    np.testing.assert_allclose(world_metrics.camera_level(whole), [found[0][0, 0], found[1][0, 0]])


def test_peak_speed_is_the_95th_percentile():
    steps = np.arange(101) / 100
    points = np.concatenate([[0], np.cumsum(steps * 0.5)])[:, None, None] * [0, 0.6, 0.8]
    assert world_metrics.peak_speed(points, np.arange(102) * 0.5) == pytest.approx(0.95)
    assert np.isnan(world_metrics.peak_speed(points[:1], [0]))


def test_paths_are_compared_as_shares_of_their_length():
    path = np.cumsum(RNG.normal(size=(50, 3)), 0)
    turned = path @ rotmat_from_rotvec([0.3, 1, 2]).T + [5, 6, 7]
    assert world_metrics.root_translation_error(turned, path) < 1e-9
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    doubled = 2 * (path - path.mean(0))
    expected = 100 * np.linalg.norm(path - path.mean(0), axis=1).mean() / length
    assert world_metrics.root_translation_error(doubled, path) == pytest.approx(expected)
    assert np.isnan(world_metrics.root_translation_error(path, np.zeros((50, 3))))
