"""OpenCV's FileStorage (.yml, .xml) with the calibration of cameras: matrices by name, of one camera or of several.

The names of OpenCV's samples and of EasyMocap are known: K, camera_matrix, M1, cameraMatrix_0; D, dist, distortion_coefficients; R (turn
or rotation vector), Rot, rvec; T, t, tvec. What stands before or behind the part's name, or the map it is in, names the camera.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from ...array_types import FloatArray
from ...camera_calibration import CalibratedCamera
from .opencv_camera import opencv_camera, with_metres
from .xml_text import parse_xml

MAX_VALUES = 4096  # of a matrix
_PARTS = {
    "matrix": ("camera_matrix", "cameramatrix", "intrinsics", "intrinsic", "k", "m", "mtx"),
    "distortion": ("distortion_coefficients", "distcoeffs", "dist_coeffs", "distortion", "distortions", "dist", "d"),
    "rotation": ("rotation_matrix", "rotation", "rvec", "rot", "r"),
    "translation": ("translation_vector", "translation", "tvec", "trans", "t"),
    "size": ("image_size", "imagesize", "imgsize", "size"),
}
_SIDES = {"image_width": "width", "width": "width", "w": "width", "image_height": "height", "height": "height", "h": "height"}
_NAMES = {name: part for part, names in _PARTS.items() for name in names}
_ANY_NAME = "|".join(sorted(_NAMES, key=len, reverse=True))
_SPLIT = re.compile(rf"^(?P<before>|.*?[_.])(?P<part>{_ANY_NAME})(?P<after>(?:[_.-].*|\d*))$", re.IGNORECASE)
_YAML_KEY = re.compile(r"^(\s*)([\w.-]+)\s*:\s*(.*)$")


class _Value(NamedTuple):
    """A matrix or a number of a storage: the names of the maps that it is in, and its own last."""

    path: tuple[str, ...]
    numbers: FloatArray


def parse_opencv_yaml(text: str) -> list[CalibratedCamera]:
    """The cameras of a .yml. Raises ValueError."""
    return _cameras(_yaml_values(text))


def parse_opencv_xml(text: str) -> list[CalibratedCamera]:
    """The cameras of an .xml. Raises ValueError."""
    return _cameras(_xml_values(parse_xml(text), ()))


def _cameras(values: Iterator[_Value]) -> list[CalibratedCamera]:
    """The cameras of the values of a storage."""
    parts, sides = _parts_by_camera(values)
    shared_size = _size(parts.get("", {}), sides)
    _place_stereo_pair(parts)
    cameras = [
        opencv_camera(
            camera or "1", found["matrix"], found.get("distortion", ()), found.get("rotation", np.zeros(3)),
            found.get("translation", np.zeros(3)), found.get("size", shared_size),
        )
        for camera, found in parts.items()
        if "matrix" in found
    ]  # fmt: skip
    if len(cameras) > 1 and any("rotation" not in parts[camera] or "translation" not in parts[camera] for camera in _placed(parts)[1:]):
        raise ValueError("cameras have no rotation (R) or translation (T)")
    return with_metres(cameras)


def _parts_by_camera(values: Iterator[_Value]) -> tuple[dict[str, dict[str, FloatArray]], dict[str, FloatArray]]:
    """The parts of _PARTS by camera, "" for what all share, and the sides of the picture that are named apart."""
    parts: dict[str, dict[str, FloatArray]] = {}
    sides: dict[str, FloatArray] = {}
    for value in values:
        name = value.path[-1]
        if name.lower() in _SIDES and value.numbers.size == 1:
            sides[_SIDES[name.lower()]] = value.numbers
            continue
        match = _SPLIT.match(name)
        if match is None:
            continue
        words = (word.strip("_.-") for word in (*value.path[:-1], match["before"], match["after"]))
        found = parts.setdefault(".".join(word for word in words if word), {})
        part = _NAMES[match["part"].lower()]
        # EasyMocap's R is a rotation vector and Rot its matrix: either will do.
        if part not in found or value.numbers.size == 9:
            found[part] = value.numbers
    return parts, sides


def _place_stereo_pair(parts: dict[str, dict[str, FloatArray]]) -> None:
    """Of OpenCV's stereo calibration, whose one R and T take the first camera's axes to the second's, place the second camera."""
    both, names = parts.get("", {}), _placed(parts)
    if len(names) == 2 and "" not in names and "rotation" in both and "translation" in both and "rotation" not in parts[names[1]]:
        parts[names[0]] |= {"rotation": np.zeros(3), "translation": np.zeros(3)}
        parts[names[1]] |= {"rotation": both["rotation"], "translation": both["translation"]}


def _placed(parts: dict[str, dict[str, FloatArray]]) -> list[str]:
    return [camera for camera, found in parts.items() if "matrix" in found]


def _size(found: dict[str, FloatArray], sides: dict[str, FloatArray]) -> FloatArray | None:
    """The size (2,) px that all pictures have, or None."""
    if "size" in found:
        return found["size"]
    return None if len(sides) < 2 else np.concatenate([sides["width"].ravel(), sides["height"].ravel()])


def _xml_values(element: ElementTree.Element, path: tuple[str, ...]) -> Iterator[_Value]:
    for child in element:
        if child.find("data") is not None:
            yield _Value((*path, child.tag), _numbers(child.findtext("data") or ""))
        elif len(child):
            yield from _xml_values(child, (*path, child.tag))
        elif child.text and (numbers := _numbers_or_none(child.text)) is not None:
            yield _Value((*path, child.tag), numbers)


def _yaml_values(text: str) -> Iterator[_Value]:
    """The values of the part of YAML that FileStorage writes: maps by indentation, matrices, and lists and numbers in a line."""
    maps: list[tuple[int, str]] = []
    for line in _joined_lines(text):
        match = _YAML_KEY.match(line)
        if match is None or line.startswith("%"):
            continue
        indent, key, rest = len(match[1]), match[2], match[3].strip()
        maps = [entry for entry in maps if entry[0] < indent]
        path = tuple(name for _indent, name in maps)
        if rest.startswith("!!opencv-matrix") or (not rest and key != "data"):
            maps.append((indent, key))
        elif rest.startswith("["):
            yield _Value(path if key == "data" and path else (*path, key), _numbers(rest[1:].split("]", 1)[0]))
        elif key not in ("rows", "cols", "dt") and (numbers := _numbers_or_none(rest)) is not None:
            yield _Value((*path, key), numbers)


def _joined_lines(text: str) -> Iterator[str]:
    """The lines of a text, those of a list in brackets as one; a list that does not end is left out."""
    pending = ""
    for line in text.splitlines():
        pending = f"{pending} {line}" if pending else line
        if "[" not in pending or "]" in pending:
            yield pending
            pending = ""


def _numbers(words: str) -> FloatArray:
    numbers = _numbers_or_none(words)
    if numbers is None:
        raise ValueError("a matrix holds other things than numbers")
    return numbers


def _numbers_or_none(words: str) -> FloatArray | None:
    parts = words.replace(",", " ").split()
    if not parts or len(parts) > MAX_VALUES:
        return None
    try:
        return np.array([float(part) for part in parts])
    except ValueError:
        return None
