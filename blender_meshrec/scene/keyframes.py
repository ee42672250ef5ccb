"""Keyframes in bulk, alike on actions with slots (Blender 4.4 and later) and without."""

from dataclasses import dataclass

import bpy
import numpy as np

from ..core.conventions import FIRST_BLENDER_FRAME, key_frames

_FRAME_TOLERANCE = 1e-3  # frames; keys this near a whole frame lie on it


@dataclass(frozen=True)
class Curve:
    """One animated value: an RNA path and its index, values (F,), the channel group it is shown in, how keys connect.

    A value that does not change may be given once, (1,): it gets one key, at the first frame.
    """

    path: str
    index: int
    values: np.ndarray
    group: str
    interpolation: str = "LINEAR"


def vector_curves(path, values, group):
    """Curves of a vector or quaternion property: values (F,N)."""
    return [Curve(path, index, values[:, index], group) for index in range(values.shape[1])]


def write_action(name, owner, frames, curves):
    """Key `owner` with curves that share their key frames; an action of that name is made and assigned.

    Args:
        owner: the object, camera or shape-key block that is animated.
        frames: (F,) key positions on the timeline, fractions allowed.
        curves: Curve objects, each of F values, or of one.
    """
    action = bpy.data.actions.new(name)
    fcurves, make = _curve_container(action, owner)
    flat = np.empty((len(frames), 2), np.float32)
    flat[:, 0] = frames
    kinds = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items
    for curve in curves:
        count = len(curve.values)
        flat[:count, 1] = curve.values
        fcurve = make(fcurves, curve)
        fcurve.keyframe_points.add(count)
        fcurve.keyframe_points.foreach_set("co", flat[:count].ravel())
        fcurve.keyframe_points.foreach_set("interpolation", np.full(count, kinds[curve.interpolation].value, np.int32))
        fcurve.update()
    return action


def _curve_container(action, owner):
    """Where an action keeps the curves of `owner`, and how to make one there; assigns the action."""
    animation = owner.animation_data_create()
    if not hasattr(action, "slots"):  # Blender 4.2 and 4.3
        animation.action = action
        return action.fcurves, lambda fcurves, curve: fcurves.new(curve.path, index=curve.index, action_group=curve.group)
    slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    channels = strip.channelbag(slot, ensure=True)
    animation.action = action
    animation.action_slot = slot
    if bpy.app.version >= (5, 0, 0):
        return channels.fcurves, lambda fcurves, curve: fcurves.new(curve.path, index=curve.index, group_name=curve.group)

    def make(fcurves, curve):
        fcurve = fcurves.new(curve.path, index=curve.index)
        fcurve.group = channels.groups.get(curve.group) or channels.groups.new(curve.group)
        return fcurve

    return channels.fcurves, make


def snapped_key_frames(timestamps, fps):
    """Key frames 1 + t * fps of timestamps (F,) s, whole where only rounding keeps them from it."""
    frames = key_frames(timestamps, fps)
    whole = np.round(frames)
    return np.where(np.abs(frames - whole) < _FRAME_TOLERANCE, whole, frames)


def last_frame(frames):
    """The whole frame by which the last of the keys (F,) has been played."""
    return int(np.ceil(frames[-1] - _FRAME_TOLERANCE))


def blender_rate(fps):
    """A frame rate as Blender's pair (fps, fps_base): 23.976 is (24, 1.001)."""
    nominal = max(1, round(fps))
    return nominal, nominal / fps


def set_timeline(scene, fps, end):
    """Give a scene the rate and the range of a clip, and stand at its first frame."""
    scene.render.fps, scene.render.fps_base = blender_rate(fps)
    scene.frame_start, scene.frame_end = FIRST_BLENDER_FRAME, end
    scene.frame_set(FIRST_BLENDER_FRAME)
