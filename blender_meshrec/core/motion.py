"""Motions of an armature: conversion from a recovery, forward kinematics and resampling, in numpy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .array_types import ArrayLike, FloatArray, IntArray
from .conventions import WORLD_FROM_BODY
from .kinematics import pose_joints
from .records import Motion, Recovery
from .rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec, slerp
from .skeletons import SMPL_JOINTS
from .time_series import bracketing_samples, interpolate_over_time

if TYPE_CHECKING:
    from .files.body_template import BodyTemplate


def motion_on_body(recovery: Recovery, body: "BodyTemplate") -> Motion:
    """`motion_from_recovery` on the joints of the recovery's body."""
    return motion_from_recovery(recovery, body.rest_joints(recovery.betas), body.joint_names, body.parents)


def motion_from_recovery(recovery: Recovery, rest_joints: ArrayLike, joint_names: Sequence[str], parents: IntArray) -> Motion:
    """Convert SMPL poses to rotations of a z-up armature.

    Args:
        recovery: F frames.
        rest_joints: (J,3) m, the body's own joints of the recovery's betas, y up; J is at most the width of `poses` / 3.
        joint_names, parents: of these joints.

    Returns:
        A Motion, with `joints` if the recovery is calibrated. With C = WORLD_FROM_BODY, rest joints r become C r, local
        rotations R become C R C^T, and the root's becomes R C^T (R = C G for the root orientation G of a y-up world).
    """
    rest_joints = np.asarray(rest_joints, float)
    num_joints = len(rest_joints)
    local = rotmat_from_rotvec(recovery.poses.reshape(len(recovery), -1, 3)[:, :num_joints])
    rotations = WORLD_FROM_BODY @ local @ WORLD_FROM_BODY.T
    rotations[:, 0] = local[:, 0] @ WORLD_FROM_BODY.T
    motion = Motion(
        skeleton="smpl",
        joint_names=tuple(joint_names),
        parents=parents,
        rest_joints=rest_joints @ WORLD_FROM_BODY.T,
        rotations=quat_from_rotmat(rotations),
        transl=recovery.trans + rest_joints[0],
        fps=recovery.mocap_framerate,
        timestamps=recovery.timestamps,
        contacts=recovery.contacts,
    )
    if recovery.calibrated_joints is None:
        return motion
    return replace(motion, joints=_target_joints(motion, recovery.calibrated_joints))


def _target_joints(motion: Motion, calibrated: FloatArray) -> FloatArray:
    """Target positions (F,J,3) m: SMPL's joints from `calibrated` (F,24,3), other joints at a fixed offset from their parent."""
    _, rotations = forward_kinematics(motion)
    targets = np.empty((len(motion), len(motion.parents), 3))
    for joint, (name, parent) in enumerate(zip(motion.joint_names, motion.parents)):
        if name in SMPL_JOINTS:
            targets[:, joint] = calibrated[:, SMPL_JOINTS.index(name)]
        else:
            targets[:, joint] = targets[:, parent] + rotations[:, parent] @ (motion.rest_joints[joint] - motion.rest_joints[parent])
    return targets


def forward_kinematics(motion: Motion) -> tuple[FloatArray, FloatArray]:
    """Joint positions (F,J,3) m and global rotations (F,J,3,3) of a Motion."""
    rest_offsets = motion.rest_joints - motion.rest_joints[np.maximum(motion.parents, 0)]
    offsets = np.tile(rest_offsets, (len(motion), 1, 1))
    offsets[:, 0] = motion.transl
    return pose_joints(rotmat_from_quat(motion.rotations), offsets, motion.parents)


def resample_motion(motion: Motion, timestamps: ArrayLike) -> Motion:
    """A Motion at other times (F,) s: rotations by slerp, the rest linearly, constant before the first and after the last frame."""
    timestamps = np.asarray(timestamps, float)
    before, after, weight = bracketing_samples(timestamps, motion.timestamps)

    def resample(values: FloatArray) -> FloatArray:
        return interpolate_over_time(timestamps, motion.timestamps, values)

    return replace(
        motion,
        rotations=slerp(motion.rotations[before], motion.rotations[after], weight[:, None]),
        transl=resample(motion.transl),
        timestamps=timestamps,
        contacts=None if motion.contacts is None else resample(motion.contacts),
        joints=None if motion.joints is None else resample(motion.joints),
    )
