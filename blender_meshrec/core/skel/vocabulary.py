"""SKEL's 24 joints and 46 degrees of freedom (angles), with their axes and limits.

Bone frames are those of OpenSim: x front, y up, z right. The angles q1, q2, q3 of a joint rotate its bone by R = R3 R2 R1, each
about an axis that is fixed in the bone's frame at rest. `DOF_AXES` includes the signs: a positive angle is a positive rotation about
its row.

Sources: Keller et al. 2023, "From Skin to Skeleton" (joints, angles); the oblique axes of elbow, forearm, ankle, subtalar
and toe joints are those of OpenSim's gait2392 (Delp et al. 1990) and of Rajagopal et al. 2016. Limits: SKEL's model lists
them for knees, ankles, feet, spine, scapulae, elbows, forearms, wrists and shoulder_r_y; HSMR (Xia et al. 2025) lists 43, all
but the pelvis. Limits in both lists agree, except that SKEL swaps the ends of scapula_elevation_l. `DOF_LIMITS` is therefore
HSMR's list; `HAS_SKEL_LIMIT` marks the limits that SKEL's own model has too.

Two probable errors in the published tables are retained, because files and networks were made with them. The left ankle's axis
is not the mirror image of the right ankle's. The limits of scapula_elevation_l are [-0.4, -0.1], as on the right, although its sense
is opposite: within the limits the right shoulder is always slightly raised and the left one slightly lowered, never at rest.
"""

from dataclasses import dataclass
from math import inf, pi
from typing import TypeAlias

import numpy as np

from ..array_types import ArrayLike, BoolArray, FloatArray, IntArray
from ..frozen_arrays import read_only_array

SKEL_JOINTS = (
    "pelvis", "femur_r", "tibia_r", "talus_r", "calcn_r", "toes_r", "femur_l", "tibia_l", "talus_l", "calcn_l", "toes_l",
    "lumbar_body", "thorax", "head", "scapula_r", "humerus_r", "ulna_r", "radius_r", "hand_r", "scapula_l", "humerus_l",
    "ulna_l", "radius_l", "hand_l",
)  # fmt: skip
SKEL_PARENTS: IntArray = read_only_array([-1, 0, 1, 2, 3, 4, 0, 6, 7, 8, 9, 0, 11, 12, 12, 14, 15, 16, 17, 12, 19, 20, 21, 22])
_Axis: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class Dof:
    """One anatomical angle: name, joint, signed axis in the bone's frame as published, limits in rad.

    in_skel: whether SKEL's own model has this limit.
    """

    name: str
    joint: str
    axis: _Axis
    low: float
    high: float
    in_skel: bool = True


_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_BACK, _DOWN, _LEFT = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)
_ANKLE = (-0.10501403, -0.17402184, 0.97912633)
_SUBTALAR = (0.78718001, 0.60474718, -0.12094827)
_MTP = (0.58095461, 2.26e-06, -0.813936)
_ELBOW = (0.0494, 0.0366, 0.99810827)
_FOREARM = (-0.01716099, 0.99266565, -0.11966796)


def _mirrored(axis: _Axis) -> _Axis:
    """The axis of the other side, as in the published model: x and y negated."""
    return (-axis[0], -axis[1], axis[2])


DOFS = (
    Dof("pelvis_tilt", "pelvis", _Z, -inf, inf, False),
    Dof("pelvis_list", "pelvis", _X, -inf, inf, False),
    Dof("pelvis_rotation", "pelvis", _Y, -inf, inf, False),
    Dof("hip_flexion_r", "femur_r", _Z, -pi / 4, 3 * pi / 4, False),
    Dof("hip_adduction_r", "femur_r", _X, -pi / 4, pi / 6, False),
    Dof("hip_rotation_r", "femur_r", _Y, -pi / 4, pi / 4, False),
    Dof("knee_angle_r", "tibia_r", _LEFT, 0.0, 3 * pi / 4),
    Dof("ankle_angle_r", "talus_r", _ANKLE, -pi / 4, pi / 4),
    Dof("subtalar_angle_r", "calcn_r", _SUBTALAR, -pi / 4, pi / 4),
    Dof("mtp_angle_r", "toes_r", _MTP, -pi / 4, pi / 4),
    Dof("hip_flexion_l", "femur_l", _Z, -pi / 4, 3 * pi / 4, False),
    Dof("hip_adduction_l", "femur_l", _BACK, -pi / 4, pi / 6, False),
    Dof("hip_rotation_l", "femur_l", _DOWN, -pi / 4, pi / 4, False),
    Dof("knee_angle_l", "tibia_l", _LEFT, 0.0, 3 * pi / 4),
    Dof("ankle_angle_l", "talus_l", _ANKLE, -pi / 4, pi / 4),  # not mirrored in the published model
    Dof("subtalar_angle_l", "calcn_l", _mirrored(_SUBTALAR), -pi / 4, pi / 4),
    Dof("mtp_angle_l", "toes_l", (-_MTP[0], _MTP[1], _MTP[2]), -pi / 4, pi / 4),
    Dof("lumbar_bending", "lumbar_body", _X, -pi / 6, pi / 6),
    Dof("lumbar_extension", "lumbar_body", _Z, -pi / 4, pi / 4),
    Dof("lumbar_twist", "lumbar_body", _Y, -pi / 4, pi / 4),
    Dof("thorax_bending", "thorax", _X, -pi / 4, pi / 4),
    Dof("thorax_extension", "thorax", _Z, -pi / 4, pi / 4),
    Dof("thorax_twist", "thorax", _Y, -pi / 4, pi / 4),
    Dof("head_bending", "head", _X, -pi / 4, pi / 4),
    Dof("head_extension", "head", _Z, -pi / 4, pi / 4),
    Dof("head_twist", "head", _Y, -pi / 4, pi / 4),
    Dof("scapula_abduction_r", "scapula_r", _Y, -0.628, 0.628),
    Dof("scapula_elevation_r", "scapula_r", _LEFT, -0.4, -0.1),
    Dof("scapula_upward_rot_r", "scapula_r", _BACK, -0.19, 0.319),
    Dof("shoulder_r_x", "humerus_r", _X, -pi / 2, pi / 2 + 1.5, False),
    Dof("shoulder_r_y", "humerus_r", _Y, -pi / 2, pi / 2),
    Dof("shoulder_r_z", "humerus_r", _Z, -pi / 2, pi / 2, False),
    Dof("elbow_flexion_r", "ulna_r", _ELBOW, 0.0, 3 * pi / 4),
    Dof("pro_sup_r", "radius_r", _FOREARM, -3 * pi / 8, 3 * pi / 8),
    Dof("wrist_flexion_r", "hand_r", _X, -pi / 2, pi / 2),
    Dof("wrist_deviation_r", "hand_r", _LEFT, -pi / 4, pi / 4),
    Dof("scapula_abduction_l", "scapula_l", _Y, -0.628, 0.628),
    Dof("scapula_elevation_l", "scapula_l", _Z, -0.4, -0.1),
    Dof("scapula_upward_rot_l", "scapula_l", _X, -0.21, 0.219),
    Dof("shoulder_l_x", "humerus_l", _X, -pi / 2 - 1.5, pi / 2, False),
    Dof("shoulder_l_y", "humerus_l", _Y, -pi / 2, pi / 2, False),
    Dof("shoulder_l_z", "humerus_l", _Z, -pi / 2, pi / 2, False),
    Dof("elbow_flexion_l", "ulna_l", _mirrored(_ELBOW), 0.0, 3 * pi / 4),
    Dof("pro_sup_l", "radius_l", _mirrored(_FOREARM), -pi / 2, pi / 2),
    Dof("wrist_flexion_l", "hand_l", _BACK, -pi / 2, pi / 2),
    Dof("wrist_deviation_l", "hand_l", _LEFT, -pi / 4, pi / 4),
)
DOF_NAMES = tuple(dof.name for dof in DOFS)
NUM_DOFS = len(DOFS)
# Signed unit axes (46,3). They are published to seven digits and normalized here.
_AXES = np.array([dof.axis for dof in DOFS])
DOF_AXES: FloatArray = read_only_array(_AXES / np.linalg.norm(_AXES, axis=1, keepdims=True))
# Limits (46,2) in rad, infinite for the pelvis; whether SKEL's own model has them (46,); the joint of each angle (46,).
DOF_LIMITS: FloatArray = read_only_array([(dof.low, dof.high) for dof in DOFS])
HAS_SKEL_LIMIT: BoolArray = read_only_array([dof.in_skel for dof in DOFS])
DOF_JOINTS: IntArray = read_only_array([SKEL_JOINTS.index(dof.joint) for dof in DOFS])
# The angles of each joint, as a slice of q.
JOINT_DOFS = tuple(slice(int(rows[0]), int(rows[-1]) + 1) for rows in (np.flatnonzero(joint == DOF_JOINTS) for joint in range(24)))
# The SMPL joint that each SKEL joint corresponds to; its rotation drives SMPL's pose blend shapes.
SMPL_OF_SKEL: IntArray = read_only_array([0, 2, 5, 8, 8, 11, 1, 4, 7, 7, 10, 3, 6, 15, 14, 17, 19, 0, 21, 13, 16, 18, 0, 20])


def dof_index(name: str) -> int:
    """The position of an angle in q; raises KeyError if there is no angle of this name."""
    if name not in DOF_NAMES:
        raise KeyError(f"{name} is not one of SKEL's angles: {', '.join(DOF_NAMES)}")
    return DOF_NAMES.index(name)


def excess_over_limits(angles: FloatArray, limits: ArrayLike) -> FloatArray:
    """How far angles (..., D) rad are outside limits (D, 2), or one pair for all; 0 within them."""
    low, high = np.moveaxis(np.asarray(limits, float), -1, 0)
    return np.maximum(np.maximum(low - angles, angles - high), 0.0)


def limit_excess(q: ArrayLike) -> FloatArray:
    """How far angles q (..., 46) rad are outside their limits, (..., 46) rad; 0 within them."""
    return excess_over_limits(np.asarray(q, float), DOF_LIMITS)


def clamp_to_limits(q: ArrayLike) -> FloatArray:
    """Angles q (..., 46) rad clamped to their limits."""
    return np.clip(np.asarray(q, float), DOF_LIMITS[:, 0], DOF_LIMITS[:, 1])
