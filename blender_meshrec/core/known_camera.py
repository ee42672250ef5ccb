"""A camera whose path and lens are known before the reconstruction: an artist's own, or a matchmove's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .array_types import FloatArray, IntArray
from .frozen_arrays import freeze_arrays

SENSOR_FITS = ("auto", "horizontal", "vertical")


@dataclass(frozen=True)
class KnownCamera:
    """A camera over N frames of its scene, which may be one for a camera that never changes.

    world_from_camera: (N,4,4), OpenCV axes, m; the world is z up. focal: (N,) px. center: (N,2) px, the principal point. image_size:
    (width, height) px, of square pixels. distortion: (3,), k1, k2 and k3 of lens_distortion.py. first_frame: the scene's number of the
    frame that belongs to the footage's first. floor: m, its height in the world, or None if it is not known. source: what to call it.
    """

    world_from_camera: FloatArray
    focal: FloatArray
    center: FloatArray
    image_size: FloatArray
    distortion: FloatArray
    first_frame: int = 1
    floor: float | None = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        freeze_arrays(
            self,
            {
                "world_from_camera": (np.float64, ("N", 4, 4)),
                "focal": (np.float64, ("N",)),
                "center": (np.float64, ("N", 2)),
                "image_size": (np.float64, (2,)),
                "distortion": (np.float64, (3,)),
            },
        )

    def __len__(self) -> int:
        return len(self.focal)

    @property
    def intrinsics(self) -> FloatArray:
        """(N,3,3) px."""
        matrices = np.tile(np.eye(3), (len(self), 1, 1))
        matrices[:, 0, 0] = matrices[:, 1, 1] = self.focal
        matrices[:, :2, 2] = self.center
        return matrices

    def in_picture(self, size: Sequence[float]) -> "KnownCamera":
        """The same camera in pixels of a picture of another size, (width, height) px, that is as wide and has the same middle."""
        scale = float(size[0]) / self.image_size[0]
        center = np.asarray(size, float) / 2 + scale * (self.center - self.image_size / 2)
        return replace(self, focal=scale * self.focal, center=center, image_size=np.asarray(size, float))

    def at(self, rows: IntArray) -> "KnownCamera":
        """The camera in some of its frames (F,), counted from its first; it is held before the first and after the last."""
        rows = np.clip(rows, 0, len(self) - 1)
        return replace(self, world_from_camera=self.world_from_camera[rows], focal=self.focal[rows], center=self.center[rows])


def blender_lens(
    lens: float,
    sensor: Sequence[float],
    sensor_fit: str,
    shift: Sequence[float],
    size: Sequence[float] | FloatArray,
    pixel_aspect: float = 1.0,
) -> tuple[float, FloatArray, FloatArray]:
    """A lens as Blender describes it, in square pixels.

    Args:
        lens: focal length, mm. sensor: (width, height) mm. sensor_fit: of SENSOR_FITS; "auto" takes the sensor's width for the picture's
            longer side. shift: (x, y), shares of the picture's side that the sensor is fitted to. size: (width, height) px.
        pixel_aspect: how many times higher than wide a pixel is.

    Returns:
        focal length px, principal point (2,) px, and size (2,) px, of a picture as wide whose pixels are square.

    Source: Blender's BKE_camera_params_compute_viewplane.
    """
    width, height = float(size[0]), float(size[1]) * pixel_aspect
    is_horizontal = sensor_fit == "horizontal" or (sensor_fit == "auto" and width >= height)
    side = width if is_horizontal else height
    focal = lens / (sensor[1] if sensor_fit == "vertical" else sensor[0]) * side
    center = np.array([width / 2 - shift[0] * side, height / 2 + shift[1] * side])
    return float(focal), center, np.array([width, height])
