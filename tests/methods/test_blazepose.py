"""BlazePose's landmarks in metres become an Estimate in camera axes."""

import numpy as np
import pytest

from blender_meshrec.core.cameras import default_intrinsics
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, h36m17_weights
from blender_meshrec.methods import blazepose
from tests.support.synthetic_keypoints import animate_stick_figure

INTRINSICS = default_intrinsics((1280, 720))
TIMES = np.arange(30) / 30


def observed(world_points, visible=None, metres=True):
    """Observations of points (F,33,3) m in camera axes, as a network outputs them whose axis is the line of sight."""
    pixels = world_points @ INTRINSICS.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    hip = world_points[:, 23:25].mean(1, keepdims=True)
    camera_from_crop = blazepose.rotation_from_optical_axis(blazepose.line_of_sight(pixels, INTRINSICS))
    along_sight = np.einsum("fba,fkb->fka", camera_from_crop, world_points - hip)
    visible = np.ones(len(pixels), bool) if visible is None else visible
    keypoints = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 0.9)], -1)
    return Observations("blazepose33", np.zeros((len(pixels), 4)), keypoints, visible, along_sight if metres else None)


@pytest.mark.parametrize("place", [(0.0, 0.0, 5.0), (2.5, -0.8, 5.0), (-2.0, 1.0, 4.0)])
def test_off_centre_people_are_rotated_into_camera_axes(place):
    truth = animate_stick_figure(TIMES, turn=0.4) + np.array(place)
    estimate = blazepose.estimate(observed(truth), INTRINSICS, TIMES, "cpu")
    expected = np.einsum("jk,fkc->fjc", h36m17_weights("blazepose33"), truth)
    np.testing.assert_allclose(estimate.joints, expected - expected[:, :1], atol=1e-5)  # m
    np.testing.assert_allclose(estimate.confidence, 0.9, atol=1e-6)
    assert np.abs(estimate.joints[:, H36M17.index("hip")]).max() < 1e-6


def test_frames_without_the_person_hold_zeros():
    visible = np.arange(30) % 3 > 0
    estimate = blazepose.estimate(observed(animate_stick_figure(TIMES) + [0, 0, 5], visible), INTRINSICS, TIMES, "cpu")
    assert not estimate.joints[~visible].any() and not estimate.confidence[~visible].any()
    assert estimate.confidence[visible].all()


def test_rotations_map_the_optical_axis_to_the_ray():
    rng = np.random.default_rng(0)
    rays = rng.normal(size=(50, 3)) * [0.7, 0.7, 0.1] + [0, 0, 1.0]
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    camera_from_crop = blazepose.rotation_from_optical_axis(rays)
    np.testing.assert_allclose(
        camera_from_crop @ np.swapaxes(camera_from_crop, -1, -2), np.broadcast_to(np.eye(3), camera_from_crop.shape), atol=1e-12
    )
    np.testing.assert_allclose(camera_from_crop[:, :, 2], rays, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(camera_from_crop), 1)


def test_keypoints_without_3d_landmarks_are_refused_with_a_remedy():
    with pytest.raises(InputError, match="2D keypoints do not carry") as failure:
        blazepose.estimate(observed(animate_stick_figure(TIMES) + [0, 0, 5], metres=False), INTRINSICS, TIMES, "cpu")
    assert "lifts 2D keypoints" in failure.value.remedy


def test_lines_of_sight_are_unit_vectors_to_the_middle_of_the_torso():
    keypoints = np.zeros((3, 33, 3))
    keypoints[:, [11, 12, 23, 24], :2] = (
        INTRINSICS[:2, 2] + [[[0, 0]], [[300, 0]], [[-100, 500]]] + [[-9, -20], [9, -20], [-9, 20], [9, 20]]
    )
    directions = blazepose.line_of_sight(keypoints, INTRINSICS)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    expected = np.array([[0, 0], [300, 0], [-100, 500]]) / INTRINSICS[0, 0]
    np.testing.assert_allclose(directions[:, :2] / directions[:, 2:], expected)
