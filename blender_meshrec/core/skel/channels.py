"""SKEL's angles as the Euler channels of an armature's bones: each channel is one anatomical angle, sign and all.

A bone's own axes are chosen so that its angles turn about them in the positive sense, in the order of a rotation mode that
Blender has. Which way such a bone points is therefore given by its angles; Y lies along the limb as far as they allow.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from ..conventions import WORLD_FROM_BODY
from .kinematics import dof_rotations, joint_offsets
from .vocabulary import DOF_AXES, JOINT_DOFS, SKEL_PARENTS

_LETTERS = "XYZ"


class EulerChannels(NamedTuple):
    """modes: 24 of Blender's rotation modes, read as the order in which angles turn. columns: (46,), which of x, y, z each angle is.

    frames: (24,3,3), the bones' axes in the axes of the body at rest, y up.
    """

    modes: tuple
    columns: np.ndarray
    frames: np.ndarray


def skel_channels(rest_joints, bone_frames):
    """Lay the 46 angles on the channels of 24 bones.

    Args:
        rest_joints: (24,3) m, y up. bone_frames: (24,3,3), `SkelTemplate.bone_frames`.

    Returns:
        Channels. With R the rotation of a bone from rest in the body's axes and f its frame, f^T R f is the Euler rotation of
        its angles in its mode.
    """
    towards = limb_directions(rest_joints)
    modes, columns, frames = [], np.empty(len(DOF_AXES), np.int64), np.empty((24, 3, 3))
    for joint, dofs in enumerate(JOINT_DOFS):
        along = bone_frames[joint].T @ towards[joint]
        letters, axes = _choose_bone_axes(DOF_AXES[dofs], along)
        columns[dofs] = [_LETTERS.index(letter) for letter in letters]
        modes.append(letters if len(letters) == 3 else "XYZ")
        frames[joint] = bone_frames[joint] @ axes
    return EulerChannels(tuple(modes), columns, frames)


def _choose_bone_axes(axes, along):
    """Letters for the angles about `axes` (D,3), and the bone's own axes as columns (3,3); `along` (3,) is where the limb goes."""
    if len(axes) == 3:
        laid = {"".join(order): np.stack([axes[order.index(letter)] for letter in _LETTERS], -1) for order in permutations(_LETTERS)}
        proper = [letters for letters, own in laid.items() if np.linalg.det(own) > 0]
        letters = max(proper, key=lambda letters: abs(laid[letters][:, 1] @ along))
        return letters, laid[letters]
    if len(axes) == 2:
        return "XZ", np.stack([axes[0], np.cross(axes[1], axes[0]), axes[1]], -1)
    x = axes[0] / np.linalg.norm(axes[0])  # as published, axes are of unit length to eight digits
    y = along - (along @ x) * x
    y /= np.linalg.norm(y)
    return "X", np.stack([x, y, np.cross(x, y)], -1)


def limb_directions(rest_joints):
    """Where each bone's limb goes, (24,3) unit vectors: to its first child, or on as it came; the pelvis up."""
    steps = joint_offsets(rest_joints)
    found = steps.copy()
    for joint in range(23, 0, -1):
        found[SKEL_PARENTS[joint]] = steps[joint]
    found[0] = (0.0, 1.0, 0.0)
    return found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-9)


def upright_from_world_angles(q, pelvis_frame):
    """Angles whose root turns a y-up body into the z-up world, as an upright body has them.

    Args:
        q: (F,46) rad; forward(q) lies in the world without a further rotation.
        pelvis_frame: (3,3), the first of `SkelTemplate.bone_frames`.

    Returns:
        (F,46): the same but for the pelvis, whose tilt, list and rotation are now about zero for a subject who stands facing -y.
        They are continuous where the motion is.
    """
    return _rotate_root(WORLD_FROM_BODY.T, q, pelvis_frame)


def world_from_upright_angles(q, pelvis_frame):
    """The inverse of `upright_from_world_angles`."""
    return _rotate_root(WORLD_FROM_BODY, q, pelvis_frame)


def upright_from_world_transl(skel_trans, rest_root):
    """Translations (F,3) m of a z-up world, as an upright body of root joint rest_root (3,) m has them.

    They go with `upright_from_world_angles`.
    """
    return (np.asarray(skel_trans, float) + rest_root) @ WORLD_FROM_BODY - rest_root


def world_from_upright_transl(transl, rest_root):
    """The inverse of `upright_from_world_transl`."""
    return (np.asarray(transl, float) + rest_root) @ WORLD_FROM_BODY.T - rest_root


def _rotate_root(turn, q, pelvis_frame):
    q = np.array(q, float)
    turned = turn @ pelvis_frame @ dof_rotations(q)[:, 0] @ pelvis_frame.T
    q[:, :3] = pelvis_angles(pelvis_frame.T @ turned @ pelvis_frame)
    return q


def pelvis_angles(rotations):
    """Tilt, list and rotation (F,3) rad of the pelvis's rotations (F,3,3) in its own frame, R = Ry Rx Rz, continuous over the frames."""
    tilt = np.arctan2(rotations[:, 1, 0], rotations[:, 1, 1])
    sideways = np.arcsin(np.clip(-rotations[:, 1, 2], -1, 1))
    heading = np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2])
    # At the pole, tilt and heading turn about the same axis: the tilt is taken as zero.
    pole = np.abs(rotations[:, 1, 2]) > 1 - 1e-9
    heading = np.where(pole, np.arctan2(-rotations[:, 2, 0], rotations[:, 0, 0]), heading)
    return np.unwrap(np.stack([np.where(pole, 0.0, tilt), sideways, heading], -1), axis=0)
