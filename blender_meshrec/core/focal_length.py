"""Focal lengths as users and files give them: in 35 mm equivalents, in mm of a known sensor, or in pixels of the picture."""

import math
import re
from collections.abc import Sequence

from .errors import InputError

# The diagonal of 36 x 24 mm film, mm. "35 mm equivalents" compare diagonals, as in EXIF's FocalLengthIn35mmFilm and in makers' data sheets
# (CIPA DCG-001).
FILM_DIAGONAL = math.hypot(36.0, 24.0)
# Of lenses that exist, from fisheyes to telescopes: mm in 35 mm equivalents; and pixels, in diagonals of the picture.
EQUIVALENT_RANGE = (5.0, 3000.0)
DIAGONALS_RANGE = (0.2, 40.0)
SENSOR_RANGE = (1.0, 300.0)  # mm, the longer side, from the smallest phones to large-format film
_FOCAL_LENGTH = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(mm|px|)\s*", re.IGNORECASE | re.ASCII)
_REMEDY = "Give millimetres such as 28mm, or pixels such as 1674px."


def read_focal_length(text: str) -> tuple[float, str]:
    """A focal length such as `28mm`, `28` or `1674px`.

    Returns:
        the number, above 0, and its unit, "mm" or "px".

    Raises:
        ValueError: it is none.
    """
    match = _FOCAL_LENGTH.fullmatch(text)
    if match and 0 < float(match[1]) < math.inf:
        return float(match[1]), match[2].lower() or "mm"
    raise ValueError(f"{text} is no focal length")


def equivalent_from_pixels(focal: float, image_size: Sequence[float]) -> float:
    """A focal length in px as its 35 mm equivalent, mm; image_size: (width, height) px."""
    return focal / math.hypot(*image_size) * FILM_DIAGONAL


def pixels_from_equivalent(focal: float, image_size: Sequence[float]) -> float:
    """The inverse of `equivalent_from_pixels`."""
    return focal / FILM_DIAGONAL * math.hypot(*image_size)


def is_plausible_equivalent(focal: float) -> bool:
    """Whether there are lenses of this 35 mm equivalent, mm; nan is none."""
    return EQUIVALENT_RANGE[0] <= focal <= EQUIVALENT_RANGE[1]


def is_plausible_in_pixels(focal: float, image_size: Sequence[float]) -> bool:
    """Whether there are lenses of this focal length in px; nan is none."""
    return DIAGONALS_RANGE[0] <= focal / math.hypot(*image_size) <= DIAGONALS_RANGE[1]


def given_focal_length(text: str, sensor: float | None, image_size: Sequence[float]) -> float:
    """The focal length in px that a user gives.

    Args:
        text: as of `read_focal_length`. sensor: the length in mm of the sensor's longer side, which the picture's longer side covers, or
            None: then millimetres are 35 mm equivalents. image_size: (width, height) px of the upright picture.

    Raises:
        InputError: it is no focal length, or no lens has it.
    """
    try:
        value, unit = read_focal_length(text)
    except ValueError:
        raise InputError("focal-length-unreadable", "{text} is no focal length.", _REMEDY, text=text) from None
    if unit == "px":
        if is_plausible_in_pixels(value, image_size):
            return value
        low, high = (limit * math.hypot(*image_size) for limit in DIAGONALS_RANGE)
        raise InputError(
            "focal-length-pixels-implausible",
            "No lens has a focal length of {pixels:.5g} pixels: a picture of {width} x {height} can have {low:.0f} to {high:.0f}.",
            "Give the focal length in pixels of the upright picture, or in millimetres, such as 28mm.",
            pixels=value,
            width=image_size[0],
            height=image_size[1],
            low=low,
            high=high,
        )
    if sensor is not None and not SENSOR_RANGE[0] <= sensor <= SENSOR_RANGE[1]:
        raise InputError(
            "sensor-implausible",
            "No sensor is {sensor:.5g} mm wide: {low:.0f} to {high:.0f} mm are possible.",
            "Give the width of the sensor in millimetres, such as 23.5.",
            sensor=sensor,
            low=SENSOR_RANGE[0],
            high=SENSOR_RANGE[1],
        )
    focal = pixels_from_equivalent(value, image_size) if sensor is None else value / sensor * max(image_size)
    equivalent = equivalent_from_pixels(focal, image_size)
    if not is_plausible_equivalent(round(equivalent, 6)):
        raise InputError(
            "focal-length-implausible",
            "No lens has a focal length of {equivalent:.5g} mm in 35 mm equivalents: {low:.0f} to {high:.0f} mm are possible.",
            "Check the focal length and the sensor's width.",
            equivalent=equivalent,
            low=EQUIVALENT_RANGE[0],
            high=EQUIVALENT_RANGE[1],
        )
    return focal
