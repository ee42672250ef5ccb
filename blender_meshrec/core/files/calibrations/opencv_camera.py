"""A camera in OpenCV's terms: a matrix, distortions, a rotation and a translation, in a convention of pixels and units of its own."""

from collections.abc import Sequence

import numpy as np

from ...array_types import ArrayLike, FloatArray
from ...camera_calibration import CalibratedCamera, in_metres
from ...cameras import rigid_transform
from ...rotations import rotmat_from_rotvec

HALF_PIXEL = 0.5  # OpenCV has the first pixel's centre at 0, this software at 0.5


def opencv_camera(
    name: str,
    matrix: ArrayLike,
    distortion: ArrayLike,
    rotation: ArrayLike,
    translation: ArrayLike,
    image_size: ArrayLike | None = None,
    is_fisheye: bool = False,
) -> CalibratedCamera:
    """A camera from OpenCV's values; rotation: (3,) rad or (3,3), from the world to the camera. Raises ValueError for other shapes."""
    intrinsics = np.array(_numbers(matrix, "matrix", 9)).reshape(3, 3)
    intrinsics[:2, 2] += HALF_PIXEL
    rotation = np.asarray(rotation, float)
    turn = rotation.reshape(3, 3) if rotation.size == 9 else rotmat_from_rotvec(_numbers(rotation, "rotation", 3))
    coefficients = np.asarray(distortion, float).ravel()
    if len(coefficients) not in (0, 4, 5, 8, 12, 14):
        raise ValueError(f"the camera {name} has {len(coefficients)} distortions")
    size = None if image_size is None else tuple(_numbers(image_size, "size", 2).tolist())
    placed = rigid_transform(turn, _numbers(translation, "translation", 3))
    return CalibratedCamera(name, intrinsics, placed, coefficients, None if size is None else (size[0], size[1]), is_fisheye)


def with_metres(cameras: Sequence[CalibratedCamera]) -> list[CalibratedCamera]:
    """The cameras with places in metres, of a file that has metres or millimetres and does not say which."""
    if not cameras:
        return []
    unit = in_metres(np.array([-camera.camera_from_world[:3, :3].T @ camera.camera_from_world[:3, 3] for camera in cameras]))
    scaled: list[CalibratedCamera] = []
    for camera in cameras:
        placed = camera.camera_from_world.copy()
        placed[:3, 3] *= unit
        scaled.append(CalibratedCamera(camera.name, camera.intrinsics, placed, camera.distortion, camera.image_size, camera.is_fisheye))
    return scaled


def _numbers(values: ArrayLike, what: str, count: int) -> FloatArray:
    numbers = np.asarray(values, float).ravel()
    if len(numbers) != count:
        raise ValueError(f"{what} has {len(numbers)} numbers instead of {count}")
    return numbers
