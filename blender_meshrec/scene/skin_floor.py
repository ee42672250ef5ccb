"""The floor height of a character at rest, from its skin: bones mark ankles and toes, but not the thickness of soles."""

from collections.abc import Container, Iterable

import bpy
import numpy as np

from ..core.array_types import FloatArray
from ..retarget.rig import SIDES, BoneMapping, Rig
from ..retarget.solve.foot_skin import FootSkin
from .context import mesh_data
from .rig_bones import descendant_rows, rest_heads_in_world
from .rig_file import meshes_of
from .unit_scale import world_in_metres

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


def read_foot_skins(armature_object: bpy.types.Object, rig: Rig, mapping: BoneMapping) -> dict[str, FootSkin]:
    """The skin of each foot with the armature at rest, by side; feet without skin, and what is far above the ankles, are left out."""
    skins: dict[str, FootSkin] = {}
    meshes = meshes_of(armature_object, bpy.data.objects)
    for side in SIDES:
        mapped = [*mapping.slots.get(f"{side}_foot", ()), *mapping.slots.get(f"{side}_toes", ())]
        if not mapped:
            continue
        feet, toes = _skin_bones(rig, mapping, mapped), _skin_bones(rig, mapping, mapping.slots.get(f"{side}_toes", ()))
        ankle_height = rest_heads_in_world(rig, [rig.index(bone) for bone in mapped])[:, 2].max()
        found = [_foot_vertices(mesh, feet, toes, ankle_height) for mesh in meshes]
        points = np.concatenate([np.empty((0, 3)), *(points for points, _ in found)])
        if len(points):
            skins[side] = FootSkin(points, np.concatenate([toe_weights for _, toe_weights in found]))
    return skins


def _skin_bones(rig: Rig, mapping: BoneMapping, bones: Iterable[str]) -> set[str]:
    """The names of the bones that carry the skin of mapped bones: these, those below them, and on a control rig those at them."""
    rows = [rig.index(bone) for bone in bones]
    names = {rig.bones[row] for row in descendant_rows(rig, rows)}
    return names | _deform_bones_at(rig, rows) if mapping.controls is not None else names


def _foot_vertices(
    mesh_object: bpy.types.Object, feet: Container[str], toes: Container[str], ankle_height: float
) -> tuple[FloatArray, FloatArray]:
    """The vertices that are weighted mostly to a foot's bones, (N,3) m in the world, and the toes' share (N,) of these weights."""
    foot_groups = {group.index for group in mesh_object.vertex_groups if group.name in feet}
    toe_groups = {group.index for group in mesh_object.vertex_groups if group.name in toes}
    positions = _positions_in_world(mesh_object)
    if not foot_groups or not len(positions):
        return np.empty((0, 3)), np.empty(0)
    vertices = mesh_data(mesh_object).vertices
    max_height = 2 * ankle_height - positions[:, 2].min()
    rows: list[int] = []
    toe_weights: list[float] = []
    for row in np.flatnonzero(positions[:, 2] <= max_height).tolist():
        on_foot, total = _weight_on(vertices[row], foot_groups)
        if on_foot > 0 and on_foot >= _MIN_FOOT_WEIGHT * total:
            rows.append(row)
            toe_weights.append(_weight_on(vertices[row], toe_groups)[0] / on_foot)
    return positions[rows].reshape(-1, 3), np.array(toe_weights)


def _weight_on(vertex: bpy.types.MeshVertex, groups: Container[int]) -> tuple[float, float]:
    """A vertex's weight on some groups, and on all."""
    weights = [(member.group, member.weight) for member in vertex.groups]
    return sum(weight for group, weight in weights if group in groups), sum(weight for _, weight in weights)


def _positions_in_world(mesh_object: bpy.types.Object) -> FloatArray:
    """The vertices (N,3) m of a mesh at rest."""
    vertices = mesh_data(mesh_object).vertices
    positions = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", positions)
    world = world_in_metres(mesh_object)
    return positions.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


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
    world = world_in_metres(mesh_object)
    heights = positions.reshape(-1, 3) @ world[2, :3] + world[2, 3]
    for row in np.argsort(heights):
        if heights[row] > max_height:
            return None
        weights = [(member.weight, member.group in groups) for member in vertices[int(row)].groups]
        total = sum(weight for weight, _ in weights)
        if total > 0 and sum(weight for weight, is_foot in weights if is_foot) >= _MIN_FOOT_WEIGHT * total:
            return float(heights[row])
    return None
