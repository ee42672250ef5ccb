"""Thumbnails of footage and pictures of people, as icons that panels draw."""

import hashlib

import bpy
import bpy.utils.previews
import numpy as np

_previews = None  # Blender's collection of pictures, made with the first


def thumbnail_icon(picture, is_video):
    """The icon of a file's thumbnail, which Blender makes in the background; 0 for none."""
    if bpy.app.background or not picture:
        return 0
    previews = _get_previews()
    if picture not in previews:
        previews.load(picture, picture, "MOVIE" if is_video else "IMAGE")
    return previews[picture].icon_id


def store_portrait(person, portrait):
    """Keep a picture with a FoundPerson, so that it goes with the .blend. portrait: (S,S,3) uint8 RGB, or None for none."""
    person.portrait_key = ""
    if portrait is None:
        return
    rows = np.concatenate([portrait[::-1], np.full((*portrait.shape[:2], 1), 255, np.uint8)], -1)  # Blender begins at the bottom
    pixels = np.ascontiguousarray(rows).view("<i4").ravel()
    person["portrait"] = pixels.tolist()
    person.portrait_key = hashlib.sha256(pixels.tobytes()).hexdigest()


def portrait_icon(person):
    """The icon of a FoundPerson's picture; 0 for none."""
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


def _get_previews():
    global _previews
    if _previews is None:
        _previews = bpy.utils.previews.new()
    return _previews


def free_previews():
    """Let go of the pictures."""
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
