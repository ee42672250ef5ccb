"""Where the open body's SKEL joints lie, how its bones are turned at rest, and which way their angles turn them.

Bone frames are SKEL's: x front, y up, z right when a person stands with the arms hanging and the palms inward. In the T-pose
an arm's frame has gone up with the arm. The left side is the right one's mirror image. The oblique axes' directions within
their frames are those of OpenSim's gait2392 (Delp et al. 1990) and of the arm of Holzbaur et al. 2005, in core/skel.AXES.
"""

import numpy as np
from scipy.spatial import cKDTree

from blender_meshrec.core.skel.kinematics import minimal_rotation
from blender_meshrec.core.skel.vocabulary import DOF_AXES, JOINT_DOFS, SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS

FLIP = np.array([-1.0, 1.0, 1.0])  # mirrors a place in the body, whose left is +x
_MIRROR_BONE = np.diag([1.0, 1.0, -1.0])  # mirrors a bone's frame, whose right is +z
JOINT_MIRROR = np.array([SKEL_JOINTS.index({"_r": j[:-2] + "_l", "_l": j[:-2] + "_r"}.get(j[-2:], j)) for j in SKEL_JOINTS])
# The same place in both skeletons. What is not here lies between these joints or is held by the skin around it.
SMPL_COUNTERPARTS = {
    "pelvis": "pelvis", "femur_l": "left_hip", "tibia_l": "left_knee", "talus_l": "left_ankle", "toes_l": "left_foot", "head": "head",
    "humerus_l": "left_shoulder", "ulna_l": "left_elbow", "hand_l": "left_wrist",
}  # fmt: skip
# SKEL bends the spine along arcs that end at these joints; SMPL bends it at points, which are the arcs' middles.
SPINE_INTERPOLATION = {"lumbar_body": ("spine1", "spine2", 0.46), "thorax": ("spine3", "neck", 0.45)}
TOE_OUT = np.radians(8)  # of the open body's feet
HEEL_OFFSET = (0.0, -0.042, -0.047)  # m from the ankle, in the foot: calcn lies behind and below (gait2392: -0.049, -0.042)
SCAPULA_OFFSET = (-0.028, 0.026, -0.012)  # m from the shoulder: the acromion's root
# Pronation turns about a line from the head of the radius to the head of the ulna: m from elbow and wrist, left, T-pose.
RADIUS_HEAD = (0.010, 0.012, 0.004)
ULNA_HEAD = (0.0, 0.0, -0.010)
# The elbow's axis in the T-pose leans back from the vertical, so that the forearm swings forward and a little up. Solvers that give SMPL's
# elbows one axis take the vertical; motion capture has it at 25 to 30 degrees. The upper arm's twist makes up for what is left.
ELBOW_TILT = np.radians(20)
NUM_SUPPORT_VERTICES = 120  # skin vertices that hold a joint which SMPL has not
SINGLE_DOF_BONES = (
    "talus",
    "calcn",
    "toes",
    "ulna",
    "radius",
)  # one angle each: the left frame is turned until its axis is the right one's mirror


def joint_regressor(body, mirror):
    """J_regressor_osim (24,V): rows sum to 1, exactly symmetric; joints that SMPL has as well are the open body's own, for all betas.

    Args:
        body: the open body's arrays, float64. mirror: (V,) the vertex opposite each vertex.
    """
    smpl, v_template = body["J_regressor"], body["v_template"]
    rows = {name: smpl[SMPL_JOINTS.index(source)] for name, source in SMPL_COUNTERPARTS.items()}
    for name, (below, above, share) in SPINE_INTERPOLATION.items():
        rows[name] = (1 - share) * smpl[SMPL_JOINTS.index(below)] + share * smpl[SMPL_JOINTS.index(above)]
    place = {name: row @ v_template for name, row in rows.items()}
    left = v_template[:, 0] > 0
    rows["calcn_l"] = _support_row(place["talus_l"] + foot_axes() @ HEEL_OFFSET, v_template, left)
    rows["scapula_l"] = _support_row(place["humerus_l"] + SCAPULA_OFFSET, v_template, left)
    rows["radius_l"] = _support_row(place["ulna_l"] + RADIUS_HEAD, v_template, left)
    regressor = np.zeros((24, len(v_template)))
    for name, row in rows.items():
        joint = SKEL_JOINTS.index(name)
        regressor[joint] = row
        if name.endswith("_l"):
            regressor[JOINT_MIRROR[joint]] = row[mirror]
    return regressor


def _support_row(target, v_template, among):
    """The row (V,) of least norm around equal shares that puts a joint at `target` (3,), over the nearest vertices."""
    among = np.flatnonzero(among)
    near = among[np.sort(cKDTree(v_template[among]).query(target, NUM_SUPPORT_VERTICES)[1])]
    share = np.full(NUM_SUPPORT_VERTICES, 1 / NUM_SUPPORT_VERTICES)
    system = np.vstack([v_template[near].T, np.ones(NUM_SUPPORT_VERTICES)])
    share += np.linalg.pinv(system) @ (np.append(target, 1) - system @ share)
    row = np.zeros(len(v_template))
    row[near] = share
    return row


def rest_frames(joints):
    """Bones' orientations K and the frames A of their angles' axes at rest, both (24,3,3), body_from_bone.

    Args:
        joints: (24,3) m, at betas = 0.
    """
    place = dict(zip(SKEL_JOINTS, joints, strict=True))
    upright = _frame((0, 1, 0), (-1, 0, 0))
    foot = _mirrored_turn(foot_axes()) @ upright
    forearm = _frame(place["ulna_r"] - place["hand_r"], (0, 1, 0))
    bones = dict.fromkeys(("pelvis", "lumbar_body", "thorax", "head", "scapula_r"), upright)
    bones |= dict.fromkeys(("talus_r", "calcn_r", "toes_r"), foot) | dict.fromkeys(("ulna_r", "radius_r", "hand_r"), forearm)
    bones["femur_r"] = _frame(place["femur_r"] - place["tibia_r"], (-1, 0, 0))
    bones["tibia_r"] = _frame(place["tibia_r"] - place["talus_r"], (-1, 0, 0))
    bones["humerus_r"] = _frame(place["humerus_r"] - place["ulna_r"], (0, 1, 0))
    # Hip and knee turn about the body's own axes; everything else about its bone's.
    axes = bones | {"femur_r": upright, "tibia_r": upright}
    axes["ulna_r"] = minimal_rotation(forearm @ _axis("ulna_r"), np.array([0.0, np.cos(ELBOW_TILT), -np.sin(ELBOW_TILT)])) @ forearm
    line = place["radius_r"] - (place["hand_r"] + FLIP * ULNA_HEAD)
    axes["radius_r"] = minimal_rotation(forearm @ _axis("radius_r"), line) @ forearm
    return _mirror_frames(bones), _align_left_axes(_mirror_frames(axes))


def _frame(up, right):
    """The rotation (3,3) whose y points along `up` and whose z is as near to `right` as can be; columns are x, y, z."""
    y = np.array(up, float) / np.linalg.norm(up)
    x = np.cross(y, right)
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def foot_axes():
    """The left foot's axes at rest, (3,3): columns lateral, up, front."""
    c, s = np.cos(TOE_OUT), np.sin(TOE_OUT)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _mirrored_turn(rotation):
    return np.diag(FLIP) @ rotation @ np.diag(FLIP)


def _axis(joint):
    return DOF_AXES[JOINT_DOFS[SKEL_JOINTS.index(joint)]][0]


def _mirror_frames(right):
    """Frames (24,3,3) of the right side's and the middle's, by name."""
    frames = np.zeros((24, 3, 3))
    for name, frame in right.items():
        joint = SKEL_JOINTS.index(name)
        frames[joint] = frame
        if name.endswith("_r"):
            frames[JOINT_MIRROR[joint]] = np.diag(FLIP) @ frame @ _MIRROR_BONE
    return frames


def _align_left_axes(frames):
    """The frames with those of the left side's single angles turned until both sides' axes are mirror images.

    The published model has the same ankle axis on both sides; an axis is an axial vector, so its mirror image has x and y negated.
    """
    for bone in SINGLE_DOF_BONES:
        right, left = SKEL_JOINTS.index(f"{bone}_r"), SKEL_JOINTS.index(f"{bone}_l")
        wanted = -FLIP * (frames[right] @ _axis(f"{bone}_r"))
        frames[left] = minimal_rotation(frames[left] @ _axis(f"{bone}_l"), wanted) @ frames[left]
    return frames
