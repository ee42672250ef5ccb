"""Bones that stretch, in Blender: keys of rotation, of scale along the bone, and of location where scale cannot bring a joint."""

import numpy as np

from ..core.bone_stretching import aimed, lengthening, offsets
from ..core.rotations import short_arc
from .armature import bone_rotations, rest_rotations
from .keyframes import Curve, vector_curves

# What moves a joint less than this is no key: of a metre, and of a bone's length.
_LEAST_MOVE, _LEAST_SCALE = 1e-5, 1e-5


def stretch_curves(rig, motion, bone_scale=True):
    """Curves that bring every bone's head to where a Motion with `joints` wants it; bones below one that scales do not inherit that.

    Args:
        rig: an armature object from `build_armature` of that Motion.
        bone_scale: let bones with one joint at their end grow along themselves; without, joints are moved to their places alone.
    """
    motion = aimed(motion)
    names, parents = motion.joint_names, motion.parents
    rest = rest_rotations(rig, names)
    times = lengthening(motion) if bone_scale else np.ones(motion.joints.shape[:2])
    scales = np.abs(times - 1).max(0) > _LEAST_SCALE
    times[:, ~scales] = 1
    turns = short_arc(bone_rotations(motion.rotations, rest))
    moves = _locations(motion, rest, times)
    curves = []
    for joint, name in enumerate(names):
        bone = f'pose.bones["{name}"]'
        if parents[joint] < 0 or np.abs(moves[:, joint]).max() > _LEAST_MOVE:
            curves += vector_curves(f"{bone}.location", moves[:, joint], name)
        curves += vector_curves(f"{bone}.rotation_quaternion", turns[:, joint], name)
        if scales[joint]:
            curves.append(Curve(f"{bone}.scale", 1, times[:, joint], name))
        if parents[joint] >= 0 and scales[parents[joint]]:
            rig.data.bones[name].inherit_scale = "NONE"
    return curves


def _locations(motion, rest, times):
    """The bones' location channels, (F,J,3): what is left of each joint's way from its parent when that has turned and grown.

    A parent of axes B grown s times along its y takes a child from d to B diag(1, s, 1) B^T d, and its location's axes along.
    """
    away = offsets(motion)
    has_parent = motion.parents >= 0
    above = motion.parents[has_parent]
    along = rest[above, :, 1]
    shrunk = (1 / times[:, above] - 1) * np.einsum("ja,fja->fj", along, away[:, has_parent])
    away[:, has_parent] += shrunk[..., None] * along
    at_rest = motion.rest_joints.copy()
    at_rest[has_parent] -= motion.rest_joints[above]
    return np.einsum("jab,fja->fjb", rest, away - at_rest)
