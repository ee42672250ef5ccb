"""Joints in the picture: beside the keypoints of the detector that the network knows, wherever and however often the person is filmed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.core.cameras import project
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, KEYPOINT_SETS, to_h36m17
from blender_meshrec.methods.lifter.joints_in_picture import (
    MAX_SHIFT,
    MAX_SIGMA,
    joints_in_picture,
    load_picture_network,
    predict_shifts,
)
from blender_meshrec.methods.lifter.lifter_input import H36M17_MIRROR, MIRROR, POINTS, mirror_joints, person_in_view
from tests.support.walk_before_camera import LANDMARK_ROWS, walk_about_hip

INTRINSICS = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
ANKLES, HEAD_TOP = [H36M17.index("left_ankle"), H36M17.index("right_ankle")], H36M17.index("head_top")
OTHERS = [row for row in range(len(H36M17)) if row != HEAD_TOP]


def seen_walk(frames=60, fps=30.0):
    """A walk on one spot, seen by a detector that puts every point on a joint, with 3D of its own; and its times."""
    times = np.arange(frames) / fps
    joints = walk_about_hip(times)[:, LANDMARK_ROWS]
    pixels = project(joints + [0.0, 0, 5], INTRINSICS)
    keypoints = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 0.95)], -1)
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    return Observations("blazepose33", boxes, keypoints, np.ones(frames, bool), joints), times


def shifts_of(observations, times, intrinsics=INTRINSICS):
    """Shifts (F,17,2) px from keypoints to joints, and their standard deviations (F,17)."""
    joints = joints_in_picture(observations, intrinsics, times)
    return joints[..., :2] - to_h36m17(observations.keypoints, observations.keypoint_set)[..., :2], joints[..., 2]


def test_ankles_are_below_where_the_detector_puts_them():
    """A detector puts them on the shin, 3 cm above the joint: here 5 px."""
    seen, times = seen_walk()
    shift, sigma = shifts_of(seen, times)
    assert 1.0 < shift[:, ANKLES, 1].mean() < 15.0
    assert 1.0 < np.median(sigma[:, OTHERS]) < 20.0
    np.testing.assert_allclose(shift[:, HEAD_TOP], 0.0, atol=1e-3)  # which it does not give


def test_keypoints_of_another_detector_stay():
    seen, times = seen_walk()
    other = Observations("h36m17", seen.boxes, to_h36m17(seen.keypoints, "blazepose33"), seen.visible)
    assert joints_in_picture(other, INTRINSICS, times) is None
    np.testing.assert_allclose(other.joint_points, other.keypoints)


def test_frames_without_the_person_hold_zeros_and_points_that_are_not_seen_stay():
    seen, times = seen_walk()
    keypoints, visible = np.array(seen.keypoints), np.ones(60, bool)
    visible[20:24] = False
    keypoints[20:24] = 0
    wrist = KEYPOINT_SETS["blazepose33"].index["left_wrist"]
    keypoints[:, wrist, 2] = 0.1
    hidden = replace(seen, keypoints=keypoints, visible=visible, keypoints_3d=seen.keypoints_3d * visible[:, None, None])
    joints = joints_in_picture(hidden, INTRINSICS, times)
    assert not joints[20:24].any()
    shift, sigma = shifts_of(hidden, times)
    row = H36M17.index("left_wrist")
    np.testing.assert_allclose(shift[:20, row], 0.0, atol=1e-3)
    assert sigma[:20, row].min() > 3 * np.median(sigma[:20, ANKLES])


def test_a_larger_picture_has_larger_shifts():
    seen, times = seen_walk()
    shift, sigma = shifts_of(seen, times)
    double = np.diag([2.0, 2.0, 1.0]) @ INTRINSICS
    keypoints = seen.keypoints * [2, 2, 1]
    shift_of_double, sigma_of_double = shifts_of(replace(seen, keypoints=keypoints, boxes=2 * seen.boxes), times, double)
    np.testing.assert_allclose(shift_of_double[:, OTHERS], 2 * shift[:, OTHERS], atol=0.02)
    np.testing.assert_allclose(sigma_of_double, 2 * sigma, rtol=1e-3)


@pytest.mark.parametrize("fps, tolerance", [(60.0, 0.3), (15.0, 0.5)])
def test_another_frame_rate_finds_the_same(fps, tolerance):
    """Mean difference in px, where shifts are 5 px and the body is 310 px high."""
    expected, _sigma = shifts_of(*seen_walk(60, 30.0))
    found, _sigma = shifts_of(*seen_walk(round(2 * fps), fps))
    both = found[:: max(1, round(fps / 30))], expected[:: max(1, round(30 / fps))]
    assert np.abs(both[0] - both[1])[:, OTHERS].mean() < tolerance


def test_a_mirror_image_has_the_mirrored_shifts():
    generator = torch.Generator().manual_seed(3)
    rays, confidence = 0.2 * torch.randn(1, 20, len(POINTS), 2, generator=generator), torch.ones(1, 20, len(POINTS))
    own = 0.3 * torch.randn(1, 20, len(H36M17), 3, generator=generator)
    network, flip = load_picture_network(), torch.tensor([-1.0, 1.0])
    shifts = predict_shifts(network, rays, confidence, own)
    mirrored = predict_shifts(network, rays[:, :, MIRROR] * flip, confidence, mirror_joints(own))
    torch.testing.assert_close(mirrored[..., :2], shifts[:, H36M17_MIRROR, :2] * flip, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(mirrored[..., 2], shifts[:, H36M17_MIRROR, 2], atol=1e-4, rtol=1e-3)


def test_shifts_and_sigmas_are_bounded_however_odd_a_pose_is():
    generator = torch.Generator().manual_seed(5)
    rays, confidence = 0.02 * torch.randn(1, 30, len(POINTS), 2, generator=generator), torch.ones(1, 30, len(POINTS))
    found = predict_shifts(load_picture_network(), rays, confidence, torch.zeros(1, 30, len(H36M17), 3))
    size = person_in_view(rays, confidence).size[0]
    assert (found[..., :2].norm(dim=-1) <= 1.02 * MAX_SHIFT * size).all()
    assert (found[..., 2] <= 1.001 * MAX_SIGMA * size).all() and (found[..., 2] > 0.99 * MAX_SIGMA * size).any()
