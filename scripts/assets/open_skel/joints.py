"""The open body's SKEL joints, the orientations of its bones at rest, and the axes of their angles.

Bone frames are SKEL's: x front, y up, z right when a person stands with hanging arms and palms inward. In the T-pose the frames of the
arms are rotated up with the arms. The left side is the mirror image of the right. The directions of the oblique axes in these frames are
those of OpenSim's gait2392 (Delp et al. 1990) and of the arm of Holzbaur et al. 2005, in core/skel/vocabulary.py (DOF_AXES).
"""

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree  # pyrefly: ignore[missing-module-attribute, untyped-import] - scipy ships no type stubs

from blender_meshrec.core.array_types import AnyArray, ArrayLike, BoolArray, FloatArray, IntArray
from blender_meshrec.core.skel.kinematics import minimal_rotation
from blender_meshrec.core.skel.vocabulary import DOF_AXES, JOINT_DOFS, SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS

FLIP = np.array([-1.0, 1.0, 1.0])  # mirrors a point of the body, whose left is +x
_MIRROR_BONE = np.diag([1.0, 1.0, -1.0])  # mirrors the frame of a bone, whose right is +z
JOINT_MIRROR = np.array([SKEL_JOINTS.index({"_r": j[:-2] + "_l", "_l": j[:-2] + "_r"}.get(j[-2:], j)) for j in SKEL_JOINTS])
# Joints at the same position in both skeletons. Other joints are interpolated, or regressed from the skin around them.
SMPL_COUNTERPARTS = {
    "pelvis": "pelvis", "femur_l": "left_hip", "tibia_l": "left_knee", "talus_l": "left_ankle", "toes_l": "left_foot", "head": "head",
    "humerus_l": "left_shoulder", "ulna_l": "left_elbow", "hand_l": "left_wrist",
}  # fmt: skip
# SKEL bends the spine along arcs that end at these joints; SMPL bends it at points, the middles of the arcs.
SPINE_INTERPOLATION = {"lumbar_body": ("spine1", "spine2", 0.46), "thorax": ("spine3", "neck", 0.45)}
TOE_OUT = np.radians(8)  # of the open body's feet
HEEL_OFFSET = (0.0, -0.042, -0.047)  # m from the ankle, in the foot's axes: calcn is behind and below (gait2392: -0.049, -0.042)
SCAPULA_OFFSET = (-0.028, 0.026, -0.012)  # m from the shoulder: the root of the acromion
# Pronation rotates about a line from the head of the radius to the head of the ulna: m from elbow and wrist, left side, T-pose.
RADIUS_HEAD = (0.010, 0.012, 0.004)
ULNA_HEAD = (0.0, 0.0, -0.010)
# In the T-pose the elbow's axis leans back from the vertical, so that the forearm swings forward and a little up. Solvers with one axis for
# SMPL's elbow use the vertical; in motion capture it leans 25 to 30 degrees. The twist of the upper arm compensates for the difference.
ELBOW_TILT = np.radians(20)
NUM_SUPPORT_VERTICES = 120  # skin vertices that a joint without a counterpart in SMPL is regressed from
# Bones with one angle: the left frame is rotated so that its axis is the mirror image of the right one.
SINGLE_DOF_BONES = ("talus", "calcn", "toes", "ulna", "radius")


def joint_regressor(body: Mapping[str, AnyArray], mirror: IntArray) -> FloatArray:
    """J_regressor_osim (24,V): rows sum to 1, exactly symmetric. Joints that SMPL also has are the open body's joints, for all betas.

    Args:
        body: the open body's arrays, float64. mirror: (V,), index of the vertex opposite each vertex.
    """
    smpl, v_template = body["J_regressor"], body["v_template"]
    rows = {name: smpl[SMPL_JOINTS.index(source)] for name, source in SMPL_COUNTERPARTS.items()}
    for name, (below, above, fraction) in SPINE_INTERPOLATION.items():
        rows[name] = (1 - fraction) * smpl[SMPL_JOINTS.index(below)] + fraction * smpl[SMPL_JOINTS.index(above)]
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


def _support_row(target: FloatArray, v_template: FloatArray, among: BoolArray) -> FloatArray:
    """The regressor row (V,) that places a joint at `target` (3,), over the nearest of some vertices (`among`, (V,) bool).

    Its weights are as close to equal as possible, in the least-squares sense.
    """
    candidates = np.flatnonzero(among)
    near = candidates[np.sort(cKDTree(v_template[candidates]).query(target, NUM_SUPPORT_VERTICES)[1])]
    weights = np.full(NUM_SUPPORT_VERTICES, 1 / NUM_SUPPORT_VERTICES)
    system = np.vstack([v_template[near].T, np.ones(NUM_SUPPORT_VERTICES)])
    weights += np.linalg.pinv(system) @ (np.append(target, 1) - system @ weights)
    row = np.zeros(len(v_template))
    row[near] = weights
    return row


def rest_frames(joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The orientations of the bones and the frames of their angles' axes at rest, both (24,3,3), body_from_bone.

    Args:
        joints: (24,3) m, at betas = 0.
    """
    place = dict(zip(SKEL_JOINTS, joints, strict=True))
    upright = _frame((0, 1, 0), (-1, 0, 0))
    foot = _mirror_rotation(foot_axes()) @ upright
    forearm = _frame(place["ulna_r"] - place["hand_r"], (0, 1, 0))
    bones = dict.fromkeys(("pelvis", "lumbar_body", "thorax", "head", "scapula_r"), upright)
    bones |= dict.fromkeys(("talus_r", "calcn_r", "toes_r"), foot) | dict.fromkeys(("ulna_r", "radius_r", "hand_r"), forearm)
    bones["femur_r"] = _frame(place["femur_r"] - place["tibia_r"], (-1, 0, 0))
    bones["tibia_r"] = _frame(place["tibia_r"] - place["talus_r"], (-1, 0, 0))
    bones["humerus_r"] = _frame(place["humerus_r"] - place["ulna_r"], (0, 1, 0))
    # Hip and knee rotate about the body's axes, other joints about their bones' axes.
    axes = bones | {"femur_r": upright, "tibia_r": upright}
    axes["ulna_r"] = minimal_rotation(forearm @ _axis("ulna_r"), np.array([0.0, np.cos(ELBOW_TILT), -np.sin(ELBOW_TILT)])) @ forearm
    line = place["radius_r"] - (place["hand_r"] + FLIP * ULNA_HEAD)
    axes["radius_r"] = minimal_rotation(forearm @ _axis("radius_r"), line) @ forearm
    return _mirror_frames(bones), _align_left_axes(_mirror_frames(axes))


def _frame(up: ArrayLike, right: ArrayLike) -> FloatArray:
    """The rotation (3,3), columns x, y, z, whose y is along `up` and whose z is as close to `right` as possible."""
    y = np.array(up, float) / np.linalg.norm(up)
    x = np.cross(y, np.asarray(right, float))
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def foot_axes() -> FloatArray:
    """The left foot's axes at rest, (3,3): columns lateral, up, front."""
    c, s = np.cos(TOE_OUT), np.sin(TOE_OUT)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _mirror_rotation(rotation: FloatArray) -> FloatArray:
    """A rotation (3,3) mirrored at x = 0."""
    return np.diag(FLIP) @ rotation @ np.diag(FLIP)


def _axis(joint: str) -> FloatArray:
    """The axis (3,) of a joint's first angle, in the frame of its angles."""
    return DOF_AXES[JOINT_DOFS[SKEL_JOINTS.index(joint)]][0]


def _mirror_frames(right: Mapping[str, FloatArray]) -> FloatArray:
    """Frames (24,3,3) of all joints from those of the middle and the right side, by name."""
    frames = np.zeros((24, 3, 3))
    for name, frame in right.items():
        joint = SKEL_JOINTS.index(name)
        frames[joint] = frame
        if name.endswith("_r"):
            frames[JOINT_MIRROR[joint]] = np.diag(FLIP) @ frame @ _MIRROR_BONE
    return frames


def _align_left_axes(frames: FloatArray) -> FloatArray:
    """Frames (24,3,3) in which the axes of the left SINGLE_DOF_BONES are the mirror images of the right ones.

    The published model has the same ankle axis on both sides. An axis is an axial vector: in the body's axes its mirror image has
    y and z negated.
    """
    for bone in SINGLE_DOF_BONES:
        right, left = SKEL_JOINTS.index(f"{bone}_r"), SKEL_JOINTS.index(f"{bone}_l")
        wanted = -FLIP * (frames[right] @ _axis(f"{bone}_r"))
        frames[left] = minimal_rotation(frames[left] @ _axis(f"{bone}_l"), wanted) @ frames[left]
    return frames
