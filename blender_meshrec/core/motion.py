"""From a recovery to what an armature plays, and forward kinematics in numpy."""

from dataclasses import replace

import numpy as np

from .conventions import WORLD_FROM_BODY
from .records import Motion
from .rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec, slerp
from .skeletons import SMPL_JOINTS


def motion_from_recovery(recovery, rest_joints, joint_names, parents):
    """Turn SMPL poses into rotations of a z-up armature.

    Args:
        recovery: a Recovery of F frames.
        rest_joints: (J,3) m, the body's own joints under the recovery's betas, y up; J at most poses' width / 3.
        joint_names, parents: of those joints.

    Returns:
        A Motion, with `joints` where the recovery is calibrated. With C = Rx(+90 deg): rest C r, root R C^T (R = C G for a y-up
        orientation G), locals C R C^T.
    """
    rest_joints = np.asarray(rest_joints, float)
    count = len(rest_joints)
    local = rotmat_from_rotvec(recovery.poses.reshape(len(recovery), -1, 3)[:, :count])
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


def _target_joints(motion, calibrated):
    """Where the joints of a Motion shall land, (F,J,3) m: SMPL's as `calibrated` (F,24,3) has them, others carried by their parent."""
    _, rotations = forward_kinematics(motion)
    places = np.empty((len(motion), len(motion.parents), 3))
    for joint, (name, parent) in enumerate(zip(motion.joint_names, motion.parents)):
        if name in SMPL_JOINTS:
            places[:, joint] = calibrated[:, SMPL_JOINTS.index(name)]
        else:
            places[:, joint] = places[:, parent] + rotations[:, parent] @ (motion.rest_joints[joint] - motion.rest_joints[parent])
    return places


def forward_kinematics(motion):
    """Where the joints of a Motion are, (F,J,3) m, and their global rotations (F,J,3,3)."""
    local = rotmat_from_quat(motion.rotations)
    offsets = motion.rest_joints - motion.rest_joints[np.maximum(motion.parents, 0)]
    joints = np.empty((len(motion), len(motion.parents), 3))
    rotations = np.empty_like(local)
    joints[:, 0] = motion.transl
    rotations[:, 0] = local[:, 0]
    for joint, parent in enumerate(motion.parents):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            joints[:, joint] = joints[:, parent] + rotations[:, parent] @ offsets[joint]
    return joints, rotations


def resample_motion(motion, timestamps):
    """A Motion at other times (F,) s: rotations by slerp, the rest linearly, held before its first and after its last frame."""
    timestamps = np.asarray(timestamps, float)
    place = np.interp(timestamps, motion.timestamps, np.arange(len(motion)))
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, len(motion) - 1)
    share = place - before

    def mix(values):
        weight = share.reshape(-1, *(1,) * (values.ndim - 1))
        return (1 - weight) * values[before] + weight * values[after]

    return replace(
        motion,
        rotations=slerp(motion.rotations[before], motion.rotations[after], share[:, None]),
        transl=mix(motion.transl),
        timestamps=timestamps,
        contacts=None if motion.contacts is None else mix(motion.contacts),
        joints=None if motion.joints is None else mix(motion.joints),
    )
