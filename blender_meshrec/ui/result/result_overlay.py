"""What the editors draw over a result: a strip of its frames in the editors of time, and dots of confidence in the 3D view.

Nothing is drawn, and nothing of the scene is read but the selection, while no result is selected.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader

from ...core.body_contacts import SOLE_PARTS
from ...scene.context import pose_bones
from ...scene.corrections.contact_channels import contact_curve
from ...scene.person.confidence import bones_of_joints, confidence_colour, is_confidence_shown
from ...scene.takes.earlier_results import is_result
from ...scene.takes.frame_states import FrameStates, State, frame_states
from ...scene.takes.played_take import timeline_shift
from ..blender_types import require

SHOW_STRIP = "meshrec_show_strip"  # of an armature object
STATE_COLOURS = {State.SEEN: (0.30, 0.62, 0.36), State.DOUBTFUL: (0.94, 0.67, 0.20), State.FILLED_IN: (0.77, 0.21, 0.18)}
CONTACT_COLOURS = ((0.85, 0.35, 0.35), (0.85, 0.35, 0.35), (0.35, 0.55, 0.95), (0.35, 0.55, 0.95))  # left as Blender's X, right as its Z
_STATE_HEIGHT, _CONTACT_HEIGHT, _GAP = 7, 3, 2  # px at a scale of 1
_SCRUB_HEIGHT = 26  # px, the row of frame numbers at the top
_DOT_SIZE = 7.0  # px
_handles: list[tuple[Any, object]] = []  # (space, handle) of the registered functions


class Piece(NamedTuple):
    """A piece of the strip: from one frame to before another, in a row from the top, in a colour."""

    first: float
    end: float
    row: int
    colour: tuple[float, float, float]


def strip_pieces(states: FrameStates, contacts: Iterable[tuple[int, float, float]] = ()) -> list[Piece]:
    """The pieces of one person's strip: row 0 has the states of the frames, rows 1 to 4 the contacts of heels and toes.

    Args:
        contacts: (sole part, first frame, end) of each contact.
    """
    changes = np.flatnonzero(np.diff(states.states)) + 1
    starts = np.concatenate([[0], changes])
    frames = np.append(states.frames, states.frames[-1] + 1)
    ends = np.append(changes, len(states.states))
    pieces = [Piece(float(frames[a]), float(frames[b]), 0, STATE_COLOURS[State(int(states.states[a]))]) for a, b in zip(starts, ends)]
    return pieces + [Piece(first, end, 1 + part, CONTACT_COLOURS[part]) for part, first, end in contacts]


def contact_runs_of(armature_object: bpy.types.Object, last: float) -> list[tuple[int, float, float]]:
    """The contacts of heels and toes as their channels have them: (sole part, first frame, end); last: of the take."""
    runs: list[tuple[int, float, float]] = []
    shift = timeline_shift(armature_object)
    for row, part in enumerate(SOLE_PARTS):
        curve = contact_curve(armature_object, part)
        keys = [] if curve is None else [(key.co.x + shift, key.co.y > 0.5) for key in curve.keyframe_points]
        for (frame, is_on), (end, _) in zip(keys, [*keys[1:], (last + 1, False)]):
            if is_on:
                runs.append((row, frame, end))
    return runs


def drawn_results(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The results among the selected objects, the active one first."""
    chosen = dict.fromkeys([context.view_layer.objects.active if context.view_layer else None, *context.selected_objects])
    return [thing for thing in chosen if thing is not None and is_result(thing)]


def register() -> None:
    if bpy.app.background:  # nothing can be drawn
        return
    for space in (bpy.types.SpaceDopeSheetEditor, bpy.types.SpaceGraphEditor):
        _handles.append((space, space.draw_handler_add(_guarded(_draw_strips), (), "WINDOW", "POST_PIXEL")))
    _handles.append((bpy.types.SpaceView3D, bpy.types.SpaceView3D.draw_handler_add(_guarded(_draw_dots), (), "WINDOW", "POST_VIEW")))


def unregister() -> None:
    while _handles:
        space, handle = _handles.pop()
        space.draw_handler_remove(handle, "WINDOW")


def _guarded(draw: Callable[[bpy.types.Context], None]) -> Callable[[], None]:
    """A function for Blender to call, which leaves the state of the graphics card as it was."""

    def run() -> None:
        try:
            draw(bpy.context)
        finally:
            gpu.state.blend_set("NONE")
            gpu.state.depth_test_set("NONE")

    return run


def _draw_strips(context: bpy.types.Context) -> None:
    results = [rig for rig in drawn_results(context) if rig.get(SHOW_STRIP, True)]
    region = context.region
    if not results or region is None or context.space_data is None or not getattr(context.space_data, "show_region_header", True):
        return
    scale = require(context.preferences).system.ui_scale
    top = region.height - _SCRUB_HEIGHT * scale
    corners: list[tuple[float, float]] = []
    colours: list[tuple[float, float, float, float]] = []
    for rig in results:
        states = frame_states(rig)
        if states is None:
            continue
        for piece in strip_pieces(states, contact_runs_of(rig, float(states.frames[-1]))):
            height = (_STATE_HEIGHT if piece.row == 0 else _CONTACT_HEIGHT) * scale
            high = top - (0 if piece.row == 0 else _STATE_HEIGHT + (piece.row - 1) * _CONTACT_HEIGHT) * scale
            left = region.view2d.view_to_region(piece.first, 0, clip=False)[0]
            right = max(left + 1, region.view2d.view_to_region(piece.end, 0, clip=False)[0])
            a, b, c, d = (left, high - height), (right, high - height), (right, high), (left, high)
            corners += [a, b, c, a, c, d]
            colours += [(*piece.colour, 0.9)] * 6
        top -= (_STATE_HEIGHT + 4 * _CONTACT_HEIGHT + _GAP) * scale
    if corners:
        gpu.state.blend_set("ALPHA")
        shader = gpu.shader.from_builtin("FLAT_COLOR")
        batch_for_shader(shader, "TRIS", {"pos": corners, "color": colours}).draw(shader)


def _draw_dots(context: bpy.types.Context) -> None:
    overlay = getattr(context.space_data, "overlay", None)
    if overlay is None or not overlay.show_overlays:
        return
    points: list[tuple[float, float, float]] = []
    colours: list[tuple[float, float, float, float]] = []
    for rig in drawn_results(context):
        states = frame_states(rig) if is_confidence_shown(rig) and rig.mode != "EDIT" and rig.visible_get() else None
        if states is None or context.scene is None:
            continue
        confidence = states.confidence[states.row_at(context.scene.frame_current_final)]
        bones = pose_bones(rig)
        for name, joint in bones_of_joints(rig).items():
            place = rig.matrix_world @ bones[name].head
            points.append((place.x, place.y, place.z))
            colours.append((*confidence_colour(confidence[joint]).tolist(), 1.0))
    if points:
        gpu.state.depth_test_set("NONE")
        gpu.state.point_size_set(_DOT_SIZE * require(context.preferences).system.ui_scale)
        shader = gpu.shader.from_builtin("POINT_FLAT_COLOR" if bpy.app.version >= (4, 5, 0) else "FLAT_COLOR")
        batch_for_shader(shader, "POINTS", {"pos": points, "color": colours}).draw(shader)
