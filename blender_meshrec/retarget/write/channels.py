"""From solved bones to what Blender keys: each pose bone's own rotation and location, and the channels of its rotation mode.

Blender poses a bone as  pose = parent_pose @ (parent_rest^-1 @ rest) @ basis;  without inherited rotation the parent's rest rotation
replaces its pose rotation, and without local location the basis' location is along the parent's axes (Blender 4.2-5.2,
BKE_bone_parent_transform_calc_from_matrices, as its evaluated armatures show).
"""

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.axis_rotations import right_multiply, transpose
from ...core.rotations import align_quat_signs, quat_from_rotmat, rotmat_from_quat
from ..solve.forward_kinematics import BoneArrays, Pose

_AXES = {"X": 0, "Y": 1, "Z": 2}


def solve_bone_channels(pose: Pose, bone_rotations: BoneArrays, heads: BoneArrays) -> tuple[IntArray, FloatArray, BoneArrays]:
    """Express a pose as bases of its rotated bones, without the locked channels.

    Args:
        pose: posed anew here, in place. bone_rotations: bone -> wanted (F,3,3) in the pose's axes. heads: bone -> wanted (F,3) m.

    Returns:
        bones (N,), rising numbers; rotations (F,N,4) wxyz with continuous signs; and locations: bone -> (F,3) in armature units.

    A bone with a locked channel turns as far as the lock allows; the bones below still turn as wanted.
    """
    rest, rig = pose.rest, pose.rest.rig
    num_frames = pose.heads.shape[1]
    keyed = sorted(bone_rotations)
    bases: FloatArray = np.empty((len(keyed), num_frames, 3, 3))
    locations: BoneArrays = {}
    row = {bone: number for number, bone in enumerate(keyed)}
    for bone, parent in enumerate(rig.parents):
        # Rotation of the bone and axes of its location with an identity basis.
        unturned: FloatArray = np.broadcast_to(rest.rotations[bone], (num_frames, 3, 3))
        location_axes = unturned
        if parent >= 0:
            location_axes = right_multiply(pose.rotations[parent], rest.local_rotations[bone])
            unturned = location_axes if rig.inherit_rotation[bone] else unturned
            pose.heads[bone] = pose.heads[parent] + pose.rotations[parent] @ rest.offsets[bone]
        else:
            pose.heads[bone] = rest.heads[bone]
        pose.rotations[bone] = unturned
        if bone in row:
            basis, pose.rotations[bone] = _unlocked_basis(unturned, bone_rotations[bone], rig.lock_rotation[bone], rig.rotation_modes[bone])
            bases[row[bone]] = basis
        if bone in heads:
            if not rig.local_location[bone]:
                parent_axes = pose.rotations[parent] if parent >= 0 else rest.world_rotation
                location_axes = np.broadcast_to(parent_axes, (num_frames, 3, 3))
            local = np.einsum("fji,fj->fi", location_axes, heads[bone] - pose.heads[bone])
            local[:, rig.lock_location[bone] | rig.connected[bone]] = 0.0
            pose.heads[bone] += np.einsum("fij,fj->fi", location_axes, local)
            locations[bone] = local / rest.scale
    quats = align_quat_signs(quat_from_rotmat(bases).swapaxes(0, 1))
    return np.array(keyed), quats, locations


def _unlocked_basis(unturned: FloatArray, wanted: FloatArray, locked: BoolArray, mode: str) -> tuple[FloatArray, FloatArray]:
    """The basis (F,3,3) that turns a bone from `unturned` to `wanted` (F,3,3) as far as its locks allow, and the bone's rotation."""
    basis = transpose(unturned) @ wanted
    if not locked.any():
        return basis, wanted
    basis = _apply_locks(basis, locked, mode)
    return basis, unturned @ basis


def _apply_locks(basis: FloatArray, locked: BoolArray, mode: str) -> FloatArray:
    """A basis (F,3,3) with its locked Euler angles (3,) bool set to zero, in the bone's own order, or XYZ in other modes."""
    if locked.all():
        return np.broadcast_to(np.eye(3), basis.shape)
    if (~locked).sum() == 1:  # one free axis: the twist about it
        axis = np.eye(3)[~locked][0]
        quat = quat_from_rotmat(basis)
        quat[:, 1:] *= axis
        return rotmat_from_quat(quat)
    order = mode if set(mode) == set("XYZ") else "XYZ"
    angles = euler_from_rotmat(basis, order)
    angles[:, locked] = 0.0
    return rotmat_from_euler(angles, order)


def rotation_channels(quat_wxyz: FloatArray, mode: str) -> tuple[str, FloatArray]:
    """A bone's rotations as the channels of its rotation mode.

    Args:
        quat_wxyz: (F,4). mode: Blender's name: QUATERNION, AXIS_ANGLE, XYZ, XZY, YXZ, YZX, ZXY or ZYX.

    Returns:
        The property's name, and its values: (F,4) wxyz, (F,4) angle in rad and axis, or (F,3) rad, all continuous over frames.
    """
    if mode == "QUATERNION":
        return "rotation_quaternion", align_quat_signs(quat_wxyz)
    if mode == "AXIS_ANGLE":
        return "rotation_axis_angle", _axis_angle(align_quat_signs(quat_wxyz))
    return "rotation_euler", continuous_euler(euler_from_rotmat(rotmat_from_quat(quat_wxyz), mode), mode)


def _axis_angle(quat: FloatArray) -> FloatArray:
    """Angle and axis (F,4) of quaternions (F,4) with continuous signs: the axis never flips, the angle passes through zero instead."""
    length = np.linalg.norm(quat[:, 1:], axis=1)
    known = length > 1e-6
    if not known.any():
        return np.tile([0.0, 0.0, 1.0, 0.0], (len(quat), 1))
    nearest = np.maximum.accumulate(np.where(known, np.arange(len(quat)), -1))
    nearest[nearest < 0] = np.flatnonzero(known)[0]
    axis = (quat[:, 1:] / np.maximum(length, 1e-12)[:, None])[nearest]
    flips = np.where((axis[1:] * axis[:-1]).sum(1) < 0, -1.0, 1.0)
    sign = np.concatenate([[1.0], np.cumprod(flips)])
    axis = axis * sign[:, None]
    angle = np.unwrap(2 * np.arctan2((quat[:, 1:] * axis).sum(1), quat[:, 0]))
    return np.concatenate([angle[:, None], axis], 1)


def rotmat_from_euler(angles: FloatArray, order: str) -> FloatArray:
    """Rotation matrices (..., 3, 3) of Blender's Euler angles (..., 3) rad about x, y, z, applied in `order`: "XYZ" turns about x first."""
    result: FloatArray = np.eye(3)
    for letter in order:
        axis = _AXES[letter]
        sine, cosine = np.sin(angles[..., axis]), np.cos(angles[..., axis])
        turn = np.zeros((*angles.shape[:-1], 3, 3))
        turn[..., axis, axis] = 1
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[..., i, i] = turn[..., j, j] = cosine
        turn[..., i, j], turn[..., j, i] = -sine, sine
        result = turn @ result
    return result


def euler_from_rotmat(rotmat: FloatArray, order: str) -> FloatArray:
    """Blender's Euler angles (F,3) rad of rotation matrices (F,3,3), the second of `order` within a right angle.

    Where the second is a right angle (gimbal lock), only the sum of the two others is defined: the third keeps its last value.
    """
    i, j, k = (_AXES[letter] for letter in order)
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    # With R = Rk(c) Rj(b) Ri(a):  R[k,i] = -+ sin b,  R[k,j] and R[k,k] give a,  R[j,i] and R[i,i] give c.
    sine = np.clip(-parity * rotmat[:, k, i], -1, 1)
    cosine = np.hypot(rotmat[:, i, i], rotmat[:, j, i])
    b = np.arctan2(sine, cosine)
    a = np.arctan2(parity * rotmat[:, k, j], rotmat[:, k, k])
    c = np.arctan2(parity * rotmat[:, j, i], rotmat[:, i, i])
    free = cosine > 1e-6
    if not free.all():
        last = np.maximum.accumulate(np.where(free, np.arange(len(free)), -1))
        c = np.where(free, c, np.where(last >= 0, c[last], 0.0))
        # With c known, Rk(c)^T R leaves the rotation about i in the rows j and k.
        turned = _about_axis(k, -c) @ rotmat
        a = np.where(free, a, np.arctan2(-parity * turned[:, j, k], turned[:, j, j]))
    angles = np.empty((len(rotmat), 3))
    angles[:, i], angles[:, j], angles[:, k] = a, b, c
    return angles


def _about_axis(axis: int, angle: FloatArray) -> FloatArray:
    angles = np.zeros((len(angle), 3))
    angles[:, axis] = angle
    return rotmat_from_euler(angles, "XYZ")


def continuous_euler(angles: FloatArray, order: str) -> FloatArray:
    """The same rotations with Euler angles (F,3) rad that change least from frame to frame.

    Every rotation has two triples, (a, b, c) and (a + pi, pi - b, c + pi) with b the second angle, each up to full turns.
    Whether to switch triples between two frames does not depend on the triple before, so all frames are solved at once.
    """
    second = _AXES[order[1]]
    others = [axis for axis in range(3) if axis != second]
    cost_of_same = np.abs(_wrap_angles(np.diff(angles, axis=0))).sum(1)
    cost_of_other = np.abs(_wrap_angles(np.diff(angles[:, others], axis=0) + np.pi)).sum(1)
    cost_of_other += np.abs(_wrap_angles(np.pi - angles[1:, second] - angles[:-1, second]))
    switched = np.concatenate([[0], np.cumsum(cost_of_other < cost_of_same - 1e-9)]) % 2 == 1
    angles = angles.copy()
    angles[switched, second] = np.pi - angles[switched, second]
    angles[np.ix_(switched, others)] += np.pi
    angles = np.unwrap(angles, axis=0)
    return angles - 2 * np.pi * np.round(angles[:1] / (2 * np.pi))


def _wrap_angles(angles: FloatArray) -> FloatArray:
    return (angles + np.pi) % (2 * np.pi) - np.pi
