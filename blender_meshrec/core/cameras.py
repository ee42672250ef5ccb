"""The pinhole camera: intrinsics, projection, lines of sight, rigid transforms, and the default lens of footage without lens data."""

from collections.abc import Sequence

import numpy as np

from .array_types import ArrayLike, FloatArray, IntArray

_MIN_DEPTH = 1e-6  # m; nearer points count as on or behind the camera plane


def default_intrinsics(image_size: Sequence[float] | IntArray) -> FloatArray:
    """Intrinsics of a lens whose focal length equals the image diagonal (a diagonal field of view of about 53 degrees).

    Args:
        image_size: (width, height) px.

    Returns:
        (3, 3) px, principal point in the middle. The first pixel's centre is (0.5, 0.5), so the middle is size / 2.

    Source: the usual choice for footage of unknown origin (Kissos et al. 2020, "Beyond weak perspective").
    """
    return intrinsics_of_focal_length(float(np.hypot(float(image_size[0]), float(image_size[1]))), image_size)


def intrinsics_of_focal_length(focal: float, image_size: Sequence[float] | IntArray) -> FloatArray:
    """Intrinsics (3, 3) px of a focal length, px, with the principal point in the middle; image_size: (width, height) px."""
    width, height = (float(side) for side in image_size)
    return np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


def project(points: ArrayLike, intrinsics: ArrayLike) -> FloatArray:
    """Points in camera axes (..., 3) m -> pixels (..., 2). Points on or behind the camera plane give nan.

    intrinsics: (3,3) px, or (F,3,3) for points (F,J,3) of a camera that zooms.
    """
    points = np.asarray(points, float)
    depth = np.where(points[..., 2:] > _MIN_DEPTH, points[..., 2:], np.nan)
    homogeneous = points @ np.swapaxes(np.asarray(intrinsics, float), -1, -2)
    return homogeneous[..., :2] / depth


def rays_from_pixels(pixels: ArrayLike, intrinsics: ArrayLike) -> FloatArray:
    """Pixels (..., 2) -> their lines of sight (..., 2), as x/z and y/z in camera axes; intrinsics: as of `project`."""
    pixels = np.asarray(pixels, float)
    homogeneous = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
    return (homogeneous @ np.swapaxes(np.linalg.inv(np.asarray(intrinsics, float)), -1, -2))[..., :2]


def points_on_rays(rays: FloatArray, depth: FloatArray) -> FloatArray:
    """Points (..., 3) m in camera axes at depths (...) m on lines of sight (..., 2)."""
    return np.concatenate([rays * depth[..., None], depth[..., None]], -1)


def transform_points(matrix: FloatArray, points: FloatArray) -> FloatArray:
    """Apply rigid or affine transforms (..., 4, 4) to points (..., N, 3)."""
    return points @ np.swapaxes(matrix[..., :3, :3], -1, -2) + matrix[..., None, :3, 3]


def rigid_transform(rotation: ArrayLike, translation: ArrayLike) -> FloatArray:
    """The matrix (..., 4, 4) of a rotation (..., 3, 3) followed by a translation (..., 3)."""
    rotation = np.asarray(rotation, float)
    translation = np.asarray(translation, float)
    leading = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    matrix = np.zeros((*leading, 4, 4))
    matrix[..., :3, :3] = rotation
    matrix[..., :3, 3] = translation
    matrix[..., 3, 3] = 1.0
    return matrix


def invert_rigid_transform(matrix: FloatArray) -> FloatArray:
    """The inverse of rigid transforms (..., 4, 4)."""
    rotation = np.swapaxes(matrix[..., :3, :3], -1, -2)
    return rigid_transform(rotation, -(rotation @ matrix[..., :3, 3:])[..., 0])
