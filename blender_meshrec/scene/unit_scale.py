"""The length of a scene's unit: some files are made in centimetres, with a unit scale of 0.01."""

import bpy
import numpy as np

from ..core.array_types import FloatArray
from .context import active_scene

UNIT_PROPERTY = "meshrec_metres_per_unit"  # of an armature object that MeshRec has made


def metres_per_unit(obj: bpy.types.Object) -> float:
    """Metres a unit of the current scene; of MeshRec's own people, of the scene that they were made in."""
    for owner in (obj, obj.parent):
        if owner is not None and "betas" in owner:
            return owner.get(UNIT_PROPERTY, 1.0)
    return scene_unit(active_scene())


def scene_unit(scene: bpy.types.Scene) -> float:
    """Metres a unit of a scene."""
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else float(f"{settings.scale_length:.6g}")  # Blender stores a 32-bit number


def world_in_metres(obj: bpy.types.Object) -> FloatArray:
    """The matrix (4,4) of an object in a world in metres."""
    matrix = np.array(obj.matrix_world)
    matrix[:3] *= metres_per_unit(obj)
    return matrix
