"""Bones that stretch: rotations and lengths that bring the joints of a Motion to their target positions.

A bone with one child joint is rotated by the least angle so that it points to the child's target, and scaled to reach it. A bone
with several children, such as the pelvis, is rotated to fit their targets best and keeps its length; its children are
translated by the rest. Bones without children stay as they are.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .array_types import FloatArray, IntArray
from .axis_rotations import rotation_between
from .motion import forward_kinematics
from .records import Motion
from .rotations import quat_from_rotmat

# Weight of the current rotation in the fit of a bone with several children, relative to their squared distances: it decides only
# where they are in one line. Ours.
_REGULARIZATION = 1e-4
# Limits of a bone's length over its length at rest; a joint beyond them is translated by the rest. Ours.
_MIN_RATIO, _MAX_RATIO = 0.1, 10.0


def target_joints(motion: Motion) -> FloatArray:
    """The target positions (F,J,3) m of a Motion whose bones stretch.

    Raises:
        ValueError: its bones do not stretch.
    """
    if motion.joints is None:
        raise ValueError("a Motion without `joints` has bones of fixed length")
    return motion.joints


def aim_bones(motion: Motion) -> Motion:
    """A Motion with `joints`, rotated so that each bone points to the targets of its children; its root is at its target."""
    targets = target_joints(motion)
    _, rotations = forward_kinematics(motion)
    for joint in range(len(motion.parents)):
        children = np.flatnonzero(motion.parents == joint)
        if not len(children):
            continue
        current = (motion.rest_joints[children] - motion.rest_joints[joint]) @ np.swapaxes(rotations[:, joint], -1, -2)
        wanted = targets[:, children] - targets[:, joint, None]
        turn = rotation_between(current[:, 0], wanted[:, 0]) if len(children) == 1 else _best_rotation(current, wanted)
        rotations[:, joint] = turn @ rotations[:, joint]
    local = rotations.copy()
    has_parent = motion.parents >= 0
    local[:, has_parent] = np.swapaxes(rotations[:, motion.parents[has_parent]], -1, -2) @ rotations[:, has_parent]
    return replace(motion, rotations=quat_from_rotmat(local), transl=targets[:, 0])


def bone_length_ratios(motion: Motion) -> FloatArray:
    """Length over length at rest of each bone of a Motion with `joints`, (F,J); 1 for bones without exactly one child."""
    targets = target_joints(motion)
    ratios = np.ones(targets.shape[:2])
    for joint, child in _only_children(motion.parents):
        rest_length = np.linalg.norm(motion.rest_joints[child] - motion.rest_joints[joint])
        length = np.linalg.norm(targets[:, child] - targets[:, joint], axis=-1)
        ratios[:, joint] = np.clip(length / max(rest_length, 1e-9), _MIN_RATIO, _MAX_RATIO)
    return ratios


def joint_offsets(motion: Motion) -> FloatArray:
    """Target of each joint of a Motion with `joints` relative to its parent, in the parent's axes, (F,J,3) m; the root's own."""
    targets = target_joints(motion)
    _, rotations = forward_kinematics(motion)
    offsets = targets.copy()
    has_parent = motion.parents >= 0
    parents = motion.parents[has_parent]
    offsets[:, has_parent] -= targets[:, parents]
    offsets[:, has_parent] = np.einsum("fjba,fjb->fja", rotations[:, parents], offsets[:, has_parent])
    return offsets


def _best_rotation(source: FloatArray, target: FloatArray) -> FloatArray:
    """Rotations (F,3,3) about the origin from points (F,N,3) to others with the least squared error. Source: Kabsch 1976."""
    hold = _REGULARIZATION * (source**2).sum((1, 2))
    u, _, vt = np.linalg.svd(np.swapaxes(target, 1, 2) @ source + hold[:, None, None] * np.eye(3))
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return u @ vt


def _only_children(parents: IntArray) -> Iterator[tuple[int, int]]:
    """(joint, child) of every joint with exactly one child."""
    for joint in range(len(parents)):
        children = np.flatnonzero(parents == joint)
        if len(children) == 1:
            yield joint, int(children[0])
