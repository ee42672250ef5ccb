"""Camera files: a known camera as JSON, of any matchmove program, or as read from a scene.

    {"image_size": [1920, 1080], "first_frame": 1001, "focal_mm": 35, "sensor_width": 36,
     "world_from_camera": [[[1, 0, 0, 0], [0, 0, 1, -5], [0, -1, 0, 1.5], [0, 0, 0, 1]], ...]}

| key | content |
|---|---|
| world_from_camera | 4x4 matrices, rows first, one a frame; or a single one for a camera that stands still |
| image_size | [width, height] px of the picture that focal lengths in pixels refer to; footage of another size is scaled to its width |
| focal_px | px; one number, or one a frame |
| focal_mm | instead of focal_px: mm, with `sensor_width` (mm, 36 without), `sensor_height` (24), `sensor_fit` ("auto", as in Blender) |
| shift | of the lens as Blender has it: [x, y]; [0, 0] without |
| center | instead of shift: the principal point, [x, y] px |
| distortion | radial, as OpenCV and Blender have it: [k1, k2, k3]; zeros without |
| first_frame | the number of the first matrix's frame, which belongs to the footage's first frame; 1 without |
| axes | of the camera: "opencv" (x right, y down, z ahead; without) or "blender" (x right, y up, z back; also OpenGL, USD, Maya) |
| up | of the world: "z" (without) or "y" |
| unit | metres a unit of length; 1 without |
| floor | the floor's height along `up` in units of length, 0 without; null if it is not known |
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..array_types import FloatArray
from ..conventions import BLENDER_CAMERA_FROM_OPENCV
from ..errors import InputError
from ..focal_length import is_plausible_in_pixels
from ..known_camera import SENSOR_FITS, KnownCamera, blender_lens
from .input_file import parse_json, read_json

SUFFIX = ".json"
MAX_FRAMES = 200_000
_MAX_PLACE, _MAX_PIXELS = 1e5, 1e6  # m, px
_SKEW_TOLERANCE = 0.02  # how far a matrix's axes may be from perpendicular and of one length
_REMEDY = "See the documentation of camera files, or give the scene that has the camera."
_Z_UP_FROM_Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def read_camera_file(path: str | Path) -> KnownCamera:
    """Read a camera file.

    Raises:
        InputError: it cannot be read, or is no camera's.
    """
    try:
        content = read_json(path, encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            "camera-file-not-readable", "{name} cannot be read: {reason}.", "Check the path.", name=path, reason=error.strerror or error
        ) from error
    except ValueError as error:
        raise _not_a_camera(str(path), str(error)) from error
    return camera_from_json(content, Path(path).name)


def camera_from_text(text: str, source: str = "") -> KnownCamera:
    """The camera of a JSON text, as `camera_to_text` writes it. Raises InputError."""
    try:
        return camera_from_json(parse_json(text), source)
    except ValueError as error:
        raise _not_a_camera(source, str(error)) from error


def camera_from_json(content: Any, source: str = "") -> KnownCamera:
    """The camera of a camera file's content; source: what to call it. Raises InputError."""
    try:
        if not isinstance(content, Mapping):
            raise ValueError("it is no object in braces")
        camera = _build(content, str(content.get("source", source)))
    except KeyError as error:
        raise _not_a_camera(source, f"{error.args[0]} is missing") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_a_camera(source, str(error)) from error
    if not all(is_plausible_in_pixels(float(focal), camera.image_size.tolist()) for focal in camera.focal):
        raise _not_a_camera(source, "no lens has this focal length")
    return camera


def camera_to_text(camera: KnownCamera) -> str:
    """A camera as the text of a camera file."""
    content = {
        "source": camera.source,
        "image_size": camera.image_size.tolist(),
        "first_frame": camera.first_frame,
        "focal_px": _rounded(camera.focal, 4),
        "center": _rounded(camera.center, 4),
        "distortion": camera.distortion.tolist(),
        "floor": camera.floor,
        "world_from_camera": _rounded(camera.world_from_camera, 9),
    }
    return json.dumps(content, separators=(",", ":"))


def _rounded(values: FloatArray, digits: int) -> list[Any]:
    """The values of each frame as numbers of few digits; of the first alone if all are the same."""
    is_constant = not np.ptp(values, axis=0).any()
    return list(np.round(values[:1] if is_constant else values, digits).tolist())


def _not_a_camera(name: str, reason: str) -> InputError:
    return InputError("camera-file-wrong", "{name} holds no camera: {reason}.", _REMEDY, name=name, reason=reason)


def _build(content: Mapping[str, Any], source: str) -> KnownCamera:
    """The camera of a file's content. Raises ValueError, TypeError or KeyError."""
    size = _numbers(content, "image_size", 2)[0]
    if not ((size >= 1) & (size <= _MAX_PIXELS)).all():
        raise ValueError("image_size has no sides in pixels")
    unit = _number(content, "unit", 1.0)
    if not 1e-6 < unit < 1e6:
        raise ValueError("unit is no length in metres")
    matrices = _world_from_camera(content, unit)
    focal, center = _lens(content, size)
    frames = max(len(matrices), len(focal), len(center))
    distortion = np.zeros(3)
    given = np.asarray(content.get("distortion", ()), float)
    if given.ndim != 1 or len(given) > 3 or not (np.abs(given) < 100).all():
        raise ValueError("distortion is not [k1, k2, k3]")
    distortion[: len(given)] = given
    floor = content.get("floor", 0.0)
    return KnownCamera(
        world_from_camera=_of_frames(matrices, frames, "world_from_camera"),
        focal=_of_frames(focal, frames, "focal length"),
        center=_of_frames(center, frames, "center"),
        image_size=size,
        distortion=distortion,
        first_frame=int(_number(content, "first_frame", 1)),
        floor=None if floor is None else unit * _number(content, "floor", 0.0),
        source=source,
    )


def _of_frames(values: FloatArray, frames: int, name: str) -> FloatArray:
    """Values (N,...) of all frames; a single one is that of each."""
    if len(values) == 1:
        return np.repeat(values, frames, axis=0)
    if len(values) != frames:
        raise ValueError(f"it has {frames} frames, and {len(values)} of {name}")
    return values


def _number(content: Mapping[str, Any], key: str, default: float) -> float:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MAX_PIXELS:
        raise ValueError(f"{key} is no number")
    return float(value)


def _numbers(content: Mapping[str, Any], key: str, *shape: int) -> FloatArray:
    """Numbers of one shape, or one of it a frame: (N, *shape). Raises ValueError or KeyError."""
    try:
        values = np.asarray(content[key], float)
    except (TypeError, ValueError):
        raise ValueError(f"{key} holds other things than numbers") from None
    values = values[None] if values.shape == shape else values
    if values.shape[1:] != shape or not 1 <= len(values) <= MAX_FRAMES or not np.isfinite(values).all():
        raise ValueError(f"{key} has not the right count of numbers")
    return values


def _world_from_camera(content: Mapping[str, Any], unit: float) -> FloatArray:
    """(N,4,4), OpenCV axes, z up, m: a scale of the matrices is left out."""
    matrices = _numbers(content, "world_from_camera", 4, 4)
    turn, places = matrices[:, :3, :3], unit * matrices[:, :3, 3]
    size = np.cbrt(np.linalg.det(turn))
    if not (size > 1e-9).all() or not np.allclose(matrices[:, 3], [0, 0, 0, 1], atol=1e-6):
        raise ValueError("world_from_camera is no turn and place")
    turn = turn / size[:, None, None]
    if np.abs(np.swapaxes(turn, -1, -2) @ turn - np.eye(3)).max() > _SKEW_TOLERANCE:
        raise ValueError("world_from_camera is skewed")
    if np.abs(places).max() > _MAX_PLACE:
        raise ValueError("the camera is too far away")
    left, _scales, right = np.linalg.svd(turn)
    turn = left @ right
    if _word(content, "axes", ("opencv", "blender")) == "blender":
        turn = turn @ BLENDER_CAMERA_FROM_OPENCV
    if _word(content, "up", ("z", "y")) == "y":
        turn, places = _Z_UP_FROM_Y_UP @ turn, places @ _Z_UP_FROM_Y_UP.T
    result = np.tile(np.eye(4), (len(turn), 1, 1))
    result[:, :3, :3], result[:, :3, 3] = turn, places
    return result


def _word(content: Mapping[str, Any], key: str, words: tuple[str, ...]) -> str:
    word = content.get(key, words[0])
    if word not in words:
        raise ValueError(f"{key} is none of {', '.join(words)}")
    return word


def _lens(content: Mapping[str, Any], size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Focal length (N,) and principal point (N,2), px."""
    fit = _word(content, "sensor_fit", SENSOR_FITS)
    sensor = (_number(content, "sensor_width", 36.0), _number(content, "sensor_height", 24.0))
    if min(sensor) <= 0:
        raise ValueError("the sensor has no size")
    shift = _numbers(content, "shift", 2) if "shift" in content else np.zeros((1, 2))
    if "focal_px" in content:
        focal = _numbers(content, "focal_px")
        centers = [blender_lens(1.0, sensor, fit, (float(x), float(y)), size)[1] for x, y in shift]
    else:
        lens = _numbers(content, "focal_mm")
        count = max(len(lens), len(shift))
        lens, shift = _of_frames(lens, count, "focal_mm"), _of_frames(shift, count, "shift")
        rows = [blender_lens(float(mm), sensor, fit, (float(x), float(y)), size) for mm, (x, y) in zip(lens, shift, strict=True)]
        focal, centers = np.array([row[0] for row in rows]), [row[1] for row in rows]
    return focal, _numbers(content, "center", 2) if "center" in content else np.array(centers)
