"""F-curves of an action, in every version of Blender."""

import bpy
import numpy as np


def fcurves_of_action(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    """The f-curves of an action with one slot."""
    if hasattr(action, "slots"):
        return list(action.layers[0].strips[0].channelbag(action.slots[0]).fcurves)
    return list(action.fcurves)  # Blender 4.2 and 4.3


def fcurves_of(owner: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The f-curves of the action that a data block plays."""
    return fcurves_of_action(owner.animation_data.action)


def keys_of(owner: bpy.types.ID, path: str, index: int = 0) -> np.ndarray:
    """The keys (N,2) of a property: frames and values."""
    (fcurve,) = (fcurve for fcurve in fcurves_of(owner) if (fcurve.data_path, fcurve.array_index) == (path, index))
    return np.array([point.co for point in fcurve.keyframe_points])
