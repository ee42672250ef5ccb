"""Cameras of a calibration file, before the footage that they took is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .array_types import FloatArray
from .errors import InputError
from .frozen_arrays import freeze_arrays

MAX_CAMERAS = 64
# A calibration in millimetres has cameras farther apart than this many units, one in metres has not.
MAX_SCENE = 300.0


@dataclass(frozen=True)
class CalibratedCamera:
    """One camera of a calibration.

    name: as the file calls it. intrinsics: (3,3) px, the first pixel's centre at (0.5, 0.5). camera_from_world: (4,4), OpenCV axes, m.
    distortion: (D,), OpenCV's k1, k2, p1, p2, k3 and so on, or its four of a fisheye lens. image_size: (width, height) px of the picture
    that was calibrated, or None where the file does not say.
    """

    name: str
    intrinsics: FloatArray
    camera_from_world: FloatArray
    distortion: FloatArray = field(default_factory=lambda: np.zeros(0))
    image_size: tuple[float, float] | None = None
    is_fisheye: bool = False

    def __post_init__(self) -> None:
        shapes = {"intrinsics": (np.float64, (3, 3)), "camera_from_world": (np.float64, (4, 4)), "distortion": (np.float64, ("D",))}
        freeze_arrays(self, shapes)


def checked_cameras(cameras: Sequence[CalibratedCamera], name: str) -> tuple[CalibratedCamera, ...]:
    """The cameras of a file, or an InputError: there are none or too many, or one of them is no camera."""
    if not cameras:
        raise calibration_error(name, "it has no camera")
    if len(cameras) > MAX_CAMERAS:
        raise calibration_error(name, f"it has more than {MAX_CAMERAS} cameras")
    for camera in cameras:
        turn = camera.camera_from_world[:3, :3]
        numbers = np.concatenate([camera.intrinsics.ravel(), camera.camera_from_world.ravel(), camera.distortion])
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > 1e7:
            raise calibration_error(name, f"the camera {camera.name} has numbers that are none")
        if not camera.intrinsics[0, 0] > 0 or not 0.2 < camera.intrinsics[1, 1] / camera.intrinsics[0, 0] < 5:
            raise calibration_error(name, f"the camera {camera.name} has no focal length")
        if np.abs(turn @ turn.T - np.eye(3)).max() > 0.02 or np.linalg.det(turn) < 0:
            raise calibration_error(name, f"the rotation of the camera {camera.name} is none")
    return tuple(cameras)


def in_metres(places: FloatArray) -> float:
    """The length in metres of one unit of a calibration with cameras at (V,3): of a file that does not say, m or mm."""
    spread = float(np.linalg.norm(places - places.mean(0), axis=1).max()) if len(places) > 1 else 0.0
    return 0.001 if spread > MAX_SCENE else 1.0


def calibration_error(name: str, reason: str) -> InputError:
    """The error of a file that holds no calibration."""
    return InputError(
        "calibration-wrong",
        "{name} holds no calibration of cameras: {reason}.",
        "Give a calibration of Pose2Sim (.toml), Qualisys (.qca.txt), OpenCV (.yml, .xml or .json) or Blender (.json), or auto.",
        name=name,
        reason=reason,
    )
