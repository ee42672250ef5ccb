"""Up from the axes of a calibration's world."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.solve_clip import world_from_up
from blender_meshrec.backend.fitting.gravity_and_floor import GroundEvidence
from blender_meshrec.backend.passes.views import stand_in_calibrated_world
from blender_meshrec.backend.views.calibrated_up import calibrated_up
from blender_meshrec.core.cameras import invert_rigid_transform, rigid_transform, transform_points
from blender_meshrec.core.rotations import rotmat_from_rotvec

LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # camera_from_world of a level camera in a world with z up


def camera(turn_degrees):
    return rigid_transform(rotmat_from_rotvec(np.radians(turn_degrees)) @ LEVEL, [0, 0, 3.0])


def leaning(up, degrees):
    return rotmat_from_rotvec([np.radians(degrees), 0, 0]) @ up


@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, -1.0, 0]])
def test_the_axis_of_the_world_near_the_up_of_people_is_up(axis):
    world = np.linalg.svd(np.array([axis]))[2][[1, 2, 0]]  # its third row is the axis, or its opposite
    turn = LEVEL @ world * np.linalg.det(world)
    cameras = [rigid_transform(turn, np.zeros(3)), camera([0, 60, 0])]
    truth = turn @ np.array(axis)
    found = calibrated_up(cameras, leaning(truth, 9.0))
    assert found is not None
    assert found @ truth == pytest.approx(1.0, abs=1e-9)


def test_axes_far_from_the_up_of_people_are_not_up():
    up = camera([10, 0, 0])[:3, 2]
    assert calibrated_up([camera([10, 0, 0])], leaning(up, 30.0)) is None


def test_a_world_that_is_a_cameras_own_says_nothing_of_up():
    up = np.array([0.0, -1.0, 0.0])
    assert calibrated_up([np.eye(4), camera([0, 60, 0])], up) is None
    assert calibrated_up([camera([0, 60, 0]), np.eye(4)], LEVEL @ [0, 0, 1.0]) is None


@pytest.mark.parametrize("is_given", [True, False])
def test_people_stand_on_the_floor_of_a_calibrated_world(is_given):
    times = np.arange(60) / 30
    pitched = camera([20, 0, 0])
    camera_from_world = rigid_transform(pitched[:3, :3], -pitched[:3, :3] @ [0, 0, 1.7])
    soles = np.tile([[-0.1, 4.0, 0], [-0.1, 3.8, 0], [0.1, 4.0, 0], [0.1, 3.8, 0]], (60, 1, 1))
    joints = np.tile(np.linspace([0, 3.9, 0.1], [0, 3.9, 1.7], 17), (60, 1, 1))
    evidence = GroundEvidence(transform_points(camera_from_world, joints), transform_points(camera_from_world, soles), np.ones(60, bool))
    up = camera_from_world[:3, 2]
    wrong = world_from_up(leaning(up, 8.0), 1.5)
    views = [SimpleNamespace(camera_from_world=matrix) for matrix in (camera_from_world, camera([0, 60, 0]))]
    clip = SimpleNamespace(
        joined=SimpleNamespace(views=views, is_given=is_given), world_from_camera=wrong, tilt_sigma=np.full(2, 0.03), motion_times=times
    )
    stand_in_calibrated_world(clip, [evidence])
    if not is_given:
        assert clip.world_from_camera is wrong
        return
    heights = transform_points(clip.world_from_camera, evidence.soles)[..., 2]
    assert np.abs(heights).max() < 0.001  # m
    assert clip.world_from_camera[2, 3] == pytest.approx(invert_rigid_transform(camera_from_world)[2, 3], abs=0.001)
    assert not clip.tilt_sigma.any()
