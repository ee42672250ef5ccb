"""Quality measures, each against a case worked out by hand."""

import numpy as np
import pytest

from blender_meshrec.core import metrics
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import COCO17, H36M17, LIMB_JOINTS

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")  # measures of nothing are nan, not the mean of nothing


def test_reprojection_counts_confident_limb_joints_only():
    intrinsics = np.array([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]])
    joints = np.zeros((2, 17, 3))
    joints[..., 2] = 4.0  # everything projects to (500, 500)
    keypoints = np.zeros((2, 17, 3))
    for k, name in enumerate(LIMB_JOINTS):
        keypoints[:, COCO17.index(name)] = [500 + k, 500, 0.9]
    keypoints[0, COCO17.index("left_wrist")] = [9000, 0, 0.5]  # not above one half
    keypoints[:, COCO17.index("nose")] = [9000, 0, 1.0]  # no limb
    boxes = np.array([[0, 0, 10, 200.0], [0, 0, 10, 100.0]])
    pixels, share = metrics.reprojection_error(joints, H36M17, keypoints, COCO17, intrinsics, boxes)
    offsets = [k for k, name in enumerate(LIMB_JOINTS) if name != "left_wrist"]
    assert pixels == pytest.approx(np.median([*offsets, *range(12)]))
    assert share == pytest.approx(np.median([*(k / 200 for k in offsets), *(k / 100 for k in range(12))]))


def test_jitter_of_a_cubic_is_its_third_derivative():
    for times in (np.arange(50) / 30, np.cumsum(np.random.default_rng(0).uniform(0.01, 0.1, 50))):
        joints = (2.0 * times**3 + times**2)[:, None, None] * [1.0, 0, 0]
        assert metrics.jitter(joints, times) == pytest.approx(12.0 / 10)


def test_jitter_is_the_third_difference_times_fps_cubed_over_ten():
    joints = np.random.default_rng(1).normal(size=(40, 5, 3))
    expected = np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1).mean() * 25**3 / 10
    assert metrics.jitter(joints, np.arange(40) / 25) == pytest.approx(expected)


def test_acceleration_error_of_missing_gravity():
    times = np.arange(30) / 30
    falling = (-9.81 / 2 * times**2)[:, None, None] * [0, 0, 1.0]
    assert metrics.acceleration_error(falling, 0 * falling, times) == pytest.approx(9.81)


def test_foot_slide_and_floor_penetration():
    times = np.arange(11) / 10
    points = np.zeros((11, 4, 3))
    points[:, 0, 0] = 0.03 * times  # 3 cm/s along the floor
    points[:, 0, 2] = 0.5 * times  # vertical movement is no slide
    points[:, 1, 1] = 9 * times  # in contact only in single frames
    contacts = np.zeros((11, 4))
    contacts[:, 0], contacts[::2, 1] = 1, 1
    assert metrics.foot_slide(points, contacts, times) == pytest.approx(3.0)
    points[:, 2, 2] = -0.004
    points[-1, 3, 2] = -1.0
    assert metrics.floor_penetration(points, 50) == pytest.approx(4.0)


def test_measures_over_too_few_frames_are_nan():
    nothing = np.zeros((2, 4, 3))
    assert np.isnan(metrics.jitter(nothing, [0, 1]))
    assert np.isnan(metrics.foot_slide(nothing, np.zeros((2, 4)), np.arange(2)))
    assert np.isnan(metrics.contact_f1(np.zeros((2, 4)), np.zeros((2, 4))))


def test_pa_mpjpe_removes_similarities_but_not_reflections():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(5, 17, 3))
    turned = 1.7 * truth @ rotmat_from_rotvec(rng.normal(size=(5, 3))) + rng.normal(size=(5, 1, 3))
    assert metrics.pa_mpjpe(turned, truth) < 1e-9
    assert metrics.mpjpe(turned, truth) > 100
    assert metrics.pa_mpjpe(truth * [-1, 1, 1], truth) > 100


def test_mpjpe_relative_to_the_root():
    truth = np.random.default_rng(3).normal(size=(4, 17, 3))
    moved = truth + [1.0, 2.0, 3.0]
    moved[:, 5, 0] += 0.17
    assert metrics.mpjpe(moved, truth, root=0) == pytest.approx(10.0)


def test_bone_length_variation():
    joints = np.zeros((4, 3, 3))
    joints[:, 1, 0] = [1.0, 1.0, 1.0, 1.0]
    joints[:, 2, 0] = 1.0 + np.array([0.9, 1.1, 0.9, 1.1])
    np.testing.assert_allclose(metrics.bone_length_variation(joints, [-1, 0, 1]), [0, 0.1])


def test_contact_f1():
    found = np.array([[1, 1, 0, 0.0]])
    true = np.array([[1, 0, 1, 0.0]])
    assert metrics.contact_f1(found, true) == pytest.approx(0.5)
    assert metrics.contact_f1(true, true) == 1
