"""Calibrations in JSON: a list or an object of cameras, in OpenCV's terms or as camera files have them (core/files/camera_file.py).

{"cam01": {"K": [[1674, 0, 540], [0, 1674, 960], [0, 0, 1]], "dist": [0, 0, 0, 0], "R": [...], "t": [...], "size": [1080, 1920]}, ...}
{"cameras": [{"name": "left", "image_size": [1920, 1080], "focal_mm": 35, "world_from_camera": [...], "axes": "blender"}, ...]}
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...camera_calibration import CalibratedCamera
from ...cameras import invert_rigid_transform
from ...known_camera import KnownCamera
from ..camera_file import camera_from_json
from .opencv_camera import opencv_camera, with_metres

_MATRIX, _DISTORTION = ("K", "matrix", "camera_matrix", "intrinsics"), ("dist", "D", "distortions", "distortion", "dist_coeffs")
_ROTATION, _TRANSLATION = ("R", "rotation", "rvec", "rotation_matrix"), ("t", "T", "translation", "tvec")
_SIZE = ("size", "image_size", "resolution", "imgSize")


def parse_cameras_json(content: Any) -> list[CalibratedCamera]:
    """The cameras of a JSON's content. Raises ValueError, KeyError, TypeError or InputError."""
    entries = list(_entries(content))
    if any("world_from_camera" in entry for _name, entry in entries):
        return [calibrated(camera_from_json(entry, name), name) for name, entry in entries]
    cameras = [
        opencv_camera(
            name,
            _first(entry, _MATRIX),
            _first(entry, _DISTORTION, ()),
            _first(entry, _ROTATION),
            _first(entry, _TRANSLATION),
            _first(entry, _SIZE, None),
            bool(entry.get("fisheye", False)),
        )
        for name, entry in entries
    ]
    return with_metres(cameras)


def calibrated(camera: KnownCamera, name: str) -> CalibratedCamera:
    """The calibration of a known camera that stands still. Raises ValueError: it does not."""
    spread = np.ptp(camera.world_from_camera, axis=0)
    if spread.max() > 1e-3 or np.ptp(camera.focal) > 0.5:
        raise ValueError(f"the camera {name} moves or zooms")
    k1, k2, k3 = camera.distortion
    distortion = np.array([k1, k2, 0.0, 0.0, k3]) if camera.distortion.any() else np.zeros(0)
    size = float(camera.image_size[0]), float(camera.image_size[1])
    return CalibratedCamera(name, camera.intrinsics[0], invert_rigid_transform(camera.world_from_camera[0]), distortion, size)


def _entries(content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The cameras of a content by name."""
    if isinstance(content, Mapping) and isinstance(content.get("cameras"), (list, dict)):
        content = content["cameras"]
    named = content.items() if isinstance(content, Mapping) else ((None, entry) for entry in content)
    for number, (key, entry) in enumerate(named, 1):
        if isinstance(entry, Mapping) and ("world_from_camera" in entry or any(name in entry for name in _MATRIX)):
            yield str(entry.get("name", key or number)), entry


def _first(entry: Mapping[str, Any], names: tuple[str, ...], *default: Any) -> Any:
    """The value of the first of the names that an entry has. Raises ValueError: it has none, and there is no default."""
    for name in names:
        if name in entry:
            return entry[name]
    if default:
        return default[0]
    raise ValueError(f"a camera has no {names[0]}")
