"""Locks of the channels that a motion does not use, so that an artist cannot move a bone out of its joint by accident."""

from collections.abc import Iterable

import bpy

from ..context import pose_bones
from .keyframes import action_fcurves


def lock_unused_channels(armature_object: bpy.types.Object, action: bpy.types.Action, names: Iterable[str]) -> None:
    """Lock the location and the scale of each of these bones that an action does not key there, and unlock those that it keys."""
    keyed = {(fcurve.data_path, fcurve.array_index) for fcurve in action_fcurves(action, armature_object)}
    for bone in (pose_bones(armature_object)[name] for name in names):
        path = bone.path_from_id()
        bone.lock_location = _locks(f"{path}.location", keyed)
        bone.lock_scale = _locks(f"{path}.scale", keyed)


def _locks(path: str, keyed: set[tuple[str, int]]) -> tuple[bool, bool, bool]:
    return (path, 0) not in keyed, (path, 1) not in keyed, (path, 2) not in keyed
