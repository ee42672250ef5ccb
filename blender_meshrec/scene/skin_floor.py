"""How high a character stands at rest, told by its skin: bones say where ankles and toes are, and not how thick a sole is."""

import bpy
import numpy as np

from ..retarget.rig import SIDES
from .rig_file import meshes_of

_MIN_FOOT_WEIGHT = 0.5  # a vertex belongs to a foot that has this much of its weights


def skin_floor_height(armature_object, rig, mapping):
    """The height of the lowest skin of the feet, m in the world, with the armature at rest; None where no skin tells.

    Args:
        rig: the armature's Rig. mapping: its BoneMapping.
    """
    feet = {bone for side in SIDES for part in ("foot", "toes") for bone in mapping.slots.get(f"{side}_{part}", ())}
    if not feet:
        return None
    rows = {rig.index(bone) for bone in feet}
    below = []
    for row, parent in enumerate(rig.parents):
        if parent in rows:
            rows.add(row)
        below.append(row in rows)
    names = {bone for bone, is_foot in zip(rig.bones, below) if is_foot}
    # Control rigs keep the bones that carry skin elsewhere: those that begin where the foot does.
    if mapping.controls is not None:
        names |= _same_place(rig, feet)
    heads = rig.rest[[rig.index(bone) for bone in feet], :3, 3] @ rig.world[:3, :3].T + rig.world[:3, 3]
    heights = [_lowest_vertex(mesh, names, heads[:, 2].max()) for mesh in meshes_of(armature_object, bpy.data.objects)]
    return min((height for height in heights if height is not None), default=None)


def _same_place(rig, bones):
    heads = rig.rest[:, :3, 3]
    near = 1e-4 * np.ptp(heads, axis=0).max()
    found = set()
    for bone in bones:
        apart = np.linalg.norm(heads - heads[rig.index(bone)], axis=-1)
        found |= {rig.bones[row] for row in np.flatnonzero((apart < near) & rig.deform)}
    return found


def _lowest_vertex(mesh, bones, ankle):
    """The lowest vertex of a mesh object, in the world, that mostly hangs from these bones."""
    groups = {group.index for group in mesh.vertex_groups if group.name in bones}
    vertices = mesh.data.vertices
    if not groups or not vertices:
        return None
    places = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", places)
    world = np.array(mesh.matrix_world)
    heights = places.reshape(-1, 3) @ world[2, :3] + world[2, 3]
    for row in np.argsort(heights):
        if heights[row] > ankle:
            return None
        weights = [(member.weight, member.group in groups) for member in vertices[int(row)].groups]
        total = sum(weight for weight, _ in weights)
        if total > 0 and sum(weight for weight, is_foot in weights if is_foot) >= _MIN_FOOT_WEIGHT * total:
            return float(heights[row])
    return None
