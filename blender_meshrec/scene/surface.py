"""The exact calibrated surface: a modifier that plays a point cache after the armature modifier.

If the modifier is disabled, the mesh is the skin that the bones move.
"""

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np

from ..core.array_types import FloatArray
from ..core.errors import InputError
from ..core.files.point_cache import read_point_cache
from .context import expect_type, mesh_data
from .keyframes import Curve, write_action
from .relative_paths import portable_relative_path

SURFACE_MODIFIER = "Calibrated surface"


def add_surface(mesh_object: bpy.types.Object, path: Path, frames: FloatArray) -> None:
    """Make a mesh object play the point cache `path`, one sample at each of the key frames (F,).

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
    modifier = expect_type(mesh_object.modifiers.new(SURFACE_MODIFIER, "MESH_CACHE"), bpy.types.MeshCacheModifier)
    modifier.cache_format = "PC2"
    modifier.filepath = blend_relative_path(path)
    modifier.deform_mode = "OVERWRITE"
    modifier.interpolation = "LINEAR"
    # Key the number of the sample: the clip's rate may vary, and the timeline's may be another.
    modifier.time_mode, modifier.play_mode = "FRAME", "CUSTOM"
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    sample_curve = Curve(f'modifiers["{SURFACE_MODIFIER}"].eval_frame', 0, np.arange(len(frames)), SURFACE_MODIFIER)
    write_action(mesh_object.name, mesh_object, frames, [sample_curve])


def surface_modifiers(objects: Iterable[bpy.types.Object]) -> list[bpy.types.MeshCacheModifier]:
    """The modifiers that play point caches, of objects that are not linked from a library."""
    local_objects = [obj for obj in objects if not obj.library]
    return [modifier for obj in local_objects for modifier in obj.modifiers if isinstance(modifier, bpy.types.MeshCacheModifier)]


def blend_relative_path(path: Path) -> str:
    """A path as the open file should store it: relative if that file is saved on the same disk, else as it is."""
    relative = portable_relative_path(str(path)) if bpy.data.filepath else None
    return relative or str(path)
