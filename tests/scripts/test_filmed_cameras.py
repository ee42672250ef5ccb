"""People filmed by cameras whose motion is known: what the measures say of a camera that is found, and of one that is not."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.core.cameras import rigid_transform
from scripts.evaluate.filmed_cameras import WORLD_FROM_ROOM, camera_errors, make_scenes, path_length, speed_of_standing_feet


def cameras_of(name):
    """camera_from_world (F,4,4) of a scene."""
    poses = next(scene for scene in make_scenes(30) if scene.name == name).poses
    rotations = np.array([pose.rotation for pose in poses]) @ WORLD_FROM_ROOM.T
    places = np.array([pose.position for pose in poses]) @ WORLD_FROM_ROOM.T
    return rigid_transform(rotations, -(rotations @ places[..., None])[..., 0])


def test_there_are_twelve_cameras_or_more_and_each_moves_as_its_name_says():
    scenes = {scene.name: scene for scene in make_scenes(30)}
    assert len(scenes) >= 12
    assert path_length(cameras_of("still, near")) == 0 and path_length(cameras_of("pan")) == pytest.approx(0, abs=1e-9)
    assert path_length(cameras_of("walks beside")) > 2.9 and max(pose.zoom for pose in scenes["zoom"].poses) == pytest.approx(1.4)


def test_the_truth_is_without_error_in_any_world_and_at_any_scale():
    truth = cameras_of("orbit")
    world = rigid_transform(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([3.0, 1, 0]))
    found = truth @ world
    found[:, :3, 3] *= 1.7
    errors, path = camera_errors(SimpleNamespace(camera_from_world=found), truth)
    assert errors == pytest.approx(0, abs=1e-5) and path == pytest.approx(0, abs=1e-6)
    still, way = camera_errors(SimpleNamespace(camera_from_world=truth[:1].repeat(30, 0)), truth)
    assert still.max() == pytest.approx(60, abs=0.1) and way > 20


def test_only_feet_that_stand_count():
    truth = np.zeros((10, 24, 3))
    truth[:, 8:] += np.arange(10)[:, None, None] * [0.1, 0, 0]  # the right ankle and both feet move
    found = truth + np.arange(10)[:, None, None] * [0.001, 0, 0]
    assert speed_of_standing_feet(found, truth) == pytest.approx(3.0)  # cm/s, of the left ankle
