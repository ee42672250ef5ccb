"""The floor height of a character at rest, from its skin: bones mark ankles and toes, but not the thickness of soles."""

from collections.abc import Container, Iterable

import bpy
import numpy as np

from ..retarget.rig import SIDES, BoneMapping, Rig
from .context import mesh_data
from .rig_bones import descendant_rows, rest_heads_in_world
from .rig_file import meshes_of

_MIN_FOOT_WEIGHT = 0.5  # the fraction of a vertex's weights that a foot's vertex has on the foot's bones
_POSITION_TOLERANCE = 1e-4  # as a fraction of the rig's size


def skin_floor_height(armature_object: bpy.types.Object, rig: Rig, mapping: BoneMapping) -> float | None:
    """The height of the lowest skin of the feet, m in the world, with the armature at rest; None without such skin.

    Args:
        rig, mapping: of the armature.
    """
    feet = {bone for side in SIDES for part in ("foot", "toes") for bone in mapping.slots.get(f"{side}_{part}", ())}
    if not feet:
        return None
    foot_rows = [rig.index(bone) for bone in feet]
    bones = {rig.bones[row] for row in descendant_rows(rig, foot_rows)}
    if mapping.controls is not None:  # a control rig has the foot's deforming bones elsewhere in its hierarchy
        bones |= _deform_bones_at(rig, foot_rows)
    ankle_height = rest_heads_in_world(rig, foot_rows)[:, 2].max()
    heights = [_lowest_vertex(mesh, bones, ankle_height) for mesh in meshes_of(armature_object, bpy.data.objects)]
    return min((height for height in heights if height is not None), default=None)


def _deform_bones_at(rig: Rig, rows: Iterable[int]) -> set[str]:
    """The names of deforming bones whose heads coincide with those of other bones."""
    heads = rig.rest[:, :3, 3]
    tolerance = _POSITION_TOLERANCE * np.ptp(heads, axis=0).max()
    found: set[str] = set()
    for row in rows:
        distances = np.linalg.norm(heads - heads[row], axis=-1)
        found |= {rig.bones[other] for other in np.flatnonzero((distances < tolerance) & rig.deform)}
    return found


def _lowest_vertex(mesh_object: bpy.types.Object, bones: Container[str], max_height: float) -> float | None:
    """The height of the lowest vertex that is weighted mostly to these bones, m in the world; None above `max_height`."""
    groups = {group.index for group in mesh_object.vertex_groups if group.name in bones}
    vertices = mesh_data(mesh_object).vertices
    if not groups or not vertices:
        return None
    positions = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", positions)
    world = np.array(mesh_object.matrix_world)
    heights = positions.reshape(-1, 3) @ world[2, :3] + world[2, 3]
    for row in np.argsort(heights):
        if heights[row] > max_height:
            return None
        weights = [(member.weight, member.group in groups) for member in vertices[int(row)].groups]
        total = sum(weight for weight, _ in weights)
        if total > 0 and sum(weight for weight, is_foot in weights if is_foot) >= _MIN_FOOT_WEIGHT * total:
            return float(heights[row])
    return None
