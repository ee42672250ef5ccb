"""Footage to scrub before it is reconstructed: an image empty that follows the timeline; and which of its frames the playhead shows."""

import math
from pathlib import Path
from typing import Any

import bpy

from ..context import assigned_action
from ..free_names import free_name
from ..takes.earlier_results import FOOTAGE_PROPERTY
from ..takes.takes import FIRST_FOOTAGE_FRAME, FIRST_FRAME
from ..unit_scale import scene_unit

PREVIEW_PROPERTY = "meshrec_preview"  # of the empty: the path of its footage
_HEIGHT = 2.0  # m


def find_preview(scene: bpy.types.Scene, footage: str) -> bpy.types.Object | None:
    """The image empty that shows some footage."""
    return next((obj for obj in scene.objects if obj.get(PREVIEW_PROPERTY) == footage), None)


def show_preview(scene: bpy.types.Scene, footage: str, picture: str, frames: int, start: int) -> bpy.types.Object:
    """Make an image empty that shows footage, its first frame at a frame of the timeline.

    Args:
        footage: the path that results store. picture: the video, or the first image of a folder. frames: their number.

    Raises:
        RuntimeError: Blender cannot read the file.
    """
    image = bpy.data.images.load(picture, check_existing=True)
    if image.source == "FILE" and frames > 1:
        image.source = "SEQUENCE"
    empty = bpy.data.objects.new(free_name(f"{Path(footage).stem} footage", bpy.data.objects), None)
    empty.empty_display_type = "IMAGE"
    shown: Any = empty  # the stub has no images among the data of objects
    shown.data = image
    empty.rotation_euler.x = math.pi / 2  # upright, and seen from the front
    empty.empty_display_size = _HEIGHT / scene_unit(scene)
    empty.location.z = empty.empty_display_size / 2
    empty.empty_image_side = "FRONT"
    user = empty.image_user
    user.frame_start, user.frame_duration, user.frame_offset, user.use_auto_refresh = start, max(1, frames), 0, True
    empty[PREVIEW_PROPERTY] = footage
    scene.collection.objects.link(empty)
    return empty


def remove_preview(preview: bpy.types.Object) -> None:
    """Remove an image empty, and its image if nothing else shows it."""
    image = preview.data
    bpy.data.objects.remove(preview)
    if isinstance(image, bpy.types.Image) and image.users == 0:
        bpy.data.images.remove(image)


def align_preview(scene: bpy.types.Scene, footage: str, first_frame: int, first_footage_frame: int) -> None:
    """Let the preview of footage show the frames of a result; first_footage_frame: at `first_frame`, counted from 0."""
    preview = find_preview(scene, footage)
    if preview is not None:
        preview.image_user.frame_start, preview.image_user.frame_offset = first_frame, first_footage_frame


def footage_frame_at(scene: bpy.types.Scene, footage: str, rates: tuple[float, float], first_key: int | None = None) -> int:
    """The frame of footage, counted from 1, that the playhead shows: of a result, else of the preview, else of a result to come.

    Args:
        rates: frames a second of the footage (0 if unknown) and of the timeline. first_key: where a result would begin; None for the
            scene's first frame.
    """
    played = [assigned_action(obj) for obj in scene.objects if obj.get(FOOTAGE_PROPERTY) == footage]
    take = next((action for action in played if action is not None and FIRST_FRAME in action), None)
    preview = find_preview(scene, footage)
    if take is None and preview is not None:
        user = preview.image_user
        return scene.frame_current - user.frame_start + 1 + user.frame_offset
    start, offset = (scene.frame_start if first_key is None else first_key), 0
    if take is not None:
        start, offset = take[FIRST_FRAME], take[FIRST_FOOTAGE_FRAME]
    speed = rates[0] / rates[1] if rates[0] > 0 else 1.0
    return offset + 1 + round((scene.frame_current - start) * speed)
