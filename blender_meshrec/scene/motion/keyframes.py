"""Keyframes in bulk, for actions with slots (Blender 4.4 and later) and without, and the scene's timeline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import bpy
import numpy as np

from ...core.array_types import AnyArray, FloatArray, IntArray
from ...core.conventions import FIRST_BLENDER_FRAME, key_frames
from ..context import expect_type

_FRAME_TOLERANCE = 1e-3  # frames; a key this close to a whole frame is on it


@dataclass(frozen=True)
class Curve:
    """One f-curve: RNA path and array index, values (F,), name of its channel group, interpolation of its keys.

    Values of shape (1,) give one key, at the first frame. rows: (N,), which of the action's frames N values are at; the first N if None.
    """

    path: str
    index: int
    values: AnyArray
    group: str
    interpolation: str = "LINEAR"
    rows: IntArray | None = None


_FCurveFactory: TypeAlias = Callable[[Curve], bpy.types.FCurve]


def vector_curves(path: str, values: FloatArray, group: str) -> list[Curve]:
    """Curves of a vector or quaternion property: values (F,N)."""
    return [Curve(path, index, values[:, index], group) for index in range(values.shape[1])]


def write_action(name: str, owner: bpy.types.ID, frames: AnyArray, curves: Sequence[Curve]) -> bpy.types.Action:
    """Create an action that animates `owner`, and assign it.

    Args:
        owner: the object, camera or shape-key block to animate.
        frames: (F,) key positions on the timeline, fractions allowed.
        curves: each of F values, of one, or of those of its rows.
    """
    action = bpy.data.actions.new(name)
    new_fcurve = _assign_action(action, owner)
    coordinates = np.empty((len(frames), 2), np.float32)
    interpolations = interpolation_values()
    for curve in curves:
        count = len(curve.values)
        coordinates[:count, 0] = frames[:count] if curve.rows is None else frames[curve.rows]
        coordinates[:count, 1] = curve.values
        fcurve = new_fcurve(curve)
        fcurve.keyframe_points.add(count)
        fcurve.keyframe_points.foreach_set("co", coordinates[:count].ravel())
        fcurve.keyframe_points.foreach_set("interpolation", np.full(count, interpolations[curve.interpolation], np.int32))
        fcurve.update()
    return action


def interpolation_values() -> dict[str, int]:
    """The integer of each interpolation, which `foreach_set` takes in place of its name."""
    interpolation = expect_type(bpy.types.Keyframe.bl_rna.properties["interpolation"], bpy.types.EnumProperty)
    return {item.identifier: item.value for item in interpolation.enum_items}


def _assign_action(action: bpy.types.Action, owner: bpy.types.ID) -> _FCurveFactory:
    """Assign an empty action to `owner`; returns the function that adds an f-curve to it in this version of Blender."""
    animation = owner.animation_data_create()
    if not hasattr(action, "slots"):  # Blender 4.2 and 4.3
        animation.action = action
        fcurves = action.fcurves
        return lambda curve: fcurves.new(curve.path, index=curve.index, action_group=curve.group)
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    channelbag = _new_channelbag(action, slot)
    animation.action = action
    animation.action_slot = slot
    fcurves, groups = channelbag.fcurves, channelbag.groups
    if bpy.app.version >= (5, 0, 0):
        return lambda curve: fcurves.new(curve.path, index=curve.index, group_name=curve.group)

    def new_fcurve(curve: Curve) -> bpy.types.FCurve:
        fcurve = fcurves.new(curve.path, index=curve.index)
        fcurve.group = groups.get(curve.group) or groups.new(curve.group)
        return fcurve

    return new_fcurve


def _new_channelbag(action: bpy.types.Action, slot: "bpy.types.ActionSlot") -> Any:
    """The container of a slot's f-curves; untyped, because the arguments of its methods changed between Blender 4.4 and 5.0."""
    strip: Any = action.layers.new("Layer").strips.new(type="KEYFRAME")
    return strip.channelbag(slot, ensure=True)


def action_fcurves(action: bpy.types.Action, owner: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The f-curves with which an action animates `owner`."""
    if not hasattr(action, "slots"):  # Blender 4.2 and 4.3
        return list(action.fcurves)
    animation: bpy.types.AnimData | None = getattr(owner, "animation_data", None)
    if animation is None or animation.action != action:  # it plays in a strip, or not at all
        return slot_fcurves(action, owner.id_type)
    slot = animation.action_slot
    strips: list[Any] = [strip for layer in action.layers for strip in layer.strips] if slot else []
    return [fcurve for strip in strips if (bag := strip.channelbag(slot)) for fcurve in bag.fcurves]


def slot_fcurves(action: bpy.types.Action, kind: str) -> list[bpy.types.FCurve]:
    """The f-curves of an action for data blocks of a kind, such as "OBJECT", whether or not one plays it."""
    if not hasattr(action, "slots"):  # Blender 4.2 and 4.3
        return list(action.fcurves)
    slot = action_slot(action, kind)
    strips: list[Any] = [strip for layer in action.layers for strip in layer.strips] if slot is not None else []
    return [fcurve for strip in strips if (bag := strip.channelbag(slot)) for fcurve in bag.fcurves]


def action_slot(action: bpy.types.Action, kind: str) -> "bpy.types.ActionSlot | None":
    """The slot of an action for data blocks of a kind, in a Blender whose actions have slots; None if it has none."""
    return next((slot for slot in action.slots if slot.target_id_type in (kind, "UNSPECIFIED")), None)


def snapped_key_frames(timestamps: FloatArray, fps: float, first_frame: int = FIRST_BLENDER_FRAME) -> FloatArray:
    """Key frames first_frame + t * fps of timestamps (F,) s, snapped to whole frames where they differ only by rounding."""
    frames = key_frames(timestamps, fps) + (first_frame - FIRST_BLENDER_FRAME)
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < _FRAME_TOLERANCE, whole, frames)


def last_frame(frames: FloatArray) -> int:
    """The whole frame at or after the last of the key frames (F,)."""
    return int(np.ceil(frames[-1] - _FRAME_TOLERANCE))


def blender_rate(fps: float) -> tuple[int, float]:
    """A frame rate as Blender's pair (fps, fps_base): 23.976 is (24, 1.001)."""
    nominal = max(1, round(fps))
    return nominal, nominal / fps


def scene_fps(scene: bpy.types.Scene) -> float:
    """The frame rate of a scene; the inverse of `blender_rate`."""
    return scene.render.fps / scene.render.fps_base


def set_timeline(scene: bpy.types.Scene, fps: float, end: int, start: int = FIRST_BLENDER_FRAME) -> None:
    """Set a scene's frame rate and range to those of a clip, and go to its first frame."""
    scene.render.fps, scene.render.fps_base = blender_rate(fps)
    scene.frame_start, scene.frame_end = start, end
    scene.frame_set(start)
