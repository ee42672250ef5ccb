"""Meshes that follow one bone as a whole: robots and toys whose parts are parented to bones, without an armature modifier."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ..context import armature_data, armature_modifiers, pose_bones
from ..unit_scale import metres_per_unit


def bone_of_rigid_mesh(mesh_object: bpy.types.Object, armature_object: bpy.types.Object) -> str | None:
    """The bone of an armature that a mesh, or an object that it is a child of, is parented to; None if the armature deforms the mesh."""
    if any(modifier.object == armature_object for modifier in armature_modifiers(mesh_object)):
        return None
    obj: bpy.types.Object | None = mesh_object
    while obj is not None and obj.parent != armature_object:
        obj = obj.parent
    is_on_bone = obj is not None and obj.parent_type == "BONE" and obj.parent_bone in armature_data(armature_object).bones
    return obj.parent_bone if obj is not None and is_on_bone else None


def rest_matrix_of_rigid_mesh(mesh_object: bpy.types.Object, armature_object: bpy.types.Object, bone: str) -> FloatArray:
    """The matrix (4,4), in a world in metres, of a mesh that follows a bone, with the armature at rest."""
    armature_world, world = (np.array(obj.matrix_world) for obj in (armature_object, mesh_object))
    posed, rest = np.array(pose_bones(armature_object)[bone].matrix), np.array(armature_data(armature_object).bones[bone].matrix_local)
    matrix = armature_world @ rest @ np.linalg.inv(posed) @ np.linalg.inv(armature_world) @ world
    matrix[:3] *= metres_per_unit(mesh_object)
    return matrix
