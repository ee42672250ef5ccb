"""Forward kinematics of SKEL's 46 angles in numpy; bodies/skel is the same in torch.

The published forward pass (Keller et al. 2023), restated. F frames; joints in the order of `SKEL_JOINTS`; y up, facing +z.

1. K, the orientation of each bone at rest: the file's own (per_joint_rot), followed by the rotation of least angle from the bone's
   direction in the file to its direction in this shape. Pelvis, toes, head and hands have no direction and keep the file's
   orientation. The direction of the thorax is from lumbar_body to the thorax, that of the ulna is to the hand.
2. The axes of the angles are fixed in the frame K Ra^T, with the rotation Ra of apose_rel_transfo: a joint's rotation is
   R = K Ra^T (R3 R2 R1) Ra K^T, the product of rotations about the axes K Ra^T a. At q = 0 it is the identity.
3. lumbar_body, thorax and head move along an arc of constant curvature as they bend, the scapulae on an ellipsoid around
   the thorax: their joints are displaced, in the axes of the body at rest, by curve(q) - curve(0).

Details that the paper leaves open are determined from outputs of the published code: the arc's length is the height difference |y| of
the bone at rest, not its length; the scapula's radii are a quarter of the distance between the scapulae and half of the distance
from lumbar_body to thorax; the angles on the left ellipsoid are the right ones with the opposite signs of abduction and elevation;
where two SKEL joints correspond to one SMPL joint, the later one is used.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..array_types import ArrayLike, FloatArray
from ..axis_rotations import unit_vector
from ..frozen_arrays import read_only_array
from ..kinematics import pose_joints
from ..rotations import skew_matrix
from .vocabulary import DOF_AXES, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS, dof_index

_JOINT = {name: index for index, name in enumerate(SKEL_JOINTS)}
SPINE = tuple(_JOINT[name] for name in ("lumbar_body", "thorax", "head"))
SPINE_DOFS = tuple((dof_index(f"{name}_bending"), dof_index(f"{name}_extension")) for name in ("lumbar", "thorax", "head"))
# Scapulae: joint, abduction and elevation in q, sign of the side (the left mirrors the right).
SCAPULAE = tuple(
    (_JOINT[f"scapula_{side}"], dof_index(f"scapula_abduction_{side}"), dof_index(f"scapula_elevation_{side}"), sign)
    for side, sign in (("r", 1.0), ("l", -1.0))
)
_UNDIRECTED = ("pelvis", "toes_r", "toes_l", "head", "hand_r", "hand_l")


def _sum_matrix(signs: Mapping[str, Mapping[str, int]]) -> FloatArray:
    """Matrix (24,24) whose rows sum joints' offsets from their parents: joint -> {joint whose offset is added: sign}."""
    matrix = np.zeros((24, 24))
    for name, terms in signs.items():
        for term, sign in terms.items():
            matrix[_JOINT[name], _JOINT[term]] = sign
    return read_only_array(matrix)


def _direction_sums() -> tuple[FloatArray, FloatArray]:
    """Sums of joint offsets that give each bone's direction, in the file and in the shaped body."""
    child = {
        name: {SKEL_JOINTS[int(np.flatnonzero(joint == SKEL_PARENTS)[0])]: 1}
        for joint, name in enumerate(SKEL_JOINTS)
        if name not in _UNDIRECTED
    }
    for side in "rl":
        child[f"ulna_{side}"] = {f"radius_{side}": 1, f"hand_{side}": 1}
    return _sum_matrix({**child, "thorax": {"head": 1}}), _sum_matrix({**child, "thorax": {"thorax": 1}})


def _bone_size_sums() -> FloatArray:
    """Sums of joint offsets whose length is each bone's size: its own length, a neighbor's, or a distance from left to right."""
    sizes = {"pelvis": {"femur_r": 1, "femur_l": -1}, "lumbar_body": {"thorax": 1}, "thorax": {"head": 1}, "head": {"head": 1}}
    for side in "rl":
        sizes |= {f"femur_{side}": {f"tibia_{side}": 1}, f"tibia_{side}": {f"talus_{side}": 1}}
        sizes |= {f"{bone}_{side}": {f"toes_{side}": 1} for bone in ("talus", "calcn", "toes")}
        sizes |= {f"scapula_{side}": {"scapula_r": 1, "scapula_l": -1}, f"humerus_{side}": {f"ulna_{side}": 1}}
        sizes |= {f"{bone}_{side}": {f"radius_{side}": 1, f"hand_{side}": 1} for bone in ("ulna", "radius", "hand")}
    return _sum_matrix(sizes)


# Matrices over the joints' offsets from their parents (see `_sum_matrix`).
FILE_DIRECTION_SUMS, SHAPED_DIRECTION_SUMS = _direction_sums()
BONE_SIZE_SUMS = _bone_size_sums()


class SkelPose(NamedTuple):
    """A posed skeleton: joints (F,24,3) m, rotations (F,24,3,3) in the body's axes, local_rotations (F,24,3,3) in the parents' axes."""

    joints: FloatArray
    rotations: FloatArray
    local_rotations: FloatArray


def joint_offsets(rest_joints: ArrayLike) -> FloatArray:
    """Offset of each joint from its parent, (..., 24, 3) m; the root's own position."""
    rest_joints = np.asarray(rest_joints, float)
    offsets = rest_joints - rest_joints[..., np.maximum(SKEL_PARENTS, 0), :]
    offsets[..., 0, :] = rest_joints[..., 0, :]
    return offsets


def bone_orientations(rest_joints: ArrayLike, per_joint_rot: FloatArray, apose_rel_transfo: FloatArray) -> FloatArray:
    """K (..., 24, 3, 3): orientation of each bone in a body with these rest joints (..., 24, 3) m. Step 1 above."""
    source = np.einsum("jab,jb->ja", per_joint_rot, FILE_DIRECTION_SUMS @ apose_rel_transfo[:, :3, 3])
    return minimal_rotation(source, SHAPED_DIRECTION_SUMS @ joint_offsets(rest_joints)) @ per_joint_rot


def minimal_rotation(source: ArrayLike, target: ArrayLike) -> FloatArray:
    """Rotation (..., 3, 3) of least angle from one direction to another; the identity where either is zero.

    Between exactly opposite directions it is undefined; the identity is returned, as in the published code.
    """
    source, target = (unit_vector(vectors) for vectors in np.broadcast_arrays(source, target))
    cross = skew_matrix(np.cross(source, target))
    cosine = (source * target).sum(-1)[..., None, None]
    return np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)


def bone_scales(rest_joints: ArrayLike, apose_rel_transfo: FloatArray) -> FloatArray:
    """Size of each bone in this body over its size in the file, (..., 24). Ours: isotropic, from `BONE_SIZE_SUMS`."""
    sizes = np.linalg.norm(BONE_SIZE_SUMS @ joint_offsets(rest_joints), axis=-1)
    return sizes / np.linalg.norm(BONE_SIZE_SUMS @ apose_rel_transfo[:, :3, 3], axis=-1)


def dof_rotations(q: ArrayLike, axes: FloatArray = DOF_AXES) -> FloatArray:
    """Rotation matrices (F,24,3,3) of the joints for angles q (F,46) rad, R = R3 R2 R1.

    Args:
        axes: (46,3) unit vectors. The default gives rotations in the bones' own frames.
    """
    q = np.asarray(q, float)[..., None, None]
    cross = skew_matrix(axes)
    single = np.eye(3) + np.sin(q) * cross + (1 - np.cos(q)) * (cross @ cross)
    rotations = np.broadcast_to(np.eye(3), (len(q), 24, 3, 3)).copy()
    for joint, dofs in enumerate(JOINT_DOFS):
        for dof in range(dofs.start, dofs.stop):
            rotations[:, joint] = single[:, dof] @ rotations[:, joint]
    return rotations


def joint_shifts(q: ArrayLike, rest_joints: ArrayLike) -> FloatArray:
    """Displacements of the spine's joints and the scapulae by their angles, (F,24,3) m in the axes of the body at rest. Step 3 above.

    Args:
        q: (F,46) rad. rest_joints: (24,3) or (F,24,3) m.
    """
    q, rest_joints = np.asarray(q, float), np.asarray(rest_joints, float)
    height = joint_offsets(rest_joints)[..., 1]
    shifts = np.zeros((len(q), 24, 3))
    for joint, (bending, extension) in zip(SPINE, SPINE_DOFS):
        sideways, bending_drop = arc_end(q[:, bending])
        backwards, extension_drop = arc_end(q[:, extension])
        shifts[:, joint] = np.abs(height[..., joint, None]) * np.stack([-sideways, -bending_drop - extension_drop, -backwards], -1)
    right, left = (rest_joints[..., joint, :] for joint, *_ in SCAPULAE)
    width_radius = np.linalg.norm(left - right, axis=-1) / 4
    height_radius = np.linalg.norm(rest_joints[..., SPINE[1], :] - rest_joints[..., SPINE[0], :], axis=-1) / 2
    for joint, abduction, elevation, side in SCAPULAE:
        a, e = side * q[:, abduction], side * q[:, elevation] - np.pi / 4
        sideways = side * width_radius * (np.sqrt(0.5) - np.cos(a) * np.cos(e))
        shifts[:, joint] = np.stack([sideways, -height_radius * (np.sin(e) + np.sqrt(0.5)), width_radius * np.sin(a)], -1)
    return shifts


def arc_end(angle: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """End of an arc of length 1 that bends by `angle`: its sideways distance, (1 - cos a) / a, and its drop, 1 - sin a / a."""
    angle = np.asarray(angle, float)
    return angle / 2 * np.sinc(angle / (2 * np.pi)) ** 2, 1 - np.sinc(angle / np.pi)


def skel_kinematics(q: ArrayLike, rest_joints: ArrayLike, bone_frames: FloatArray, transl: ArrayLike | None = None) -> SkelPose:
    """Forward kinematics of SKEL's skeleton.

    Args:
        q: (F,46) rad. rest_joints: (24,3) m. bone_frames: (24,3,3), K Ra^T: `SkelTemplate.bone_frames(betas)`.
        transl: (F,3) m, or None.

    Returns:
        The pose. Skinning rotates a vertex by rotations[f, j] about rest_joints[j] and moves it by joints[f, j] - rest_joints[j].
        In the axes of a bone whose rest orientation is bone_frames[j], its rotation is `dof_rotations(q)[f, j]`.
    """
    rest_joints = np.asarray(rest_joints, float)
    local = dof_rotations(q, dof_axes_in_body(bone_frames))
    offsets = joint_offsets(rest_joints) + joint_shifts(q, rest_joints)
    joints, rotations = pose_joints(local, offsets, SKEL_PARENTS)
    return SkelPose(joints if transl is None else joints + np.asarray(transl, float)[:, None], rotations, local)


def dof_axes_in_body(bone_frames: FloatArray) -> FloatArray:
    """The angles' axes in the body's axes at rest, (..., 46, 3), for bone frames (..., 24, 3, 3)."""
    joints = np.repeat(np.arange(24), [dofs.stop - dofs.start for dofs in JOINT_DOFS])
    return np.einsum("...dab,db->...da", bone_frames[..., joints, :, :], DOF_AXES)
