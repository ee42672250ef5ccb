"""Bones that stretch: how they turn and how long they are so that the joints of a Motion land where it says they shall.

A bone with one joint at its end turns by the least rotation that makes it point there, and grows or shrinks to reach it. A bone with
several, as the pelvis, turns to where they lie best together and keeps its length: what hangs from it is moved the rest of the way.
Bones with none stay as they are.
"""

from dataclasses import replace

import numpy as np

from .axis_rotations import rotation_between
from .motion import forward_kinematics
from .rotations import quat_from_rotmat

# What holds a bone with several joints at its ends to its own turn, of their squared distances: little, for joints in one line. Ours.
_REGULARISATION = 1e-4
# How many times its length at rest a bone may have; a joint further away is moved the rest of the way. Ours.
_MIN_RATIO, _MAX_RATIO = 0.1, 10.0


def aim_bones(motion):
    """A Motion with `joints` turned so that every bone points to where the joints at its end shall land; its root is there, too."""
    _, rotations = forward_kinematics(motion)
    for joint in range(len(motion.parents)):
        children = np.flatnonzero(motion.parents == joint)
        if not len(children):
            continue
        now = (motion.rest_joints[children] - motion.rest_joints[joint]) @ np.swapaxes(rotations[:, joint], -1, -2)
        wanted = motion.joints[:, children] - motion.joints[:, joint, None]
        turn = rotation_between(now[:, 0], wanted[:, 0]) if len(children) == 1 else _best_rotation(now, wanted)
        rotations[:, joint] = turn @ rotations[:, joint]
    local = rotations.copy()
    has_parent = motion.parents >= 0
    local[:, has_parent] = np.swapaxes(rotations[:, motion.parents[has_parent]], -1, -2) @ rotations[:, has_parent]
    return replace(motion, rotations=quat_from_rotmat(local), transl=motion.joints[:, 0])


def bone_length_ratios(motion):
    """How many times its length at rest each bone of a Motion with `joints` has, (F,J); 1 for bones without just one joint at the end."""
    times = np.ones(motion.joints.shape[:2])
    for joint, child in _only_children(motion.parents):
        rest = np.linalg.norm(motion.rest_joints[child] - motion.rest_joints[joint])
        length = np.linalg.norm(motion.joints[:, child] - motion.joints[:, joint], axis=-1)
        times[:, joint] = np.clip(length / max(rest, 1e-9), _MIN_RATIO, _MAX_RATIO)
    return times


def joint_offsets(motion):
    """Where each joint of a Motion with `joints` lies from its parent, in the parent's axes, (F,J,3) m; the root from the origin."""
    _, rotations = forward_kinematics(motion)
    away = motion.joints.copy()
    has_parent = motion.parents >= 0
    parents = motion.parents[has_parent]
    away[:, has_parent] -= motion.joints[:, parents]
    away[:, has_parent] = np.einsum("fjba,fjb->fja", rotations[:, parents], away[:, has_parent])
    return away


def _best_rotation(source, target):
    """The rotations (F,3,3) that bring points (F,N,3) about the origin nearest to others. Source: Kabsch 1976."""
    hold = _REGULARISATION * (source**2).sum((1, 2))
    u, _, vt = np.linalg.svd(np.swapaxes(target, 1, 2) @ source + hold[:, None, None] * np.eye(3))
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def _only_children(parents):
    """(joint, child) of every joint that has one child."""
    for joint in range(len(parents)):
        children = np.flatnonzero(parents == joint)
        if len(children) == 1:
            yield joint, int(children[0])
