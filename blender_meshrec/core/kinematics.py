"""Forward kinematics of a skeleton in numpy. bodies/lbs has the same in torch."""

import numpy as np

from .array_types import ArrayLike, FloatArray, IntArray


def pose_joints(local_rotmats: ArrayLike, offsets: ArrayLike, parents: IntArray) -> tuple[FloatArray, FloatArray]:
    """Pose a skeleton of J joints.

    Args:
        local_rotmats: (..., J, 3, 3), relative to the parents. offsets: (J, 3) or (..., J, 3) m, from the parents in their axes;
            the root's is its position. parents: (J,), -1 at the root, each parent before its children.

    Returns:
        joints (..., J, 3) m and global rotations (..., J, 3, 3).
    """
    rotations = np.array(local_rotmats, float)
    offsets = np.broadcast_to(np.asarray(offsets, float), rotations.shape[:-1])
    joints = np.array(offsets)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            parent_rotation = rotations[..., parent, :, :]
            joints[..., joint, :] = joints[..., parent, :] + (parent_rotation @ offsets[..., joint, :, None])[..., 0]
            rotations[..., joint, :, :] = parent_rotation @ rotations[..., joint, :, :]
    return joints, rotations


def global_rotmats(local_rotmats: ArrayLike, parents: IntArray) -> FloatArray:
    """Global rotations (..., J, 3, 3) of rotations relative to the parents (..., J, 3, 3)."""
    local_rotmats = np.asarray(local_rotmats, float)
    return pose_joints(local_rotmats, np.zeros((local_rotmats.shape[-3], 3)), parents)[1]
