"""Keys of bones that stretch: rotation, scale along the bone, and location where scale cannot bring a joint to its position."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.bone_stretching import aim_bones, bone_length_ratios, joint_offsets
from ...core.records import Motion
from ...core.rotations import align_quat_signs
from ..context import armature_data
from ..motion.keyframes import Curve, vector_curves
from .armature import bone_quats, rest_rotmats

# Smaller changes are not keyed: of a location in m, and of a bone's length as a ratio.
_MIN_LOCATION, _MIN_SCALE_CHANGE = 1e-5, 1e-5


def stretch_curves(armature_object: bpy.types.Object, motion: Motion, bone_scale: bool = True) -> list[Curve]:
    """Curves that bring every bone's head to its position in a Motion with `joints`.

    The children of a bone that scales do not inherit its scale.

    Args:
        armature_object: from `build_armature` of that Motion.
        bone_scale: scale bones with one child joint along themselves; otherwise bones move and do not scale.
    """
    motion = aim_bones(motion)
    names, parents = motion.joint_names, motion.parents
    rest = rest_rotmats(armature_object, names)
    ratios = bone_length_ratios(motion) if bone_scale else np.ones(motion.rotations.shape[:2])
    is_scaled = np.abs(ratios - 1).max(0) > _MIN_SCALE_CHANGE
    ratios[:, ~is_scaled] = 1
    rotations = align_quat_signs(bone_quats(motion.rotations, rest))
    locations = _location_channels(motion, rest, ratios)
    bones = armature_data(armature_object).bones
    curves: list[Curve] = []
    for joint, name in enumerate(names):
        path = f'pose.bones["{name}"]'
        if parents[joint] < 0 or np.abs(locations[:, joint]).max() > _MIN_LOCATION:
            curves += vector_curves(f"{path}.location", locations[:, joint], name)
        curves += vector_curves(f"{path}.rotation_quaternion", rotations[:, joint], name)
        if is_scaled[joint]:
            curves.append(Curve(f"{path}.scale", 1, ratios[:, joint], name))
        if parents[joint] >= 0 and is_scaled[parents[joint]]:
            bones[name].inherit_scale = "NONE"
    return curves


def _location_channels(motion: Motion, rest: FloatArray, ratios: FloatArray) -> FloatArray:
    """The bones' location channels, (F,J,3): each joint's offset from its parent beyond the parent's rotation and scale.

    A parent of axes B and length ratio s along its y maps a child's offset d to B diag(1, s, 1) B^T d, and so the axes of the
    child's location.
    """
    offsets = joint_offsets(motion)
    has_parent = motion.parents >= 0
    parents = motion.parents[has_parent]
    along = rest[parents, :, 1]
    shrunk = (1 / ratios[:, parents] - 1) * np.einsum("ja,fja->fj", along, offsets[:, has_parent])
    offsets[:, has_parent] += shrunk[..., None] * along
    at_rest = motion.rest_joints.copy()
    at_rest[has_parent] -= motion.rest_joints[parents]
    return np.einsum("jab,fja->fjb", rest, offsets - at_rest)
