"""The exact calibrated surface: a modifier that plays a point cache after the armature modifier.

If the modifier is disabled, the mesh is the skin that the bones move.
"""

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.files.point_cache import read_point_cache
from ..context import assigned_action, expect_type, mesh_data
from ..export.relative_paths import portable_relative_path
from ..free_names import free_name
from ..motion.keyframes import Curve, write_action
from ..takes.takes import assign_action, is_edited, takes_of

SURFACE_MODIFIER = "Calibrated surface"
# Custom properties of a take's action: the modifier that plays its surface, and the action of the mesh that drives it.
_MODIFIER_PROPERTY, SURFACE_ACTION = "meshrec_surface", "meshrec_surface_action"


def add_surface(mesh_object: bpy.types.Object, path: Path, frames: FloatArray, take: bpy.types.Action | None = None) -> None:
    """Make a mesh object play the point cache `path`, one sample at each of the key frames (F,), as the surface of a take.

    Raises:
        InputError: the point cache cannot be read, or belongs to another mesh or clip.
    """
    num_samples, num_points = read_point_cache(path).shape[:2]
    num_vertices = len(mesh_data(mesh_object).vertices)
    if (num_samples, num_points) != (len(frames), num_vertices):
        raise InputError(
            "surface-of-another-mesh",
            "{name} holds {frames} frames of {points} points, {body} {keys} of {vertices}.",
            "Choose the body the surface was made with, or reconstruct with the exact surface again.",
            name=path.name,
            frames=num_samples,
            points=num_points,
            body=mesh_object.name,
            keys=len(frames),
            vertices=num_vertices,
        )
    _put_earlier_surface_aside(mesh_object)
    name = SURFACE_MODIFIER
    modifier = expect_type(mesh_object.modifiers.new(name, "MESH_CACHE"), bpy.types.MeshCacheModifier)
    modifier.cache_format = "PC2"
    modifier.filepath = blend_relative_path(path)
    modifier.deform_mode = "OVERWRITE"
    modifier.interpolation = "LINEAR"
    # Key the number of the sample: the clip's rate may vary, and the timeline's may be another.
    modifier.time_mode, modifier.play_mode = "FRAME", "CUSTOM"
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    sample_curve = Curve(f'modifiers["{name}"].eval_frame', 0, np.arange(len(frames)), SURFACE_MODIFIER)
    action = write_action(mesh_object.name if take is None else f"{take.name} surface", mesh_object, frames, [sample_curve])
    if take is not None:
        take[_MODIFIER_PROPERTY], take[SURFACE_ACTION] = name, action


def _put_earlier_surface_aside(mesh_object: bpy.types.Object) -> None:
    """Rename the surface of an edited take; that of a take that was not edited goes, because surfaces are large."""
    modifier, armature_object = mesh_object.modifiers.get(SURFACE_MODIFIER), mesh_object.parent
    if modifier is None or armature_object is None:
        return
    take = next((take for take in takes_of(armature_object) if take.get(_MODIFIER_PROPERTY) == SURFACE_MODIFIER), None)
    if take is not None and is_edited(armature_object, take):
        modifier.name = take[_MODIFIER_PROPERTY] = free_name(SURFACE_MODIFIER, mesh_object.modifiers)
        return
    action = assigned_action(mesh_object)
    mesh_object.modifiers.remove(modifier)
    assign_action(mesh_object, None)
    if take is not None:
        del take[_MODIFIER_PROPERTY], take[SURFACE_ACTION]
    if action is not None and action.users == 0:
        bpy.data.actions.remove(action)


def show_surface(mesh_object: bpy.types.Object, take: bpy.types.Action) -> None:
    """Let a mesh object play the surface of a take, and no surface of another one."""
    modifiers = surface_modifiers([mesh_object])
    for modifier in modifiers:
        modifier.show_viewport = modifier.show_render = modifier.name == take.get(_MODIFIER_PROPERTY)
    action = take.get(SURFACE_ACTION)
    if modifiers and action is not None:
        assign_action(mesh_object, action)


def surface_modifiers(objects: Iterable[bpy.types.Object]) -> list[bpy.types.MeshCacheModifier]:
    """The modifiers that play point caches, of objects that are not linked from a library."""
    local_objects = [obj for obj in objects if not obj.library]
    return [modifier for obj in local_objects for modifier in obj.modifiers if isinstance(modifier, bpy.types.MeshCacheModifier)]


def blend_relative_path(path: Path) -> str:
    """A path as the open file should store it: relative if that file is saved on the same disk, else as it is."""
    relative = portable_relative_path(str(path)) if bpy.data.filepath else None
    return relative or str(path)
