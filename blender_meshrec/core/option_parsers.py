"""Parsers of option values on the command line; each raises argparse.ArgumentTypeError, whose text argparse shows to the user."""

import contextlib
import os
from argparse import ArgumentTypeError

from .focal_length import SENSOR_RANGE, read_focal_length

MAX_FPS = 1000  # frames per second
HEIGHT_RANGE = (50.0, 250.0)  # cm
FIND_FLOOR, MAX_FLOOR = "auto", 1e4  # m
MAX_FRAME = 1 << 20  # as in Blender


def parse_person(word: str) -> str:
    """Check that a word is `largest`, `all`, or a number from 1."""
    if word in ("largest", "all") or (word.isascii() and word.isdigit() and int(word) >= 1):
        return word
    raise ArgumentTypeError(f"{word} is neither largest nor all nor a number from 1")


def parse_frame_range(word: str) -> tuple[int, int | None]:
    """Parse `A:B` as (first, end); without A the range starts at 0, without B it has no end (None)."""
    first, colon, end = word.partition(":")
    try:
        if not colon:
            raise ValueError
        frames = (int(first or 0), int(end) if end else None)
    except ValueError:
        raise ArgumentTypeError(f"{word} is not a range such as 0:100") from None
    if frames[0] < 0 or (frames[1] is not None and frames[1] <= frames[0]):
        raise ArgumentTypeError(f"the range {word} is empty")
    return frames


def parse_fps(word: str) -> float:
    """Parse frames per second: a number, or a fraction such as 24000/1001."""
    numerator, _, denominator = word.partition("/")
    with contextlib.suppress(ValueError, ZeroDivisionError):
        fps = float(numerator) / float(denominator or 1)
        if 0 < fps <= MAX_FPS:
            return fps
    raise ArgumentTypeError(f"{word} is not a number of frames per second")


def parse_non_negative(word: str) -> float:
    """Parse a finite number that is not negative."""
    with contextlib.suppress(ValueError):
        if 0 <= float(word) < float("inf"):
            return float(word)
    raise ArgumentTypeError(f"{word} is not a number from 0")


def parse_focal_length(word: str) -> str:
    """Check that a word is a focal length such as 28mm or 1674px."""
    try:
        read_focal_length(word)
    except ValueError:
        raise ArgumentTypeError(f"{word} is no focal length such as 28mm or 1674px") from None
    return word


def parse_sensor(word: str) -> float:
    """Parse the width of a sensor, mm: 36 or 36mm."""
    with contextlib.suppress(ValueError):
        width = float(word.strip().lower().removesuffix("mm"))
        if SENSOR_RANGE[0] <= width <= SENSOR_RANGE[1]:
            return width
    raise ArgumentTypeError(f"{word} is no width of a sensor, {SENSOR_RANGE[0]:.0f} to {SENSOR_RANGE[1]:.0f} mm")


def read_floor(text: str) -> float | None:
    """The height of a floor such as `0.15`, m; None for FIND_FLOOR, one that is to be found. Raises ValueError."""
    if text.strip().lower() == FIND_FLOOR:
        return None
    height = float(text.strip().lower().removesuffix("m"))
    if not abs(height) <= MAX_FLOOR:
        raise ValueError(f"{text} is no height")
    return height


def parse_frame_number(word: str) -> int:
    """Parse the number of a frame of a scene, which may be negative."""
    with contextlib.suppress(ValueError):
        if abs(int(word)) <= MAX_FRAME:
            return int(word)
    raise ArgumentTypeError(f"{word} is no number of a frame")


def parse_floor(word: str) -> str:
    """Check that a word is a height of a floor such as 0.15, or auto."""
    try:
        read_floor(word)
    except ValueError:
        raise ArgumentTypeError(f"{word} is no height of a floor such as 0.15, nor auto") from None
    return word


def parse_heights(word: str) -> float | tuple[float, ...]:
    """Parse heights of people, cm: 182, 182cm, or one each such as 182,165; 0 for somebody in a list whose height is not known."""
    with contextlib.suppress(ValueError):
        heights = tuple(float(part.removesuffix("cm")) for part in word.lower().replace(",", " ").split())
        if any(heights) and all(height == 0 or HEIGHT_RANGE[0] <= height <= HEIGHT_RANGE[1] for height in heights):
            return heights[0] if len(heights) == 1 else heights
    raise ArgumentTypeError(f"{word} is no height of a person, {HEIGHT_RANGE[0]:.0f} to {HEIGHT_RANGE[1]:.0f} cm")


def parse_file(word: str) -> str:
    """The absolute path of a file to read."""
    return os.path.abspath(word)


def parse_cameras(word: str) -> str:
    """The absolute path of a calibration; `auto` stays as it is."""
    return word if word == "auto" else os.path.abspath(word)


def parse_model(word: str) -> str:
    """The path of a body or SKEL file from its path or the name the user gave it; `open` stays as it is."""
    if word == "open":
        return word
    from .files.user_models import resolve_model_path  # loads numpy, which --help does not need

    return resolve_model_path(word)
