"""The skin of a character's feet at rest, and the height of the floor under it: bones mark ankles and toes, not the thickness of soles."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import transform_points
from ...retarget.rig import SIDES, BoneMapping, Rig
from ...retarget.solve.foot_skin import FootSkin
from ...retarget.solve.rest_pose import RestPose
from ..context import mesh_data
from ..unit_scale import world_in_metres
from .rig_bones import descendant_rows, rest_heads_in_world
from .rig_file import meshes_of
from .rigid_meshes import bone_of_rigid_mesh, rest_matrix_of_rigid_mesh

_MIN_LEG_WEIGHT = 0.5  # the fraction of a vertex's weights that a foot's vertex has on the leg's bones below the knee
_MIN_FOOT_HEIGHT = 0.2  # as a fraction of the knee's height; ankles that are bones of IK are often at the sole
_POSITION_TOLERANCE = 1e-4  # as a fraction of the rig's size


@dataclass(frozen=True)
class _LegEnd:
    """The lower end of a leg at rest.

    shin, foot, toes, thigh, body: names of the bones that carry its skin, the last of all others. ankle, knee: heights along up, m.
    """

    shin: frozenset[str]
    foot: frozenset[str]
    toes: frozenset[str]
    thigh: frozenset[str]
    body: frozenset[str]
    ankle: float
    knee: float


def read_foot_skins(armature_object: bpy.types.Object, rig: Rig, mapping: BoneMapping) -> dict[str, FootSkin]:
    """The skin of each foot with the armature at rest, by side; feet without skin are left out.

    The skin of a shin below its ankle counts: some shoes, and the ends of legs without feet, follow the shin. So do meshes that are
    parented to a bone. What is farther above the ankle than the sole is below it, and is no low ankle's foot, is left out, unless it
    follows the foot most.
    """
    rest = RestPose(rig, mapping)
    up = rest.axes[:, 2]
    meshes = [obj for obj in meshes_of(armature_object, bpy.data.objects) if mesh_data(obj).vertices]
    skins: dict[str, FootSkin] = {}
    for side in SIDES:
        if not mapping.slots.get(f"{side}_lower_leg"):
            continue
        leg = _find_leg_end(rig, mapping, rest, side)
        found = [_leg_vertices(mesh, armature_object, leg, up) for mesh in meshes]
        points, weights = (np.concatenate(arrays) for arrays in zip(*found, strict=True)) if found else (np.empty((0, 3)),) * 2
        heights = points @ up
        if len(points):
            lowest = heights.min()
            kept = heights - lowest <= max(2 * (leg.ankle - lowest), _MIN_FOOT_HEIGHT * (leg.knee - lowest))
            kept |= weights[:, 1] > _MIN_LEG_WEIGHT
            shin, _foot, toes, thigh, body = weights[kept].T
            skins[side] = FootSkin(points[kept], toes, shin, thigh, body)
    return skins


def skin_floor_height(skins: Mapping[str, FootSkin]) -> float | None:
    """The height of the lowest skin of the feet, m in the world; None without such skin."""
    return min((float(skin.points[:, 2].min()) for skin in skins.values()), default=None)


def _find_leg_end(rig: Rig, mapping: BoneMapping, rest: RestPose, side: str) -> _LegEnd:
    shin, foot, toes, thigh = (mapping.slots.get(f"{side}_{part}", ()) for part in ("lower_leg", "foot", "toes", "upper_leg"))
    end = rest.stretch @ rest.segment_end(f"{side}_lower_leg", f"{side}_foot") + rest.origin
    joints = np.concatenate([end[None], rest_heads_in_world(rig, [rig.index(bone) for bone in (*foot, *toes)])])
    up = rest.axes[:, 2]
    foot_bones = skin_bones(rig, mapping, (*foot, *toes))
    shin_bones = skin_bones(rig, mapping, shin) - foot_bones
    thigh_bones = skin_bones(rig, mapping, thigh) - shin_bones - foot_bones
    deforming = {bone for bone, deforms in zip(rig.bones, rig.deform, strict=True) if deforms}
    return _LegEnd(
        shin=frozenset(shin_bones),
        foot=frozenset(foot_bones),
        toes=frozenset(skin_bones(rig, mapping, toes)),
        thigh=frozenset(thigh_bones),
        body=frozenset(deforming - foot_bones - shin_bones - thigh_bones),
        ankle=float((joints @ up).max()),
        knee=float((rest_heads_in_world(rig, [rig.index(shin[0])]) @ up)[0]),
    )


def skin_bones(rig: Rig, mapping: BoneMapping, bones: Iterable[str]) -> set[str]:
    """The names of the bones that carry the skin of mapped bones: these, those below them, and on a control rig those at them."""
    rows = [rig.index(bone) for bone in bones]
    names = {rig.bones[row] for row in descendant_rows(rig, rows)}
    return names | _deform_bones_at(rig, rows) if mapping.controls is not None else names


def _leg_vertices(
    mesh_object: bpy.types.Object, armature_object: bpy.types.Object, leg: _LegEnd, up: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The vertices of a mesh that end a leg, (N,3) m in the world, and their weights (N,5) on its shin, foot, toes, thigh and body.

    Those of the toes count for the foot, too, and all others are 1 in all.
    """
    bone = bone_of_rigid_mesh(mesh_object, armature_object)
    if bone is not None:
        positions = transform_points(rest_matrix_of_rigid_mesh(mesh_object, armature_object, bone), _vertex_positions(mesh_object))
        weights = np.tile(_shares(leg, {bone: 1.0}), (len(positions), 1))
        kept = np.full(len(positions), bone in leg.shin | leg.foot and not mesh_object.hide_render)
    else:
        positions = transform_points(world_in_metres(mesh_object), _vertex_positions(mesh_object))
        weights, kept = _weights_on_leg(mesh_object, leg, positions @ up)
    kept &= (weights[:, 1] > 0) | (positions @ up < leg.ankle)
    return positions[kept], weights[kept]


def _weights_on_leg(mesh_object: bpy.types.Object, leg: _LegEnd, heights: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Weights (N,5) of vertices at heights (N,) as of `_leg_vertices`, and whether each is mostly on the leg below its knee."""
    bones = leg.shin | leg.foot | leg.thigh | leg.body
    names = {group.index: group.name for group in mesh_object.vertex_groups if group.name in bones}
    weights, kept = np.zeros((len(heights), 5)), np.zeros(len(heights), bool)
    if not names:
        return weights, kept
    vertices = mesh_data(mesh_object).vertices
    for row in np.flatnonzero(heights < leg.knee).tolist():
        members = [(member.group, member.weight) for member in vertices[row].groups]
        shares = _shares(leg, {names[group]: weight for group, weight in members if group in names})
        on_leg = shares[0] + shares[1]
        if on_leg > 0 and on_leg >= _MIN_LEG_WEIGHT * sum(weight for _, weight in members):
            weights[row], kept[row] = shares / (shares.sum() - shares[2]), True
    return weights, kept


def _shares(leg: _LegEnd, weights: Mapping[str, float]) -> FloatArray:
    """The sums (5,) of weights, by bone, on the shin, on the foot with its toes, on the toes, on the thigh, and on the body."""
    parts = (leg.shin, leg.foot, leg.toes, leg.thigh, leg.body)
    return np.array([sum(weight for bone, weight in weights.items() if bone in bones) for bones in parts])


def _vertex_positions(mesh_object: bpy.types.Object) -> FloatArray:
    """The vertices (N,3) of a mesh, in its own units."""
    vertices = mesh_data(mesh_object).vertices
    positions = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", positions)
    return positions.reshape(-1, 3).astype(float)


def _deform_bones_at(rig: Rig, rows: Iterable[int]) -> set[str]:
    """The names of deforming bones whose heads coincide with those of other bones."""
    heads = rig.rest[:, :3, 3]
    tolerance = _POSITION_TOLERANCE * np.ptp(heads, axis=0).max()
    found: set[str] = set()
    for row in rows:
        distances = np.linalg.norm(heads - heads[row], axis=-1)
        found |= {rig.bones[other] for other in np.flatnonzero((distances < tolerance) & rig.deform)}
    return found
