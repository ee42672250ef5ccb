"""A turning camera's keypoints, as a still camera at the same place sees them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.camera.solve_camera import Shot, solve_camera
from blender_meshrec.backend.camera.steady_view import (
    choose_steady_view,
    is_in_steady_view,
    is_motion_known,
    joints_from_steady_view,
    steady_observations,
)
from blender_meshrec.core.cameras import project
from blender_meshrec.core.records import Observations
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from blender_meshrec.core.silhouettes import MASK_SIZE, Silhouettes
from blender_meshrec.methods import blazepose
from blender_meshrec.methods.blazepose import line_of_sight, rotation_from_optical_axis

SIZE = (1280, 720)
INTRINSICS = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
FRAMES = 21
PAN = np.linspace(0, 0.5, FRAMES)  # rad
CAMERA_FROM_FIRST = rotmat_from_rotvec(np.stack([0.1 * PAN, PAN, 0.05 * np.sin(9 * PAN)], -1))


def filmed(camera_from_view, points):
    """Observations of points (F,33,3) m in the axes of the view by a camera that turns, with 3D about its lines of sight."""
    in_camera = points @ np.swapaxes(camera_from_view, -1, -2)
    pixels = project(in_camera, INTRINSICS)
    keypoints = np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1)
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    masks = Silhouettes(np.array([3]), np.array([[*boxes[3].reshape(2, 2).mean(0), 100.0]]), np.ones((1, MASK_SIZE, MASK_SIZE), bool))
    in_crop = (in_camera - in_camera[:, :1]) @ rotation_from_optical_axis(line_of_sight(keypoints, INTRINSICS))
    return Observations("blazepose33", boxes, keypoints, np.ones(FRAMES, bool), in_crop, silhouettes=masks)


def own_joints(observations):
    """The detector's own 3D in the axes of the camera, (F,17,3) m."""
    return blazepose.estimate(observations, INTRINSICS, np.arange(FRAMES) / 30, torch.device("cpu")).joints


@pytest.fixture(scope="module")
def view():
    return choose_steady_view(CAMERA_FROM_FIRST)


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(scale=0.4, size=(FRAMES, 33, 3)) + [0, 0, 5]


def test_the_steady_view_is_in_the_middle_of_the_turn(view):
    """So no frame is farther from it than half the turn, rad."""
    assert angle_between_rotmats(view, np.eye(3)[None]).max() < 0.3
    assert angle_between_rotmats(CAMERA_FROM_FIRST, np.eye(3)[None]).max() > 0.48


def test_a_still_camera_sees_the_same(view, points):
    """Keypoints within 0.01 px of those of a still camera, and the detector's own 3D in its axes."""
    steady = steady_observations(filmed(view, points), view, INTRINSICS, (10_000, 10_000))
    still = filmed(np.tile(np.eye(3), (FRAMES, 1, 1)), points)
    inside = steady.keypoints[..., 2] > 0
    np.testing.assert_allclose(steady.keypoints[inside], still.keypoints[inside], atol=0.01)
    np.testing.assert_allclose(own_joints(steady), own_joints(still), atol=1e-5)
    middle = steady.silhouettes.squares[0]
    expected = still.boxes[3].reshape(2, 2).mean(0)
    np.testing.assert_allclose(middle[:2], expected, atol=15)
    assert middle[2] == pytest.approx(100, rel=0.15)


def test_what_the_picture_did_not_show_is_not_seen(view, points):
    """A keypoint outside the camera's picture has no confidence, wherever the view has it."""
    observations = filmed(view, points)
    size = (700, 400)  # px, cut through the person
    steady = steady_observations(observations, view, INTRINSICS, size)
    pixels = observations.keypoints[..., :2]
    outside = ((pixels < -30) | (pixels > np.add(size, 30))).any(-1)
    assert outside.any() and not outside.all()
    assert (steady.keypoints[outside, 2] == 0).all()
    assert (steady.keypoints[~outside & (pixels > 0).all(-1) & (pixels < size).all(-1), 2] > 0).all()


def test_frames_without_the_person_stay_empty(view, points):
    visible = np.arange(FRAMES) != 4
    steady = steady_observations(replace(filmed(view, points), visible=visible), view, INTRINSICS, SIZE)
    assert not steady.keypoints[4].any() and not steady.boxes[4].any()


def test_a_camera_that_turns_around_has_no_single_view(points):
    """Somebody who is followed through half a circle is in no one picture."""
    turn = rotmat_from_rotvec(np.linspace(0, np.pi, FRAMES)[:, None] * [0, 1.0, 0])
    view = choose_steady_view(turn)
    followed = filmed(np.tile(np.eye(3), (FRAMES, 1, 1)), points)
    assert not is_in_steady_view(followed, view, INTRINSICS)
    steady = steady_observations(followed, view, INTRINSICS, SIZE)
    assert np.isfinite(steady.keypoints).all() and (steady.keypoints[0, :, 2] == 0).mean() > 0.8
    gentle = choose_steady_view(CAMERA_FROM_FIRST)
    assert is_in_steady_view(filmed(gentle, points), gentle, INTRINSICS)


def test_a_turn_or_a_known_path_has_a_steady_view_whatever_the_zoom():
    path = solve_camera(None, SIZE, 1000.0, FRAMES)
    assert not is_motion_known(path)
    shot = Shot(0, FRAMES, "turning", 1.0)
    turning = replace(path, kind="turning", shots=(shot,))
    assert is_motion_known(turning) and is_motion_known(replace(turning, zoom=np.linspace(1, 1.2, FRAMES)))
    assert not is_motion_known(replace(turning, kind="moving"))
    assert is_motion_known(replace(turning, kind="moving", centres=np.zeros((FRAMES, 3))))


def test_joints_in_the_steady_view_are_those_that_the_camera_filmed(view, points):
    seen = filmed(view, points)
    steady = steady_observations(seen, view, INTRINSICS, SIZE)
    spread = np.full((FRAMES, 17, 1), 3.0)
    joints = joints_from_steady_view(np.concatenate([steady.keypoints[:, :17, :2], spread], -1), view, INTRINSICS)
    np.testing.assert_allclose(joints[..., :2], seen.keypoints[:, :17, :2], atol=0.01)  # px
    np.testing.assert_allclose(joints[..., 2:], spread)
