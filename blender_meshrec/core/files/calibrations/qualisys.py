"""Calibrations of Qualisys Track Manager (.qca.txt): XML with lengths in mm and pixels in 64ths.

`transform` turns the world into the camera's axes, x right, y up and z back; its x, y and z are the camera's place. The conventions are
those that Pose2Sim's calib_qca_to_toml.py reads.
"""

import math
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np

from ...camera_calibration import CalibratedCamera
from ...cameras import rigid_transform
from .xml_text import parse_xml

SUBPIXELS = 64.0
_OPENCV_FROM_QUALISYS = np.diag([1.0, -1.0, -1.0])
_DISTORTIONS = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2", "radialDistortion3")


def parse_qualisys(text: str) -> list[CalibratedCamera]:
    """The cameras of a .qca.txt. Raises ValueError."""
    return [_camera(element) for element in parse_xml(text).iter("camera")]


def _camera(camera: ElementTree.Element) -> CalibratedCamera:
    transform, intrinsic, view = (_reader(camera, part) for part in ("transform", "intrinsic", "fov_video"))
    turn = np.array([[transform(f"r{row}{column}") for column in "123"] for row in "123"])
    turn = _OPENCV_FROM_QUALISYS @ turn
    place = np.array([transform(axis) for axis in "xyz"]) / 1000
    matrix = np.eye(3)
    corner = {"U": view("left"), "V": view("top")}
    for row, axis in enumerate("UV"):
        matrix[row, row] = intrinsic(f"focalLength{axis}") / SUBPIXELS
        matrix[row, 2] = intrinsic(f"centerPoint{axis}") / SUBPIXELS - corner[axis] + 0.5
    size = view("right") - view("left") + 1, view("bottom") - view("top") + 1
    # As in Pose2Sim, distortions are in 64ths too.
    distortion = np.array([intrinsic(name) for name in _DISTORTIONS]) / SUBPIXELS
    return CalibratedCamera(camera.get("serial", ""), matrix, rigid_transform(turn, -turn @ place), distortion, size)


def _reader(camera: ElementTree.Element, part: str) -> Callable[[str], float]:
    """A function of an attribute's name to its number in a part of a camera."""
    element = camera.find(part)
    if element is None:
        raise ValueError(f"the camera {camera.get('serial')} has no {part}")

    def read(key: str) -> float:
        value = float(element.get(key, "nan"))
        if not math.isfinite(value):
            raise ValueError(f"the camera {camera.get('serial')} has no {key} in its {part}")
        return value

    return read
