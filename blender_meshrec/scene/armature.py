"""An armature at rest in the shape of one person: a bone for every joint, its head exactly at the joint.

Bones run along the limbs, so their rest frames differ from SMPL's, which are all the identity. `bone_quats` and
`root_location` carry a Motion over.
"""

import bpy
import numpy as np
from mathutils import Vector

from ..core.bone_tails import bone_tails
from ..core.rotations import multiply_quat, quat_from_rotmat
from ..core.skeletons import SMPL_JOINTS

# Blender's older FBX importer connects a bone to one that ends exactly where it begins, and connected bones cannot be moved.
_TAIL_OFFSET = 5e-5  # m
_FRONT, _BACK, _UP = Vector((0, -1, 0)), Vector((0, 1, 0)), Vector((0, 0, 1))


def build_armature(name, motion, collection, offset_tails=False):
    """Make an armature object whose rest is `motion`'s rest joints.

    The object stands at the origin with scale 1; +X of every knee and elbow bone is its flexion. The object becomes
    the active one of the view layer: only Blender's edit mode makes bones.

    Args:
        name: of the object and its data.
        motion: a Motion; its joint names become the bones' names.
        collection: where the object goes; it must be part of the current view layer.
        offset_tails: let bones end a hair beside the next joint, so that no program takes them for connected: they are to be moved.
    """
    armature = bpy.data.armatures.new(name)
    armature.display_type = "STICK"
    rig = bpy.data.objects.new(name, armature)
    rig.show_in_front = True
    collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _make_bones(armature.edit_bones, motion, bone_tails(motion) + (_TAIL_OFFSET * _across_bones(motion) if offset_tails else 0))
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    for bone in rig.pose.bones:
        bone.rotation_mode = "QUATERNION"
    _group_bones(armature)
    return rig


def _make_bones(edit_bones, motion, tails):
    heads = motion.rest_joints
    for joint, name in enumerate(motion.joint_names):
        bone = edit_bones.new(name)
        bone.head, bone.tail = heads[joint], tails[joint]
        if motion.parents[joint] >= 0:
            bone.parent = edit_bones[motion.joint_names[motion.parents[joint]]]
        bone.align_roll(_bone_z(name, bone.vector))


def _across_bones(motion):
    """For each bone of a Motion a unit vector across it, (J,3)."""
    along = bone_tails(motion) - motion.rest_joints
    across = np.cross(along, np.eye(3)[np.abs(along).argmin(-1)])
    return across / np.linalg.norm(across, axis=-1, keepdims=True)


def _bone_z(name, along):
    """The side that a bone's Z turns to, chosen so that a positive turn about X bends knees and elbows."""
    if abs(along.normalized().y) > 0.7:  # feet point forwards
        return _UP
    return _BACK if name.endswith(("hip", "knee")) else _FRONT


def _group_bones(armature):
    """Bone collections by limb, the sides in the colours of Blender's own rigs."""
    for bone in armature.bones:
        group, palette = _limb_group(bone.name)
        members = armature.collections.get(group) or armature.collections.new(group)
        members.assign(bone)
        bone.color.palette = palette


def _limb_group(name):
    side = next((side for side in ("left", "right") if name.startswith(side)), None)
    if side is None:
        return "Torso", "THEME09"
    if name not in SMPL_JOINTS:
        limb = "Face" if name.endswith("eye") else "Hand"
    else:
        limb = "Leg" if name.endswith(("hip", "knee", "ankle", "foot")) else "Arm"
    return f"{side.title()} {limb}", "THEME01" if side == "left" else "THEME04"


def rest_rotmats(rig, joint_names):
    """The bones' rest frames in the armature's axes, (J,3,3)."""
    return np.array([rig.data.bones[name].matrix_local.to_3x3() for name in joint_names])


def bone_quats(rotations, rest):
    """Rotations of global-axis joints as pose-bone quaternions.

    Args:
        rotations: (F,J,4) wxyz, a Motion's.
        rest: (J,3,3), from `rest_rotmats`.

    Returns:
        (F,J,4) wxyz in each bone's own frame: R becomes B^T R B.
    """
    frame = quat_from_rotmat(rest)
    return multiply_quat(multiply_quat(frame * [1, -1, -1, -1], rotations), frame)


def root_location(transl, rest_joint, rest):
    """Where the root joint is, (F,3) m in the world, as the root bone's location; rest_joint (3,), rest (3,3)."""
    return (transl - rest_joint) @ rest
