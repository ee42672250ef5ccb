"""The length of a scene's unit: some files are made in centimetres, with a unit scale of 0.01."""

import bpy
import numpy as np

from ..core.array_types import FloatArray
from .context import active_scene


def metres_per_unit(obj: bpy.types.Object) -> float:
    """Metres a unit of the current scene; 1 for MeshRec's own people, which are in metres whatever the scene says."""
    if "betas" in obj or (obj.parent is not None and "betas" in obj.parent):
        return 1.0
    settings = active_scene().unit_settings
    return 1.0 if settings.system == "NONE" else float(f"{settings.scale_length:.6g}")  # Blender stores a 32-bit number


def world_in_metres(obj: bpy.types.Object) -> FloatArray:
    """The matrix (4,4) of an object in a world in metres."""
    matrix = np.array(obj.matrix_world)
    matrix[:3] *= metres_per_unit(obj)
    return matrix
