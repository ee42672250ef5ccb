"""Plant a body where its contacts say: the seat holds the pelvis, heels and toes the legs, knees the thighs, hands the arms.

Everything is held at the place where it is on average while it touches; corrections fade before and after each contact.
"""

import itertools

import numpy as np

from ..array_types import ArrayLike, BoolArray, FloatArray
from ..axis_rotations import rotation_between, transpose
from ..body_contacts import CONTACT_PARTS, SOLE_PARTS
from ..contacts import contact_runs
from ..skeletons import SMPL_JOINTS, SMPL_PARENTS
from ..two_bone_ik import Limb, solve_two_bone_ik
from .foot_lock import FADE_TIME, lock_feet
from .leg_kinematics import LEG_JOINTS, Soles
from .run_blending import fade_between_runs

# Shoulder, elbow and wrist, the left arm first.
ARM_JOINTS = np.array([[SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")] for side in ("left", "right")])
# The joints whose rotations planting changes.
PLANTED_JOINTS = tuple(int(joint) for joint in (*LEG_JOINTS.ravel(), *ARM_JOINTS.ravel()))
# Forearms flex forward about the vertical axis of a T-pose: this way the left one, that way the right one.
_ELBOW_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]])


def plant_body(
    rotmats: FloatArray,
    pelvis: FloatArray,
    rest_joints: FloatArray,
    soles: Soles,
    contacts: ArrayLike,
    timestamps: FloatArray,
    camera: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Hold the parts of a body still while they touch.

    Args:
        rotmats: (F,J,3,3) local, the root's in the world (z up). pelvis: (F,3) m. rest_joints: (J,3) m. soles: of the body at rest.
        contacts: (F,9) of CONTACT_PARTS. timestamps: (F,) s. camera: (3,) or (F,3) m; feet move along their lines of sight where they can.

    Returns:
        rotmats and pelvis, new arrays; only PLANTED_JOINTS turn, and the pelvis moves only for the seat.
    """
    touching = np.asarray(contacts) > 0.5
    pelvis = pelvis + _held_correction(pelvis, touching[:, CONTACT_PARTS.index("seat")], timestamps)
    rotmats, _ = lock_feet(rotmats, pelvis, rest_joints, soles, touching[:, : len(SOLE_PARTS)], timestamps, camera)
    for side, name in enumerate(("left", "right")):
        _hold_knee(rotmats, pelvis, rest_joints, side, touching[:, CONTACT_PARTS.index(f"{name}_knee")], timestamps)
        _hold_hand(rotmats, pelvis, rest_joints, side, touching[:, CONTACT_PARTS.index(f"{name}_hand")], timestamps)
    return rotmats, pelvis


def _held_correction(path: FloatArray, touching: BoolArray, timestamps: FloatArray) -> FloatArray:
    """The movement (F,3) m that holds a path (F,3) m still while it touches (F,), and fades before and after."""
    runs, correction = contact_runs(touching), np.zeros_like(path)
    for first, last in runs:
        correction[first:last] = np.median(path[first:last], 0) - path[first:last]
    return fade_between_runs(correction, runs, timestamps, FADE_TIME)


def _chain(rotmats: FloatArray, pelvis: FloatArray, rest_joints: FloatArray, last: int) -> tuple[FloatArray, FloatArray]:
    """Positions (F,N,3) m and world rotations (F,N,3,3) of the last joint's ancestors and itself, its last three joints last."""
    joints = [last]
    while SMPL_PARENTS[joints[0]] >= 0:
        joints.insert(0, int(SMPL_PARENTS[joints[0]]))
    positions, rotations = [pelvis], [rotmats[:, 0]]
    for parent, joint in itertools.pairwise(joints):
        positions.append(positions[-1] + rotations[-1] @ (rest_joints[joint] - rest_joints[parent]))
        rotations.append(rotations[-1] @ rotmats[:, joint])
    return np.stack(positions, 1), np.stack(rotations, 1)


def _set_limb(rotmats: FloatArray, joints: ArrayLike, above: FloatArray, upper: FloatArray, lower: FloatArray, end: FloatArray) -> None:
    """Set the local rotations of a limb's three joints, in place, from world rotations (F,3,3) and that of the joint above them."""
    first, middle, last = np.asarray(joints).tolist()
    rotmats[:, first] = transpose(above) @ upper
    rotmats[:, middle] = transpose(upper) @ lower
    rotmats[:, last] = transpose(lower) @ end


def _hold_hand(
    rotmats: FloatArray, pelvis: FloatArray, rest_joints: FloatArray, side: int, touching: BoolArray, timestamps: FloatArray
) -> None:
    """Bend an arm, in place, so that its wrist stays; the hand keeps its rotation in the world."""
    if not touching.any():
        return
    positions, rotations = _chain(rotmats, pelvis, rest_joints, int(ARM_JOINTS[side, 2]))
    shoulder, elbow, wrist = (positions[:, k] for k in (-3, -2, -1))
    target = wrist + _held_correction(wrist, touching, timestamps)
    limb = Limb(shoulder, elbow, wrist, rotations[:, -3] @ _ELBOW_AXES[side])
    upper, lower = solve_two_bone_ik(limb, shoulder, target)
    moved = (np.linalg.norm(target - wrist, axis=-1) > 1e-9)[:, None, None]  # elsewhere nothing turns
    upper, lower = (np.where(moved, turn, np.eye(3)) for turn in (upper, lower))
    _set_limb(rotmats, ARM_JOINTS[side], rotations[:, -4], upper @ rotations[:, -3], lower @ rotations[:, -2], rotations[:, -1])


def _hold_knee(
    rotmats: FloatArray, pelvis: FloatArray, rest_joints: FloatArray, side: int, touching: BoolArray, timestamps: FloatArray
) -> None:
    """Swing a thigh, in place, so that its knee stays, and the shin so that it still points to where the ankle was."""
    if not touching.any():
        return
    hip, knee, ankle = (int(joint) for joint in LEG_JOINTS[side, :3])
    positions, rotations = _chain(rotmats, pelvis, rest_joints, ankle)
    at_hip, at_knee, at_ankle = (positions[:, k] for k in (-3, -2, -1))
    wanted = at_knee + _held_correction(at_knee, touching, timestamps)
    upper = rotation_between(at_knee - at_hip, wanted - at_hip)
    new_knee = at_hip + (upper @ (at_knee - at_hip)[..., None])[..., 0]
    lower = rotation_between(at_ankle - at_knee, at_ankle - new_knee)
    _set_limb(rotmats, (hip, knee, ankle), rotations[:, -4], upper @ rotations[:, -3], lower @ rotations[:, -2], rotations[:, -1])
