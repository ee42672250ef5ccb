"""Keys of existing actions: new curves, and keys that are replaced."""

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np

from ...core.array_types import FloatArray
from .keyframes import action_fcurves, action_slot, interpolation_values

IDENTITY_QUAT = (1.0, 0.0, 0.0, 0.0)


def curves_by_path(action: bpy.types.Action, owner: bpy.types.ID) -> dict[tuple[str, int], bpy.types.FCurve]:
    """The curves with which an action animates `owner`, by their RNA path and index."""
    return {(fcurve.data_path, fcurve.array_index): fcurve for fcurve in action_fcurves(action, owner)}


def ensure_fcurve(action: bpy.types.Action, owner: bpy.types.ID, path: str, group: str, index: int = 0) -> bpy.types.FCurve:
    """The curve of an RNA path, which is added to the action if it has none."""
    found = curves_by_path(action, owner).get((path, index))
    if found is not None:
        return found
    if not hasattr(action, "slots"):  # Blender 4.2 and 4.3
        return action.fcurves.new(path, index=index, action_group=group)
    animation: Any = owner.animation_data_create()
    strips: list[Any] = [strip for layer in action.layers for strip in layer.strips]
    slot = animation.action_slot if animation.action == action else action_slot(action, owner.id_type)
    bag = strips[0].channelbag(slot, ensure=True)
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves.new(path, index=index, group_name=group)
    fcurve = bag.fcurves.new(path, index=index)
    fcurve.group = bag.groups.get(group) or bag.groups.new(group)
    return fcurve


def set_keys(fcurve: bpy.types.FCurve, frames: FloatArray, values: FloatArray, interpolation: str = "LINEAR") -> None:
    """Let a curve have keys of values (N,) at frames (N,) of the timeline and no others; keys at the same frames keep their type."""
    points = fcurve.keyframe_points
    coordinates = np.empty((len(frames), 2), np.float32)
    coordinates[:, 0], coordinates[:, 1] = frames, values
    if len(points) == len(frames):
        before = np.empty(2 * len(points), np.float32)
        points.foreach_get("co", before)
        if np.abs(before[::2] - frames).max(initial=0.0) < 1e-3:
            points.foreach_set("co", coordinates.ravel())
            fcurve.update()
            return
    points.clear()
    points.add(len(frames))
    points.foreach_set("co", coordinates.ravel())
    points.foreach_set("interpolation", np.full(len(frames), interpolation_values()[interpolation], np.int32))
    fcurve.update()


def evaluate_curve(
    curves: Mapping[tuple[str, int], bpy.types.FCurve], path: str, index: int, frames: FloatArray, default: float
) -> FloatArray:
    """The values (F,) of a curve at frames (F,); a default where there is no such curve."""
    fcurve = curves.get((path, index))
    return np.full(len(frames), default) if fcurve is None else np.array([fcurve.evaluate(frame) for frame in frames])


def evaluate_vector(
    curves: Mapping[tuple[str, int], bpy.types.FCurve], path: str, frames: FloatArray, default: Sequence[float] = IDENTITY_QUAT
) -> FloatArray:
    """The values (F,N) of the N curves of a vector, or by default of a quaternion, at frames (F,); those of `default` without curves."""
    return np.stack([evaluate_curve(curves, path, index, frames, value) for index, value in enumerate(default)], -1)
