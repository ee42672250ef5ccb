"""SKEL's angles from the rotations of another skeleton's joints: each rotation is laid on its joint's own axes, from the root outwards."""

from typing import NamedTuple

import numpy as np

from ..skeletons import SMPL_JOINTS, SMPL_PARENTS
from .kinematics import dof_rotations
from .vocabulary import DOF_AXES, DOF_LIMITS, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS

# Whose rotation each SKEL joint takes from SMPL. (core/skel.SMPL_OF_SKEL says which rotation feeds which blend shape instead.)
_SMPL_SOURCE = {
    "pelvis": "pelvis", "lumbar_body": "spine1", "thorax": "spine3", "head": "head",
    "femur": "hip", "tibia": "knee", "talus": "ankle", "calcn": "ankle", "toes": "foot",
    "scapula": "collar", "humerus": "shoulder", "ulna": "elbow", "radius": "wrist", "hand": "wrist",
}  # fmt: skip
_SIDES = {"r": "right", "l": "left"}


def _smpl_source_joint(name):
    bone, _, side = name.rpartition("_")
    return SMPL_JOINTS.index(f"{_SIDES[side]}_{_SMPL_SOURCE[bone]}" if side in _SIDES else _SMPL_SOURCE[name])


SMPL_SOURCE_JOINTS = np.array([_smpl_source_joint(name) for name in SKEL_JOINTS])
SMPL_SOURCE_JOINTS.setflags(write=False)


class DofAngles(NamedTuple):
    """Angles (F,46) rad within their limits, and what they would be (F,46) rad if nothing limited them."""

    q: np.ndarray
    unclamped: np.ndarray


def angles_from_smpl(rotations, bone_frames):
    """The angles that turn SKEL's bones most nearly as SMPL's joints are turned.

    Args:
        rotations: (F,24,3,3), SMPL's own local rotations. bone_frames: (24,3,3), `SkelTemplate.bone_frames`.

    Returns:
        Laid. The pelvis is exact; what a joint cannot do, or may not, its children make up for as far as they can.
    """
    turned = np.array(rotations, float)
    for joint in range(1, 24):
        turned[:, joint] = turned[:, SMPL_PARENTS[joint]] @ turned[:, joint]
    frames = len(turned)
    q, unlimited = np.zeros((frames, len(DOF_AXES))), np.zeros((frames, len(DOF_AXES)))
    reached = np.empty((frames, 24, 3, 3))
    for joint, dofs in enumerate(JOINT_DOFS):
        above = SKEL_PARENTS[joint]
        wanted = turned[:, SMPL_SOURCE_JOINTS[joint]]
        local = wanted if above < 0 else reached[:, above].swapaxes(1, 2) @ wanted
        own = bone_frames[joint].T @ local @ bone_frames[joint]
        unlimited[:, dofs] = angles_about_axes(own, DOF_AXES[dofs])
        q[:, dofs] = np.clip(unlimited[:, dofs], DOF_LIMITS[dofs, 0], DOF_LIMITS[dofs, 1])
        alone = np.zeros_like(q)
        alone[:, dofs] = q[:, dofs]
        made = bone_frames[joint] @ dof_rotations(alone)[:, joint] @ bone_frames[joint].T
        reached[:, joint] = made if above < 0 else reached[:, above] @ made
    q[:, :3] = np.unwrap(q[:, :3], axis=0)
    return DofAngles(q, unlimited)


def angles_about_axes(rotations, axes):
    """Angles (F,D) about D axes (D,3), of rotations (F,3,3): exact for three, the nearest turn for one, the first two of three for two.

    R = R3 R2 R1; axes are unit vectors, and square to each other where there are several.
    """
    if len(axes) == 1:
        x, y, z = axes[0]
        along = np.einsum("i,fij,j->f", axes[0], rotations, axes[0])
        skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.arctan2(np.einsum("fij,ij->f", rotations, skew), np.trace(rotations, axis1=1, axis2=2) - along)[:, None]
    count = len(axes)
    if count == 2:
        axes = np.stack([*axes, np.cross(*axes)])
    hand = np.sign(np.linalg.det(axes))  # of a left-handed triple, every angle turns the other way
    seen = np.einsum("ai,fij,bj->fab", axes, rotations, axes)
    first = np.arctan2(hand * seen[:, 2, 1], seen[:, 2, 2])
    second = np.arcsin(np.clip(-hand * seen[:, 2, 0], -1, 1))
    third = np.arctan2(hand * seen[:, 1, 0], seen[:, 0, 0])
    return np.stack([first, second, third], -1)[:, :count]
