"""The pins of the selected person in the view through the clip's camera: where joints were dragged to at the current frame.

A cross marks the place in the picture, and a line leads to it from the joint; a joint that is being dragged has a line to the pointer.
"""

from typing import NamedTuple

import bpy
import gpu
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

from ...core.array_types import FloatArray
from ...core.corrections import Pin
from ...core.errors import MeshRecError
from ...core.skeletons import SMPL_JOINTS
from ...scene.cameras.footage_clock import footage_clock, read_camera
from ...scene.context import pose_bones
from ...scene.corrections.corrections import get_corrections
from ...scene.person.confidence import bones_of_joints
from ...scene.takes.earlier_results import find_clip_camera
from ..blender_types import require, scene_of
from ..selection import result_armature

_COLOUR = (1.0, 0.62, 0.1, 1.0)
_CROSS, _LINE_WIDTH = 6.0, 2.0  # px at a scale of 1
_handles: list[object] = []


class Drag(NamedTuple):
    """A joint that is being dragged, and the pointer in the region, px."""

    joint: str
    pointer: tuple[float, float]


current_drag: Drag | None = None


def set_drag(drag: Drag | None) -> None:
    """Draw a joint that is being dragged from now on; None for none."""
    global current_drag
    current_drag = drag


def is_through_clip_camera(context: bpy.types.Context, person: bpy.types.Object) -> bool:
    """Whether a 3D view looks through the camera of a person's clip."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceView3D) or require(space.region_3d).view_perspective != "CAMERA":
        return False
    return space.camera is not None and space.camera == find_clip_camera(person)


def pins_at(person: bpy.types.Object, frame: int) -> list[Pin]:
    """The pins of a person at a frame of the timeline."""
    pins = get_corrections(person).pins
    if not pins:
        return []
    try:
        footage_frame = footage_clock(person).footage_frame(frame)
    except MeshRecError:
        return []
    return [pin for pin in pins if pin.frame == footage_frame]


def place_of_pixel(camera_object: bpy.types.Object, intrinsics: FloatArray, pixel: tuple[float, float]) -> Vector:
    """A place of the world, one unit in front of a camera of Blender, that it sees at a pixel of the footage."""
    x, y, _ = np.linalg.solve(np.asarray(intrinsics, float), [*pixel, 1.0])
    return camera_object.matrix_world @ Vector((x, -y, -1.0))


def register() -> None:
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    set_drag(None)


def _draw() -> None:
    context = bpy.context
    overlay = getattr(context.space_data, "overlay", None)
    person = result_armature(context)
    if overlay is None or not overlay.show_overlays or person is None or not is_through_clip_camera(context, person):
        return
    scale = require(context.preferences).system.ui_scale
    ends = [(joint, end, _CROSS * scale) for joint, end in _pinned_ends(context, person)]
    if current_drag is not None:
        ends.append((current_drag.joint, current_drag.pointer, 0.0))
    lines: list[tuple[float, float]] = []
    bones = pose_bones(person)
    names = {SMPL_JOINTS[joint]: name for name, joint in bones_of_joints(person).items()}
    for joint, (x, y), size in ends:
        if joint not in names:
            continue
        start = _on_screen(context, person.matrix_world @ bones[names[joint]].head)
        if start is not None:
            lines += [(start.x, start.y), (x, y)]
        lines += [(x - size, y - size), (x + size, y + size), (x - size, y + size), (x + size, y - size)] if size else []
    if lines:
        gpu.state.line_width_set(_LINE_WIDTH * scale)
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.uniform_float("color", _COLOUR)
        batch_for_shader(shader, "LINES", {"pos": lines}).draw(shader)
        gpu.state.line_width_set(1.0)


def _pinned_ends(context: bpy.types.Context, person: bpy.types.Object) -> list[tuple[str, tuple[float, float]]]:
    """Each pin of the current frame: its joint, and its place in the region, px."""
    pins = pins_at(person, scene_of(context).frame_current)
    camera, camera_object = (read_camera(person), find_clip_camera(person)) if pins else (None, None)
    if camera is None or camera_object is None:
        return []
    places = [(pin.joint, _on_screen(context, place_of_pixel(camera_object, camera.intrinsics, pin.pixel))) for pin in pins]
    return [(joint, (place.x, place.y)) for joint, place in places if place is not None]


def _on_screen(context: bpy.types.Context, place: Vector) -> Vector | None:
    return location_3d_to_region_2d(context.region, context.space_data.region_3d, place)  # pyrefly: ignore
