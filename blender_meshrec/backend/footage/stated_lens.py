"""The focal length that a file states, from EXIF or a container's tags, in px of the upright picture, and how sure that is."""

import contextlib
import math
import re
from collections.abc import Mapping, Sequence

from ...core.focal_length import is_plausible_equivalent, is_plausible_in_pixels, pixels_from_equivalent, read_focal_length
from .exif import Exif
from .frame_source import StatedLens

# Standard deviations of the logarithm of a stated focal length. Tags are whole millimetres; focusing and stabilisation make it longer.
STATED_SIGMA = 0.05
EDITED_SIGMA = 0.15  # of a picture that was cropped or resized, or zoomed digitally, after the tag's value was determined
MIN_DIGITAL_ZOOM = 1.01
SENSOR_RANGE = (2.5, 100.0)  # mm, the longer side, of cameras that state a sensor's resolution; beyond it, a picture was resized
SAME_SIZE = 1.5  # px; codecs round sides up
# 35 mm equivalents: Apple's key, which other apps for phones write too (27, 50.00mm).
_EQUIVALENT_TAG = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
# "iPhone 17 Pro 24mm" names a lens by its 35 mm equivalent; on other cameras this tag holds the name of the mounted lens.
_BLACKMAGIC_TAG, _PHONE_LENS = "com.blackmagic-design.camera.lenstype", re.compile(r"iPhone\b.*\s(\d+(?:\.\d+)?\s?mm)")


def lens_of_equivalent(equivalent: float, size: Sequence[float], sigma: float = STATED_SIGMA) -> StatedLens | None:
    """The lens of a 35 mm equivalent, mm, for a picture of size (width, height) px; None if there is no such lens."""
    return StatedLens(pixels_from_equivalent(equivalent, size), sigma) if is_plausible_equivalent(equivalent) else None


def lens_of_tags(tags: Mapping[str, str], size: Sequence[float]) -> StatedLens | None:
    """The lens of a video of size (width, height) px by its container's tags; None if they state none, or one that does not exist."""
    named = {name.lower(): value for name, value in tags.items()}
    phone = _PHONE_LENS.fullmatch(named.get(_BLACKMAGIC_TAG, "").strip())
    for text in (named.get(_EQUIVALENT_TAG, ""), phone[1] if phone else ""):
        with contextlib.suppress(ValueError):
            value, unit = read_focal_length(text)
            lens = lens_of_equivalent(value, size) if unit == "mm" else None
            if lens is not None:
                return lens
    return None


def lens_of_exif(exif: Exif, size: Sequence[float]) -> StatedLens | None:
    """The lens that a picture of size (width, height) px states in its EXIF; None if it states none, or one that does not exist.

    Its 35 mm equivalent counts before the focal length on the sensor, whose resolution is right in the camera's own file only: editors
    that resize a picture leave it as it was.
    """
    shot = _size_when_shot(exif, size)
    scale, is_resized = _scale_since(shot, size)
    focal = math.nan
    if is_plausible_equivalent(exif.equivalent):
        focal = pixels_from_equivalent(exif.equivalent, shot) * scale
    elif exif.has_maker_note and SENSOR_RANGE[0] <= max(exif.size) / (exif.pixels_per_mm or math.inf) <= SENSOR_RANGE[1]:
        focal = exif.focal_length * exif.pixels_per_mm * scale
    if not is_plausible_in_pixels(focal, size):
        return None
    is_unsure = is_resized or exif.digital_zoom > MIN_DIGITAL_ZOOM
    return StatedLens(focal, EDITED_SIGMA if is_unsure else STATED_SIGMA)


def _size_when_shot(exif: Exif, size: Sequence[float]) -> tuple[float, float]:
    """(width, height) px as the camera wrote it, upright; that of today, `size`, if it is not stated."""
    long, short = max(exif.size), min(exif.size)
    if short <= 0:
        return float(size[0]), float(size[1])
    return (long, short) if size[0] >= size[1] else (short, long)


def _scale_since(shot: Sequence[float], size: Sequence[float]) -> tuple[float, bool]:
    """(pixels of a picture of `size` for each when it was `shot`, whether it was cropped or resized), for the smallest crop possible."""
    is_same = all(abs(before - now) < SAME_SIZE for before, now in zip(shot, size, strict=True))
    return (1.0, False) if is_same else (max(now / before for before, now in zip(shot, size, strict=True)), True)
