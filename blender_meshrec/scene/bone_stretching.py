"""Bones that stretch, in Blender: keys of rotation, of scale along the bone, and of location where scale cannot bring a joint."""

import numpy as np

from ..core.bone_stretching import aim_bones, bone_length_ratios, joint_offsets
from ..core.rotations import align_quat_signs
from .armature import bone_quats, rest_rotmats
from .keyframes import Curve, vector_curves

# What moves a joint less than this is no key: of a metre, and of a bone's length.
_MIN_MOVE, _MIN_SCALE_CHANGE = 1e-5, 1e-5


def stretch_curves(rig, motion, bone_scale=True):
    """Curves that bring every bone's head to where a Motion with `joints` wants it; bones below one that scales do not inherit that.

    Args:
        rig: an armature object from `build_armature` of that Motion.
        bone_scale: let bones with one joint at their end grow along themselves; without, joints are moved to their places alone.
    """
    motion = aim_bones(motion)
    names, parents = motion.joint_names, motion.parents
    rest = rest_rotmats(rig, names)
    times = bone_length_ratios(motion) if bone_scale else np.ones(motion.joints.shape[:2])
    scales = np.abs(times - 1).max(0) > _MIN_SCALE_CHANGE
    times[:, ~scales] = 1
    turns = align_quat_signs(bone_quats(motion.rotations, rest))
    moves = _location_channels(motion, rest, times)
    curves = []
    for joint, name in enumerate(names):
        bone = f'pose.bones["{name}"]'
        if parents[joint] < 0 or np.abs(moves[:, joint]).max() > _MIN_MOVE:
            curves += vector_curves(f"{bone}.location", moves[:, joint], name)
        curves += vector_curves(f"{bone}.rotation_quaternion", turns[:, joint], name)
        if scales[joint]:
            curves.append(Curve(f"{bone}.scale", 1, times[:, joint], name))
        if parents[joint] >= 0 and scales[parents[joint]]:
            rig.data.bones[name].inherit_scale = "NONE"
    return curves


def _location_channels(motion, rest, times):
    """The bones' location channels, (F,J,3): what is left of each joint's way from its parent when that has turned and grown.

    A parent of axes B grown s times along its y takes a child from d to B diag(1, s, 1) B^T d, and its location's axes along.
    """
    away = joint_offsets(motion)
    has_parent = motion.parents >= 0
    above = motion.parents[has_parent]
    along = rest[above, :, 1]
    shrunk = (1 / times[:, above] - 1) * np.einsum("ja,fja->fj", along, away[:, has_parent])
    away[:, has_parent] += shrunk[..., None] * along
    at_rest = motion.rest_joints.copy()
    at_rest[has_parent] -= motion.rest_joints[above]
    return np.einsum("jab,fja->fjb", rest, away - at_rest)
