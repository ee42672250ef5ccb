"""Thumbnails of footage and portraits of people, as icons for panels."""

import hashlib
from typing import TYPE_CHECKING, Any

import bpy
import bpy.utils.previews
import numpy as np

from ...core.array_types import ImageArray

if TYPE_CHECKING:
    from ..properties import FoundPerson, Settings

# Of the settings: the pixels (N S S,) of the thumbnails of the list of people, of 4 bytes each, and the track and frame (2 N,) of each.
PEOPLE_IMAGES, PEOPLE_PLACES = "people_images", "people_places"
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
    person["portrait"], person.portrait_key = stored_form(portrait)


def stored_form(images: ImageArray) -> tuple[list[int], str]:
    """Images (...,S,S,3) uint8 RGB as custom properties hold them: their pixels (... S S,) of 4 bytes each, and a key of their content."""
    opaque = np.full((*images.shape[:-1], 1), 255, np.uint8)
    rgba = np.concatenate([images, opaque], -1)[..., ::-1, :, :]  # the rows of a Blender image begin at the bottom
    pixels = np.ascontiguousarray(rgba).view("<i4").ravel()
    return pixels.tolist(), hashlib.sha256(pixels.tobytes()).hexdigest()


def portrait_icon(person: "FoundPerson") -> int:
    """The icon of a person's portrait; 0 without a window or a portrait."""
    if bpy.app.background or not person.portrait_key:
        return 0
    previews = _get_previews()
    if person.portrait_key not in previews:
        _add_preview(previews, person.portrait_key, person["portrait"])
    return previews[person.portrait_key].icon_id


def people_icon(settings: "Settings", index: int) -> int:
    """The icon of a thumbnail of the list of people; 0 without a window."""
    if bpy.app.background or not settings.people_images_key:
        return 0
    previews, key = _get_previews(), f"{settings.people_images_key} {index}"
    if key not in previews:
        _add_preview(previews, key, stored_pixels(settings, index))
    return previews[key].icon_id


def blank_icon() -> int:
    """An icon that shows nothing; 0 without a window."""
    if bpy.app.background:
        return 0
    previews = _get_previews()
    if "blank" not in previews:
        _add_preview(previews, "blank", [0] * 4)
    return previews["blank"].icon_id


def stored_pixels(settings: "Settings", index: int) -> list[int]:
    """The pixels (S S,) of a stored thumbnail, as Blender's previews take them."""
    images = settings[PEOPLE_IMAGES]
    length = len(images) * 2 // len(settings[PEOPLE_PLACES])
    return list(images[index * length : (index + 1) * length])


def _add_preview(previews: "bpy.utils.previews.ImagePreviewCollection", key: str, pixels: Any) -> None:
    side = round(len(pixels) ** 0.5)
    preview = previews.new(key)
    preview.image_size = preview.icon_size = (side, side)
    preview.image_pixels = preview.icon_pixels = pixels


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
