"""SKEL's angles as Euler channels of an armature's bones: each channel is one anatomical angle with its sign.

The axes of a bone are chosen so that its angles are positive rotations about them, in the order of one of Blender's rotation modes.
The angles therefore determine the direction of the bone; its y axis is as close to the direction of the limb as they allow.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from ..array_types import ArrayLike, FloatArray, IntArray
from ..conventions import WORLD_FROM_BODY
from .kinematics import dof_rotations, joint_offsets
from .vocabulary import DOF_AXES, JOINT_DOFS, SKEL_PARENTS

_LETTERS = "XYZ"


class EulerChannels(NamedTuple):
    """The Euler channels of SKEL's 24 bones.

    modes: 24 of Blender's rotation modes, the order in which the angles rotate. columns: (46,), the axis 0, 1 or 2 of each angle.
    frames: (24,3,3), the bones' axes in the axes of the body at rest, y up.
    """

    modes: tuple[str, ...]
    columns: IntArray
    frames: FloatArray


def skel_channels(rest_joints: ArrayLike, bone_frames: FloatArray) -> EulerChannels:
    """Assign the 46 angles to the Euler channels of 24 bones.

    Args:
        rest_joints: (24,3) m, y up. bone_frames: (24,3,3), `SkelTemplate.bone_frames`.

    Returns:
        The channels. With a bone's rotation R from rest in the body's axes and its frame f, f^T R f is the Euler rotation of
        its angles in its mode.
    """
    directions = limb_directions(rest_joints)
    modes: list[str] = []
    columns, frames = np.empty(len(DOF_AXES), np.int64), np.empty((24, 3, 3))
    for joint, dofs in enumerate(JOINT_DOFS):
        direction = bone_frames[joint].T @ directions[joint]
        letters, axes = _choose_bone_axes(DOF_AXES[dofs], direction)
        columns[dofs] = [_LETTERS.index(letter) for letter in letters]
        modes.append(letters if len(letters) == 3 else "XYZ")
        frames[joint] = bone_frames[joint] @ axes
    return EulerChannels(tuple(modes), columns, frames)


def _choose_bone_axes(axes: FloatArray, direction: FloatArray) -> tuple[str, FloatArray]:
    """Axes of a bone whose angles rotate about `axes` (D,3), and whose limb has a `direction` (3,).

    Returns:
        The letter of each angle's axis, and the bone's axes as columns (3,3).
    """
    if len(axes) == 3:
        candidates = {"".join(order): np.stack([axes[order.index(letter)] for letter in _LETTERS], -1) for order in permutations(_LETTERS)}
        right_handed = [letters for letters, columns in candidates.items() if np.linalg.det(columns) > 0]
        letters = max(right_handed, key=lambda letters: abs(candidates[letters][:, 1] @ direction))
        return letters, candidates[letters]
    if len(axes) == 2:
        return "XZ", np.stack([axes[0], np.cross(axes[1], axes[0]), axes[1]], -1)
    x = axes[0] / np.linalg.norm(axes[0])
    y = direction - (direction @ x) * x
    y /= np.linalg.norm(y)
    return "X", np.stack([x, y, np.cross(x, y)], -1)


def limb_directions(rest_joints: ArrayLike) -> FloatArray:
    """Direction of each bone's limb, (24,3) unit vectors: to its first child, or else from its parent; up for the pelvis."""
    offsets = joint_offsets(rest_joints)
    directions = offsets.copy()
    for joint in range(23, 0, -1):
        directions[SKEL_PARENTS[joint]] = offsets[joint]
    directions[0] = (0.0, 1.0, 0.0)
    return directions / np.maximum(np.linalg.norm(directions, axis=-1, keepdims=True), 1e-9)


def upright_from_world_angles(q: ArrayLike, pelvis_frame: FloatArray) -> FloatArray:
    """Convert the pelvis angles from a y-up body whose root rotates it into the z-up world, to a body that is upright at rest.

    Args:
        q: (F,46) rad; forward(q) is in the world without a further rotation.
        pelvis_frame: (3,3), the first of `SkelTemplate.bone_frames`.

    Returns:
        (F,46): only tilt, list and rotation of the pelvis change. They are about zero for an upright subject that faces -y, and
        continuous where the motion is.
    """
    return _rotate_root(WORLD_FROM_BODY.T, q, pelvis_frame)


def world_from_upright_angles(q: ArrayLike, pelvis_frame: FloatArray) -> FloatArray:
    """The inverse of `upright_from_world_angles`."""
    return _rotate_root(WORLD_FROM_BODY, q, pelvis_frame)


def upright_from_world_transl(skel_trans: ArrayLike, rest_root: FloatArray) -> FloatArray:
    """Convert translations (F,3) m as `upright_from_world_angles` converts angles; rest_root: (3,) m, root joint at rest."""
    return (np.asarray(skel_trans, float) + rest_root) @ WORLD_FROM_BODY - rest_root


def world_from_upright_transl(transl: ArrayLike, rest_root: FloatArray) -> FloatArray:
    """The inverse of `upright_from_world_transl`."""
    return (np.asarray(transl, float) + rest_root) @ WORLD_FROM_BODY.T - rest_root


def _rotate_root(rotation: FloatArray, q: ArrayLike, pelvis_frame: FloatArray) -> FloatArray:
    q = np.array(q, float)
    root = rotation @ pelvis_frame @ dof_rotations(q)[:, 0] @ pelvis_frame.T
    q[:, :3] = pelvis_angles(pelvis_frame.T @ root @ pelvis_frame)
    return q


def pelvis_angles(rotations: FloatArray) -> FloatArray:
    """Tilt, list and rotation (F,3) rad from rotations (F,3,3) in the pelvis's frame, R = Ry Rx Rz, continuous over frames."""
    tilt = np.arctan2(rotations[:, 1, 0], rotations[:, 1, 1])
    pelvis_list = np.arcsin(np.clip(-rotations[:, 1, 2], -1, 1))
    rotation = np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2])
    # In gimbal lock, tilt and rotation have the same axis: the tilt is set to zero.
    locked = np.abs(rotations[:, 1, 2]) > 1 - 1e-9
    rotation = np.where(locked, np.arctan2(-rotations[:, 2, 0], rotations[:, 0, 0]), rotation)
    return np.unwrap(np.stack([np.where(locked, 0.0, tilt), pelvis_list, rotation], -1), axis=0)
