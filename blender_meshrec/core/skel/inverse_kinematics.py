"""SKEL's angles from the joint rotations of an SMPL skeleton, joint by joint from the root outwards."""

from typing import NamedTuple

import numpy as np

from ..array_types import FloatArray, IntArray
from ..frozen_arrays import read_only_array
from ..kinematics import global_rotmats
from ..rotations import skew_matrix
from ..skeletons import SMPL_JOINTS, SMPL_PARENTS
from .kinematics import dof_rotations
from .vocabulary import DOF_AXES, DOF_LIMITS, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS

# The SMPL joint whose rotation each SKEL joint takes over. (vocabulary.SMPL_OF_SKEL is the correspondence for blend shapes.)
_SMPL_SOURCE = {
    "pelvis": "pelvis", "lumbar_body": "spine1", "thorax": "spine3", "head": "head",
    "femur": "hip", "tibia": "knee", "talus": "ankle", "calcn": "ankle", "toes": "foot",
    "scapula": "collar", "humerus": "shoulder", "ulna": "elbow", "radius": "wrist", "hand": "wrist",
}  # fmt: skip
_SIDES = {"r": "right", "l": "left"}


def _smpl_source_joint(name: str) -> int:
    bone, _, side = name.rpartition("_")
    return SMPL_JOINTS.index(f"{_SIDES[side]}_{_SMPL_SOURCE[bone]}" if side in _SIDES else _SMPL_SOURCE[name])


SMPL_SOURCE_JOINTS: IntArray = read_only_array([_smpl_source_joint(name) for name in SKEL_JOINTS])


class DofAngles(NamedTuple):
    """Angles q (F,46) rad within their limits, and `unclamped` (F,46) rad before the limits were applied."""

    q: FloatArray
    unclamped: FloatArray


def angles_from_smpl(rotations: FloatArray, bone_frames: FloatArray) -> DofAngles:
    """The angles that bring SKEL's bones closest to the global orientations of SMPL's joints.

    Args:
        rotations: (F,24,3,3), SMPL's local rotations. bone_frames: (24,3,3), `SkelTemplate.bone_frames`.

    Returns:
        The angles. The pelvis is exact; what a joint cannot do, its children compensate within their own limits.
    """
    targets = global_rotmats(rotations, SMPL_PARENTS)
    num_frames = len(targets)
    q, unclamped = np.zeros((num_frames, len(DOF_AXES))), np.zeros((num_frames, len(DOF_AXES)))
    reached = np.empty((num_frames, 24, 3, 3))
    for joint, dofs in enumerate(JOINT_DOFS):
        parent = SKEL_PARENTS[joint]
        target = targets[:, SMPL_SOURCE_JOINTS[joint]]
        local = target if parent < 0 else reached[:, parent].swapaxes(1, 2) @ target
        in_bone_frame = bone_frames[joint].T @ local @ bone_frames[joint]
        unclamped[:, dofs] = angles_about_axes(in_bone_frame, DOF_AXES[dofs])
        q[:, dofs] = np.clip(unclamped[:, dofs], DOF_LIMITS[dofs, 0], DOF_LIMITS[dofs, 1])
        joint_angles = np.zeros_like(q)
        joint_angles[:, dofs] = q[:, dofs]
        achieved = bone_frames[joint] @ dof_rotations(joint_angles)[:, joint] @ bone_frames[joint].T
        reached[:, joint] = achieved if parent < 0 else reached[:, parent] @ achieved
    q[:, :3] = np.unwrap(q[:, :3], axis=0)
    return DofAngles(q, unclamped)


def angles_about_axes(rotations: FloatArray, axes: FloatArray) -> FloatArray:
    """Angles (F,D) about D axes (D,3) of rotations (F,3,3), R = R3 R2 R1.

    Three axes: exact. Two axes: the first two of the three angles that a third, orthogonal axis completes. One axis: the angle of
    the nearest rotation about it. Axes are unit vectors, orthogonal to each other.
    """
    if len(axes) == 1:
        along_axis = np.einsum("i,fij,j->f", axes[0], rotations, axes[0])
        sine = np.einsum("fij,ij->f", rotations, skew_matrix(axes[0]))
        return np.arctan2(sine, np.trace(rotations, axis1=1, axis2=2) - along_axis)[:, None]
    num_axes = len(axes)
    if num_axes == 2:
        axes = np.stack([*axes, np.cross(*axes)])
    handedness = np.sign(np.linalg.det(axes))  # with a left-handed triple, every angle has the opposite sense
    in_axes = np.einsum("ai,fij,bj->fab", axes, rotations, axes)
    first = np.arctan2(handedness * in_axes[:, 2, 1], in_axes[:, 2, 2])
    second = np.arcsin(np.clip(-handedness * in_axes[:, 2, 0], -1, 1))
    third = np.arctan2(handedness * in_axes[:, 1, 0], in_axes[:, 0, 0])
    return np.stack([first, second, third], -1)[:, :num_axes]
