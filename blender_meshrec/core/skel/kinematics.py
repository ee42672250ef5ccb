"""How SKEL's 46 angles move its joints, in numpy: what Blender's half poses with, and the plain version of bodies/skel.

The published forward (Keller et al. 2023), restated. F frames; joints in the order of `SKEL_JOINTS`; y up, facing +z.

1. K, each bone's orientation at rest: the file's own (per_joint_rot), then the least turn that brings the bone's direction
   in the file onto its direction in this shape. Fixed for pelvis, toes, head and hands, which have nothing to point to. The
   thorax points the way from lumbar_body to itself, the ulna to the hand.
2. An angle's axis is fixed in the frame K Ra^T, Ra being the rotation of apose_rel_transfo: a joint turns by
   R = K Ra^T (R3 R2 R1) Ra K^T, which is the same as turning about the axes K Ra^T a. At q = 0 all of them are the identity.
3. lumbar_body, thorax and head move along an arc of constant curvature as they bend, the scapulae on an ellipsoid around
   the thorax: their joints shift, in the axes of the body at rest, by curve(q) - curve(0).

What a description of the model leaves open was settled against numbers of the published forward: l is the rise of the bone
at rest, |y|, not its length; the scapula's radii are a quarter of the distance between the scapulae and half of the distance
from lumbar_body to thorax; the left side's ellipsoid angles are the right side's with the signs of abduction and elevation
changed; where two SKEL joints feed one SMPL joint, the later one counts.
"""

from typing import NamedTuple

import numpy as np

from .vocabulary import DOF_AXES, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS, dof_index

_JOINT = {name: index for index, name in enumerate(SKEL_JOINTS)}
SPINE = tuple(_JOINT[name] for name in ("lumbar_body", "thorax", "head"))
SPINE_DOFS = tuple((dof_index(f"{name}_bending"), dof_index(f"{name}_extension")) for name in ("lumbar", "thorax", "head"))
# Scapulae: joint, abduction and elevation in q, sign of the side (the left is the right's mirror image).
SCAPULAE = tuple(
    (_JOINT[f"scapula_{side}"], dof_index(f"scapula_abduction_{side}"), dof_index(f"scapula_elevation_{side}"), sign)
    for side, sign in (("r", 1.0), ("l", -1.0))
)
_FIXED = ("pelvis", "toes_r", "toes_l", "head", "hand_r", "hand_l")


def _sum_matrix(table):
    """Rows that add up bones: joint -> its bones' names, each with a sign, as a matrix (24,24) over offsets to the parent."""
    matrix = np.zeros((24, 24))
    for name, bones in table.items():
        for bone, sign in bones.items():
            matrix[_JOINT[name], _JOINT[bone]] = sign
    matrix.setflags(write=False)
    return matrix


def _direction_sums():
    """What each bone points along, in the file and in the shaped body: offsets to the parent that are added up."""
    child = {
        name: {SKEL_JOINTS[int(np.flatnonzero(joint == SKEL_PARENTS)[0])]: 1}
        for joint, name in enumerate(SKEL_JOINTS)
        if name not in _FIXED
    }
    for side in "rl":
        child[f"ulna_{side}"] = {f"radius_{side}": 1, f"hand_{side}": 1}
    return _sum_matrix({**child, "thorax": {"head": 1}}), _sum_matrix({**child, "thorax": {"thorax": 1}})


def _bone_size_sums():
    """What each bone's size is measured by: its own length, a neighbour's, or a distance between left and right."""
    measured = {"pelvis": {"femur_r": 1, "femur_l": -1}, "lumbar_body": {"thorax": 1}, "thorax": {"head": 1}, "head": {"head": 1}}
    for side in "rl":
        measured |= {f"femur_{side}": {f"tibia_{side}": 1}, f"tibia_{side}": {f"talus_{side}": 1}}
        measured |= {f"{bone}_{side}": {f"toes_{side}": 1} for bone in ("talus", "calcn", "toes")}
        measured |= {f"scapula_{side}": {"scapula_r": 1, "scapula_l": -1}, f"humerus_{side}": {f"ulna_{side}": 1}}
        measured |= {f"{bone}_{side}": {f"radius_{side}": 1, f"hand_{side}": 1} for bone in ("ulna", "radius", "hand")}
    return _sum_matrix(measured)


# Matrices over the joints' offsets from their parents: which sums each bone is turned from and onto, and measured by.
FILE_DIRECTION_SUMS, SHAPED_DIRECTION_SUMS = _direction_sums()
BONE_SIZE_SUMS = _bone_size_sums()


class SkelPose(NamedTuple):
    """A posed skeleton: joints (F,24,3) m, rotations (F,24,3,3) in the body's axes, local_rotations (F,24,3,3) to the parent's."""

    joints: np.ndarray
    rotations: np.ndarray
    local_rotations: np.ndarray


def joint_offsets(rest_joints):
    """Each joint's place seen from its parent, (..., 24, 3) m; the root's own place."""
    rest_joints = np.asarray(rest_joints, float)
    found = rest_joints - rest_joints[..., np.maximum(SKEL_PARENTS, 0), :]
    found[..., 0, :] = rest_joints[..., 0, :]
    return found


def bone_orientations(rest_joints, per_joint_rot, apose_rel_transfo):
    """K (..., 24, 3, 3): which way each bone lies in a body with these rest joints (..., 24, 3) m. Step 1 above."""
    source = np.einsum("jab,jb->ja", per_joint_rot, FILE_DIRECTION_SUMS @ apose_rel_transfo[:, :3, 3])
    return minimal_rotation(source, SHAPED_DIRECTION_SUMS @ joint_offsets(rest_joints)) @ per_joint_rot


def minimal_rotation(source, target):
    """The rotation (..., 3, 3) by the least angle from one direction onto another; the identity where either is zero.

    Directions that are exactly opposite have no least turn; the identity is returned.
    """
    source, target = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12) for v in np.broadcast_arrays(source, target))
    cross = _skew(np.cross(source, target))
    cosine = (source * target).sum(-1)[..., None, None]
    return np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)


def bone_scales(rest_joints, apose_rel_transfo):
    """How much larger each bone is in this body than in the file, (..., 24). Ours: isotropic, by the lengths of `BONE_SIZE_SUMS`."""
    sizes = np.linalg.norm(BONE_SIZE_SUMS @ joint_offsets(rest_joints), axis=-1)
    return sizes / np.linalg.norm(BONE_SIZE_SUMS @ apose_rel_transfo[:, :3, 3], axis=-1)


def dof_rotations(q, axes=DOF_AXES):
    """Rotation matrices (F,24,3,3) of the joints' angles q (F,46) rad, R = R3 R2 R1.

    Args:
        axes: (46,3) unit vectors. With the default the rotations are in the bones' own frames.
    """
    q = np.asarray(q, float)[..., None, None]
    cross = _skew(axes)
    single = np.eye(3) + np.sin(q) * cross + (1 - np.cos(q)) * (cross @ cross)
    rotations = np.broadcast_to(np.eye(3), (len(q), 24, 3, 3)).copy()
    for joint, dofs in enumerate(JOINT_DOFS):
        for dof in range(dofs.start, dofs.stop):
            rotations[:, joint] = single[:, dof] @ rotations[:, joint]
    return rotations


def joint_shifts(q, rest_joints):
    """How far spine and scapulae move because of their angles, (F,24,3) m in the axes of the body at rest. Step 3 above.

    Args:
        q: (F,46) rad. rest_joints: (24,3) or (F,24,3) m.
    """
    q, rest_joints = np.asarray(q, float), np.asarray(rest_joints, float)
    rise = joint_offsets(rest_joints)[..., 1]
    shifts = np.zeros((len(q), 24, 3))
    for joint, (bending, extension) in zip(SPINE, SPINE_DOFS):
        aside, lost_by_bending = arc_end(q[:, bending])
        back, lost_by_extension = arc_end(q[:, extension])
        shifts[:, joint] = np.abs(rise[..., joint, None]) * np.stack([-aside, -lost_by_bending - lost_by_extension, -back], -1)
    right, left = (rest_joints[..., joint, :] for joint, *_ in SCAPULAE)
    across = np.linalg.norm(left - right, axis=-1) / 4
    upright = np.linalg.norm(rest_joints[..., SPINE[1], :] - rest_joints[..., SPINE[0], :], axis=-1) / 2
    for joint, abduction, elevation, side in SCAPULAE:
        a, e = side * q[:, abduction], side * q[:, elevation] - np.pi / 4
        sideways = side * across * (np.sqrt(0.5) - np.cos(a) * np.cos(e))
        shifts[:, joint] = np.stack([sideways, -upright * (np.sin(e) + np.sqrt(0.5)), across * np.sin(a)], -1)
    return shifts


def arc_end(angle):
    """The end of an arc of length 1 that bends by `angle`: how far aside, (1 - cos a) / a, and how much lower, 1 - sin a / a."""
    angle = np.asarray(angle, float)
    return angle / 2 * np.sinc(angle / (2 * np.pi)) ** 2, 1 - np.sinc(angle / np.pi)


def skel_kinematics(q, rest_joints, bone_frames, transl=None):
    """Pose SKEL's skeleton.

    Args:
        q: (F,46) rad. rest_joints: (24,3) m. bone_frames: (24,3,3), K Ra^T: `SkelTemplate.bone_frames(betas)`.
        transl: (F,3) m, or None.

    Returns:
        a SkelPose. Skinning turns a vertex by rotations[f, j] about rest_joints[j] and moves that to joints[f, j]. A bone whose
        rest orientation is bone_frames[j] turns, in its own axes, by `dof_rotations(q)[f, j]`.
    """
    rest_joints = np.asarray(rest_joints, float)
    local = dof_rotations(q, dof_axes_in_body(bone_frames))
    steps = joint_offsets(rest_joints) + joint_shifts(q, rest_joints)
    joints, rotations = np.empty(steps.shape), np.empty_like(local)
    joints[:, 0], rotations[:, 0] = steps[:, 0], local[:, 0]
    for joint in range(1, 24):
        above = SKEL_PARENTS[joint]
        joints[:, joint] = joints[:, above] + np.einsum("fab,fb->fa", rotations[:, above], steps[:, joint])
        rotations[:, joint] = rotations[:, above] @ local[:, joint]
    return SkelPose(joints if transl is None else joints + np.asarray(transl, float)[:, None], rotations, local)


def dof_axes_in_body(bone_frames):
    """The angles' axes in the body's axes at rest, (..., 46, 3), of bone frames (..., 24, 3, 3)."""
    joints = np.repeat(np.arange(24), [dofs.stop - dofs.start for dofs in JOINT_DOFS])
    return np.einsum("...dab,db->...da", bone_frames[..., joints, :, :], DOF_AXES)


def _skew(v):
    """The matrix (..., 3, 3) that multiplies like the cross product with v (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(v, float), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
