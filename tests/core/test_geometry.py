"""Conventions, cameras and skeletons."""

import numpy as np
import pytest

from blender_meshrec.core import cameras, conventions
from blender_meshrec.core.skeletons import COCO17, H36M17, KEYPOINT_SETS, LIMB_JOINTS, h36m17_weights, to_h36m17


def test_all_conventions_are_rotations():
    for name in ("WORLD_FROM_BODY", "WORLD_FROM_LEVEL_CAMERA", "BLENDER_CAMERA_FROM_OPENCV"):
        matrix = getattr(conventions, name)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=0)
        assert np.linalg.det(matrix) == 1


def test_a_subject_at_rest_faces_a_level_camera():
    front, left, up = np.eye(3)[2], np.eye(3)[0], np.eye(3)[1]
    to_camera = conventions.WORLD_FROM_LEVEL_CAMERA.T @ conventions.WORLD_FROM_BODY
    np.testing.assert_array_equal(to_camera @ front, [0, 0, -1])  # towards the camera
    np.testing.assert_array_equal(to_camera @ left, [1, 0, 0])  # the subject's left is the image's right
    np.testing.assert_array_equal(to_camera @ up, [0, -1, 0])


@pytest.mark.parametrize(
    "measured, exact",
    [(23.976, 24 / 1.001), (29.97, 30 / 1.001), (59.94, 60 / 1.001), (25.0001, 25.0), (24.0, 24.0), (30, 30.0), (5, 5.0), (12.5, 12.5)],
)
def test_measured_rates_snap_to_standard_rates(measured, exact):
    assert conventions.standard_fps(measured) == exact


def test_key_frames_start_at_one():
    np.testing.assert_allclose(conventions.key_frames([0, 0.04, 0.1], 25), [1, 2, 3.5])


def test_projection_of_known_points():
    intrinsics = np.array([[1000.0, 0, 320], [0, 1000, 240], [0, 0, 1]])
    np.testing.assert_allclose(cameras.project([0.5, -0.25, 5.0], intrinsics), [420, 190])
    assert np.isnan(cameras.project([0, 0, -1.0], intrinsics)).all()


def test_default_lens_has_53_degrees_diagonal_field_of_view():
    intrinsics = cameras.default_intrinsics((1280, 720))
    half = np.hypot(640, 360) / intrinsics[0, 0]
    assert np.degrees(2 * np.arctan(half)) == pytest.approx(53.13, abs=0.01)


def test_rigid_transforms_invert():
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(5, 3, 3)))
    matrix = cameras.rigid_transform(q, rng.normal(size=(5, 3)))
    np.testing.assert_allclose(cameras.invert_rigid_transform(matrix) @ matrix, np.broadcast_to(np.eye(4), (5, 4, 4)), atol=1e-12)
    points = rng.normal(size=(5, 7, 3))
    moved = cameras.transform_points(matrix, points)
    np.testing.assert_allclose(cameras.transform_points(cameras.invert_rigid_transform(matrix), moved), points)


@pytest.mark.parametrize("name", KEYPOINT_SETS)
def test_h36m17_mixtures_are_translation_equivariant(name):
    """Weights sum to one, so that translating the image translates every derived joint; limb joints are copied."""
    weights = h36m17_weights(name)
    sums = weights.sum(1)
    assert np.all(np.isclose(sums, 1) | (sums == 0))
    for joint in LIMB_JOINTS:
        assert sorted(np.unique(weights[H36M17.index(joint)])) == [0, 1]


def test_mixtures_have_the_lowest_confidence_of_their_parts():
    keypoints = np.ones((17, 3))
    keypoints[COCO17.index("left_hip")] = [10, 20, 0.25]
    keypoints[COCO17.index("right_hip")] = [30, 40, 0.75]
    np.testing.assert_allclose(to_h36m17(keypoints, "coco17")[H36M17.index("hip")], [20, 30, 0.25])
    assert to_h36m17(keypoints, "coco17").shape == (17, 3)


def test_h36m17_maps_to_itself():
    keypoints = np.random.default_rng(0).uniform(size=(4, 17, 3))
    np.testing.assert_allclose(to_h36m17(keypoints, "h36m17"), keypoints)


def test_suffixes_of_files_are_lower_case_and_unique():
    """Names are compared in lower case: another spelling would never be found."""
    for name, value in vars(conventions).items():
        if "SUFFIX" in name and isinstance(value, (tuple, frozenset)):
            assert value and all(suffix == suffix.lower() and suffix.startswith(".") for suffix in value), name
            assert len(set(value)) == len(value), name
