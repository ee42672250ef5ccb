"""Points on feet, hands and face: on their lines of sight, at the detector's depth, without confidence where nobody is seen."""

from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.end_points import locate_end_points
from blender_meshrec.core.cameras import default_intrinsics, project
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import BLAZEPOSE33, COCO17

SIZE, FRAMES = (1280, 720), 12
INTRINSICS = default_intrinsics(SIZE)
TORSO = [BLAZEPOSE33.index(f"{side}_{joint}") for joint in ("hip", "shoulder") for side in ("left", "right")]


@pytest.fixture
def person():
    """A person on the optical axis, 4 m away: points (F,33,3) m in camera axes, the Observations and the hip in camera space."""
    rng = np.random.default_rng(3)
    about = np.repeat(rng.uniform(-0.8, 0.8, (1, 33, 3)), FRAMES, 0)
    # The line of sight is that of hips and shoulders: here the optical axis.
    about[:, TORSO] = np.array([[0.15, 0, 0], [-0.15, 0, 0], [0.2, 0, 0], [-0.2, 0, 0]])
    points = about + [0, 0, 4.0]
    keypoints = np.concatenate([project(points, INTRINSICS), np.full((FRAMES, 33, 1), 0.9)], -1)
    visible = np.arange(FRAMES) > 1
    return points, Observations("blazepose33", np.zeros((FRAMES, 4)), keypoints, visible, about), hip_at(4.0)


def hip_at(depth):
    joints = np.zeros((FRAMES, 17, 3))
    joints[..., 2] = depth
    return SimpleNamespace(joints=joints)


@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_points_of_a_still_person_are_exact(person, smoothing):
    """And have no confidence in frames without the person."""
    points, observations, camera_joints = person
    found = locate_end_points(observations, camera_joints, INTRINSICS, np.arange(FRAMES) / 30, smoothing)
    assert found.names == BLAZEPOSE33
    np.testing.assert_allclose(found.positions, points, atol=1e-4)  # m
    np.testing.assert_allclose(found.rays, points[..., :2] / points[..., 2:], atol=1e-4)
    np.testing.assert_allclose(found.confidence, 0.9 * observations.visible[:, None] * np.ones(33), atol=1e-6)


def test_a_farther_person_is_larger_in_the_same_image(person):
    _points, observations, camera_joints = person
    near, far = (locate_end_points(observations, each, INTRINSICS, np.arange(FRAMES) / 30, 0.0) for each in (camera_joints, hip_at(8.0)))
    np.testing.assert_allclose(far.positions[..., 2] - near.positions[..., 2], 4.0, atol=1e-9)  # m
    np.testing.assert_allclose(far.positions[..., :2] / far.positions[..., 2:], near.rays, atol=1e-6)


def test_points_of_other_detectors_have_no_depth():
    observations = Observations("coco17", np.zeros((FRAMES, 4)), np.ones((FRAMES, len(COCO17), 3)), np.ones(FRAMES, bool))
    found = locate_end_points(observations, hip_at(4.0), INTRINSICS, np.arange(FRAMES) / 30, 1.0)
    assert found.positions is None and found.rays.shape == (FRAMES, len(COCO17), 2)
