"""From where bones are to what Blender keys: each pose bone's own rotation and place, and the channels of its rotation mode.

Blender poses a bone as  pose = parent_pose @ (parent_rest^-1 @ rest) @ basis;  without inherited rotation the parent's pose
rotation gives way to its rest, and without local location the basis' place is along the parent's axes (Blender 4.2-5.2,
BKE_bone_parent_transform_calc_from_matrices, as its evaluated armatures show).
"""

import numpy as np

from ...core.axis_rotations import right_multiply, transpose
from ...core.rotations import align_quat_signs, quat_from_rotmat, rotmat_from_quat

_AXES = {"X": 0, "Y": 1, "Z": 2}


def solve_bone_channels(pose, bone_rotations, heads):
    """Express a Pose as bases of its turned bones, with locked channels left alone.

    Args:
        pose: a Pose, filled anew here. bone_rotations: bone -> (F,3,3) wanted in the world. heads: bone -> (F,3) m wanted.

    Returns:
        bones (N,) numbers in order, rotations (F,N,4) wxyz with continuous signs, and locations: bone -> (F,3) in armature units.

    A bone with a locked channel goes as far as the lock lets it; the bones below still turn as wanted.
    """
    rest, rig = pose.rest, pose.rest.rig
    frames = pose.heads.shape[1]
    keyed = sorted(bone_rotations)
    bases, locations = np.empty((len(keyed), frames, 3, 3)), {}
    row = {bone: number for number, bone in enumerate(keyed)}
    for bone, parent in enumerate(rig.parents):
        held = np.broadcast_to(rest.rotations[bone], (frames, 3, 3))
        if parent >= 0:
            along = right_multiply(pose.rotations[parent], rest.local_rotations[bone])
            held = along if rig.inherit_rotation[bone] else held
            pose.heads[bone] = pose.heads[parent] + pose.rotations[parent] @ rest.offsets[bone]
        else:
            along = held
            pose.heads[bone] = rest.heads[bone]
        if bone in row:
            basis = transpose(held) @ bone_rotations[bone]
            locked = rig.lock_rotation[bone]
            if locked.any():
                basis = _apply_locks(basis, locked, rig.rotation_modes[bone])
                pose.rotations[bone] = held @ basis
            else:
                pose.rotations[bone] = bone_rotations[bone]
            bases[row[bone]] = basis
        else:
            pose.rotations[bone] = held
        if bone in heads:
            if not rig.local_location[bone]:
                along = pose.rotations[parent] if parent >= 0 else np.broadcast_to(rest.world_rotation, (frames, 3, 3))
            local = np.einsum("fji,fj->fi", along, heads[bone] - pose.heads[bone])
            local[:, rig.lock_location[bone] | rig.connected[bone]] = 0.0
            pose.heads[bone] += np.einsum("fij,fj->fi", along, local)
            locations[bone] = local / rest.scale
    quats = align_quat_signs(quat_from_rotmat(bases).swapaxes(0, 1))
    return np.array(keyed), quats, locations


def _apply_locks(basis, locked, mode):
    """A basis (F,3,3) whose locked angles (3,) bool are zero: of its own Euler order, or of XYZ for other modes."""
    if locked.all():
        return np.broadcast_to(np.eye(3), basis.shape)
    if (~locked).sum() == 1:  # one free axis: the turning about it
        axis = np.eye(3)[~locked][0]
        quat = quat_from_rotmat(basis)
        quat[:, 1:] *= axis
        return rotmat_from_quat(quat)
    order = mode if set(mode) == set("XYZ") else "XYZ"
    angles = euler_from_rotmat(basis, order)
    angles[:, locked] = 0.0
    return rotmat_from_euler(angles, order)


def rotation_channels(quat_wxyz, mode):
    """A bone's rotations as the channels of its rotation mode.

    Args:
        quat_wxyz: (F,4). mode: Blender's name: QUATERNION, AXIS_ANGLE, XYZ, XZY, YXZ, YZX, ZXY or ZYX.

    Returns:
        the property's name, and its values: (F,4) wxyz, (F,4) rad and axis, or (F,3) rad, all continuous over frames.
    """
    if mode == "QUATERNION":
        return "rotation_quaternion", align_quat_signs(quat_wxyz)
    if mode == "AXIS_ANGLE":
        return "rotation_axis_angle", _axis_angle(align_quat_signs(quat_wxyz))
    return "rotation_euler", continuous_euler(euler_from_rotmat(rotmat_from_quat(quat_wxyz), mode), mode)


def _axis_angle(quat):
    """Angle and axis (F,4) of quaternions with continuous signs: the axis never flips, the angle goes through zero instead."""
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


def rotmat_from_euler(angles, order):
    """Blender's Euler angles (..., 3) rad, about x, y, z in any case, applied in `order`: "XYZ" turns about x first."""
    result = None
    for letter in order:
        axis = _AXES[letter]
        sine, cosine = np.sin(angles[..., axis]), np.cos(angles[..., axis])
        turn = np.zeros((*angles.shape[:-1], 3, 3))
        turn[..., axis, axis] = 1
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[..., i, i] = turn[..., j, j] = cosine
        turn[..., i, j], turn[..., j, i] = -sine, sine
        result = turn if result is None else turn @ result
    return result


def euler_from_rotmat(rotmat, order):
    """Blender's Euler angles (F,3) rad of rotation matrices (F,3,3): the second turn within a right angle.

    Where the second turn is a right angle only the sum of the two others is known: the third keeps its last known value.
    """
    i, j, k = (_AXES[letter] for letter in order)
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    # With R = Rk(c) Rj(b) Ri(a):  R[k,i] = -+ sin b,  R[k,j] and R[k,k] tell a,  R[j,i] and R[i,i] tell c.
    sine = np.clip(-parity * rotmat[:, k, i], -1, 1)
    cosine = np.hypot(rotmat[:, i, i], rotmat[:, j, i])
    b = np.arctan2(sine, cosine)
    a = np.arctan2(parity * rotmat[:, k, j], rotmat[:, k, k])
    c = np.arctan2(parity * rotmat[:, j, i], rotmat[:, i, i])
    free = cosine > 1e-6
    if not free.all():
        last = np.maximum.accumulate(np.where(free, np.arange(len(free)), -1))
        c = np.where(free, c, np.where(last >= 0, c[last], 0.0))
        # With c known, Rk(c)^T R has its turn about i left in the rows j and k.
        turned = _about_axis(k, -c) @ rotmat
        a = np.where(free, a, np.arctan2(-parity * turned[:, j, k], turned[:, j, j]))
    angles = np.empty((len(rotmat), 3))
    angles[:, i], angles[:, j], angles[:, k] = a, b, c
    return angles


def _about_axis(axis, angle):
    angles = np.zeros((len(angle), 3))
    angles[:, axis] = angle
    return rotmat_from_euler(angles, "XYZ")


def continuous_euler(angles, order):
    """The same rotations with angles (F,3) rad that move the least from frame to frame.

    Every rotation has two triples, (a, b, c) and (a + pi, pi - b, c + pi) with b the second turn, each free by full turns.
    Whether to change from one to the other does not depend on which was taken before: it is known for all frames at once.
    """
    second = _AXES[order[1]]
    others = [axis for axis in range(3) if axis != second]
    stay = np.abs(_wrap_angles(np.diff(angles, axis=0))).sum(1)
    change = np.abs(_wrap_angles(np.diff(angles[:, others], axis=0) + np.pi)).sum(1)
    change += np.abs(_wrap_angles(np.pi - angles[1:, second] - angles[:-1, second]))
    changed = np.concatenate([[0], np.cumsum(change < stay - 1e-9)]) % 2 == 1
    angles = angles.copy()
    angles[changed, second] = np.pi - angles[changed, second]
    angles[np.ix_(changed, others)] += np.pi
    angles = np.unwrap(angles, axis=0)
    return angles - 2 * np.pi * np.round(angles[:1] / (2 * np.pi))


def _wrap_angles(angles):
    return (angles + np.pi) % (2 * np.pi) - np.pi
