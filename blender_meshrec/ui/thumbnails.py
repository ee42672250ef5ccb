"""Thumbnails of footage and portraits of people, as icons for panels."""

import hashlib
from typing import TYPE_CHECKING

import bpy
import bpy.utils.previews
import numpy as np

from ..core.array_types import ImageArray

if TYPE_CHECKING:
    from .properties import FoundPerson

_previews: "bpy.utils.previews.ImagePreviewCollection | None" = None  # made with the first icon


def thumbnail_icon(path: str, is_video: bool) -> int:
    """The icon of a file's thumbnail, which Blender renders in the background; 0 without a window or a path."""
    if bpy.app.background or not path:
        return 0
    previews = _get_previews()
    if path not in previews:
        previews.load(path, path, "MOVIE" if is_video else "IMAGE")
    return previews[path].icon_id


def store_portrait(person: "FoundPerson", portrait: ImageArray | None) -> None:
    """Store a portrait as a property of `person`, so that the .blend contains it.

    portrait: (S,S,3) uint8 RGB, or None for none.
    """
    person.portrait_key = ""
    if portrait is None:
        return
    # The rows of a Blender image begin at the bottom.
    rgba = np.concatenate([portrait[::-1], np.full((*portrait.shape[:2], 1), 255, np.uint8)], -1)
    pixels = np.ascontiguousarray(rgba).view("<i4").ravel()
    person["portrait"] = pixels.tolist()
    person.portrait_key = hashlib.sha256(pixels.tobytes()).hexdigest()


def portrait_icon(person: "FoundPerson") -> int:
    """The icon of a person's portrait; 0 without a window or a portrait."""
    if bpy.app.background or not person.portrait_key:
        return 0
    previews = _get_previews()
    if person.portrait_key not in previews:
        pixels = person["portrait"]
        side = round(len(pixels) ** 0.5)
        preview = previews.new(person.portrait_key)
        preview.image_size = preview.icon_size = (side, side)
        preview.image_pixels = preview.icon_pixels = pixels
    return previews[person.portrait_key].icon_id


def free_previews() -> None:
    """Free the icons."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None


def _get_previews() -> "bpy.utils.previews.ImagePreviewCollection":
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    return _previews
