"""A body's rotations smoothed over time: what single frames cannot tell, such as twists and the ends of limbs, trembles most."""

from dataclasses import replace

import numpy as np

from ...core.rotations import quat_from_rotvec, rotvec_from_quat
from .smoothing import smooth_positions, smooth_quaternions


def smooth_body(params, visible, timestamps, strength=1.0):
    """BodyParams with every rotation and the root's path smoothed, without lag.

    Args:
        params: BodyParams of F frames, in any axes.
        visible: (F,); frames without the person are left as they are. timestamps: (F,) s. strength: 0 changes nothing.
    """
    rows = np.asarray(visible, bool)
    if strength <= 0 or rows.sum() < 4:
        return params
    times = np.asarray(timestamps, float)[rows]
    poses = params.poses.astype(float).reshape(len(rows), -1, 3)
    transl = params.transl.astype(float)
    quat = smooth_quaternions(quat_from_rotvec(poses[rows]), times, strength)
    poses[rows] = rotvec_from_quat(quat)
    transl[rows] = smooth_positions(transl[rows], times, strength)
    return replace(params, global_orient=poses[:, 0], body_pose=poses[:, 1:].reshape(len(poses), -1), transl=transl)
