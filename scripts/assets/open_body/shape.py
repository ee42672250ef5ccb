"""The shape space and the joints: SMPL's v_template, shapedirs and J_regressor, from posed adults."""

import numpy as np

from blender_meshrec.core.skeletons import SMPL_JOINTS, mirror_indices

# SMPL's joints as weighted heads of anny's bones; the left side, "." stands for the side. Ours: chosen so that limb
# lengths and the spine's divisions agree with SMPL's proportions.
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


def centre_on_pelvis(vertices, bone_heads, bone_names, mirror):
    """SMPL's 24 joints of every adult, all made symmetric and moved so that the pelvis is the origin.

    Holding the pelvis fixed lets `transl` mean the same for every shape.

    Returns:
        vertices (S,V,3) and joints (S,24,3), float64, metres.
    """
    names = list(bone_names)
    joints = np.zeros((len(vertices), len(SMPL_JOINTS), 3))
    for row, joint in enumerate(SMPL_JOINTS):
        side = {"left": "L", "right": "R"}.get(joint.split("_")[0], "")
        for bone, share in JOINTS_OF_BONES[joint.split("_")[-1]].items():
            joints[:, row] += share * bone_heads[:, names.index(bone + side if bone.endswith(".") else bone)]
    joints = (joints + joints[:, JOINT_MIRROR] * FLIP) / 2
    origin = joints[:, :1].copy()
    vertices = vertices - origin
    return (vertices + vertices[:, mirror] * FLIP) / 2, joints - origin


def shape_space(vertices, mirror, count=10):
    """Principal components of the adults, scaled so that one unit of a beta is one standard deviation.

    Returns:
        v_template (V,3), shapedirs (V,3,count), betas (S,count) of the adults. More beta 0 is taller.
    """
    v_template = vertices.mean(axis=0)
    centred = (vertices - v_template).reshape(len(vertices), -1)
    strength, left = np.linalg.eigh(centred @ centred.T)
    order = np.argsort(strength)[::-1][:count]
    left, spread = left[:, order], np.sqrt(strength[order] / (len(vertices) - 1))
    directions = (centred.T @ left) / np.sqrt(len(vertices) - 1)
    # A component's sign is free: up for the highest vertex, so that beta 0 grows with stature.
    top = np.argmax(v_template[:, 1])
    sign = np.sign(directions.reshape(-1, 3, count)[top, 1])
    shapedirs = (directions * sign).reshape(-1, 3, count)
    shapedirs = (shapedirs + shapedirs[mirror] * FLIP[:, None]) / 2
    betas = left * sign * np.sqrt(len(vertices) - 1)
    explained = spread**2 / np.sum(centred**2) * (len(vertices) - 1)
    print("variance explained:", explained.round(4), "sum", explained.sum().round(5))
    return v_template, shapedirs, betas


def joint_regressor(vertices, joints, v_template, shapedirs, betas, mirror, support=300, ridge=2e-3):
    """Joints as weighted vertices near them, (24,V), rows sum to 1; weights may be negative.

    Least squares over the adults with a small ridge (in metres), exact for the mean shape and for the linear part of
    every beta; so the pelvis stays where it is under all betas.
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
        # The conditions: sum, mean, one slope a beta.
        conditions = np.concatenate([np.ones((1, len(near))), v_template[near].T, shapedirs[near].reshape(len(near), -1).T])
        wanted = np.concatenate([[1.0], joints.mean(0)[row], slopes[:, row].T.ravel()])
        samples = vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near))
        normal = samples.T @ samples / len(vertices) + ridge**2 * np.eye(len(near))
        aim = samples.T @ joints[:, row].ravel() / len(vertices)
        system = np.block([[normal, conditions.T], [conditions, np.zeros((len(conditions), len(conditions)))]])
        solved = np.linalg.lstsq(system, np.concatenate([aim, wanted]), rcond=1e-14)[0]
        regressor[row, near] = solved[: len(near)]
        if JOINT_MIRROR[row] == row:
            regressor[row] = (regressor[row] + regressor[row][mirror]) / 2
    return regressor
