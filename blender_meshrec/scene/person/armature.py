"""An armature in the rest pose and shape of one person: one bone for each joint, its head at the joint.

Bones run along the limbs, so their rest frames differ from SMPL's, which are all the identity. `bone_quats` and
`root_location` convert a Motion's rotations and translation to the bones' channels.
"""

import contextlib
from collections.abc import Generator, Sequence
from typing import Literal

import bpy
import numpy as np
from mathutils import Vector

from ...core.array_types import FloatArray
from ...core.bone_tails import bone_tails
from ...core.records import Motion
from ...core.rotations import multiply_quat, quat_from_rotmat
from ...core.skeletons import SMPL_JOINTS
from ..context import active_view_layer, armature_data, bone_color_settings, pose_bones

Palette = Literal["THEME01", "THEME04", "THEME09"]
LEFT_PALETTE: Palette = "THEME01"
RIGHT_PALETTE: Palette = "THEME04"
TORSO_PALETTE: Palette = "THEME09"

# Blender's older FBX importer connects a bone to a parent that ends exactly at its head, and connected bones cannot be moved.
_TAIL_OFFSET = 5e-5  # m
_FRONT, _BACK, _UP = Vector((0, -1, 0)), Vector((0, 1, 0)), Vector((0, 0, 1))


def build_armature(name: str, motion: Motion, collection: bpy.types.Collection, offset_tails: bool = False) -> bpy.types.Object:
    """Make an armature object whose rest pose is `motion`'s rest joints.

    The object is at the origin with scale 1; +X of every knee and elbow bone is its flexion. The object becomes
    the active one of the view layer, because only Blender's Edit Mode makes bones.

    Args:
        name: of the object and its data.
        motion: a Motion; its joint names become the bones' names.
        collection: the object's collection; it must be part of the current view layer.
        offset_tails: end bones slightly beside the next joint, so that no program connects bones that have to move.
    """
    tails = bone_tails(motion)
    if offset_tails:
        tails = tails + _TAIL_OFFSET * _across_bones(motion)
    armature_object = new_armature_object(name, collection)
    armature = armature_data(armature_object)
    armature.display_type = "STICK"
    with edit_mode():
        _make_bones(armature.edit_bones, motion, tails)
    for bone in pose_bones(armature_object):
        bone.rotation_mode = "QUATERNION"
    for bone in armature.bones:
        assign_bone_group(armature, bone, *_limb_group(bone.name))
    return armature_object


def new_armature_object(name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """Make an armature without bones, drawn in front of the skin, and make it the active object."""
    armature_object = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature_object.show_in_front = True
    collection.objects.link(armature_object)
    active_view_layer().objects.active = armature_object
    return armature_object


@contextlib.contextmanager
def edit_mode() -> Generator[None, None, None]:
    """Edit Mode of the active object."""
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        yield
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")


def assign_bone_group(armature: bpy.types.Armature, bone: bpy.types.Bone, group: str, palette: Palette) -> None:
    """Put a bone into the bone collection `group`, which is made if needed, and give it a colour."""
    members = armature.collections.get(group) or armature.collections.new(group)
    members.assign(bone)
    bone_color_settings(bone).palette = palette


def _make_bones(edit_bones: bpy.types.ArmatureEditBones, motion: Motion, tails: FloatArray) -> None:
    heads = motion.rest_joints
    for joint, name in enumerate(motion.joint_names):
        bone = edit_bones.new(name)
        bone.head, bone.tail = heads[joint], tails[joint]
        if motion.parents[joint] >= 0:
            bone.parent = edit_bones[motion.joint_names[motion.parents[joint]]]
        bone.align_roll(_bone_z_axis(name, bone.vector))


def _across_bones(motion: Motion) -> FloatArray:
    """A unit vector perpendicular to each bone of a Motion, (J,3)."""
    along = bone_tails(motion) - motion.rest_joints
    across = np.cross(along, np.eye(3)[np.abs(along).argmin(-1)])
    return across / np.linalg.norm(across, axis=-1, keepdims=True)


def _bone_z_axis(name: str, along: Vector) -> Vector:
    """The direction of a bone's Z axis, chosen so that a positive rotation about X flexes knees and elbows."""
    # By name, not by direction: both sides are to have the same axes, mirrored, also where a body is not quite symmetric.
    if name.endswith(("ankle", "foot")) or (name.endswith(("eye", "jaw")) and abs(along.normalized().y) > 0.7):
        return _UP
    return _BACK if name.endswith(("hip", "knee")) else _FRONT


def _limb_group(name: str) -> tuple[str, Palette]:
    """The bone collection of a joint, by limb, and its colour: left and right as in Blender's own rigs."""
    side = next((side for side in ("left", "right") if name.startswith(side)), None)
    if side is None:
        return "Torso", TORSO_PALETTE
    if name not in SMPL_JOINTS:
        limb = "Face" if name.endswith("eye") else "Hand"
    else:
        limb = "Leg" if name.endswith(("hip", "knee", "ankle", "foot")) else "Arm"
    return f"{side.title()} {limb}", LEFT_PALETTE if side == "left" else RIGHT_PALETTE


def rest_rotmats(armature_object: bpy.types.Object, joint_names: Sequence[str]) -> FloatArray:
    """The bones' rest frames in the armature's axes, (J,3,3)."""
    bones = armature_data(armature_object).bones
    return np.array([bones[name].matrix_local.to_3x3() for name in joint_names])


def bone_quats(rotations: FloatArray, rest: FloatArray) -> FloatArray:
    """Convert rotations of joints whose rest frames are the global axes to pose-bone quaternions.

    Args:
        rotations: (F,J,4) wxyz, a Motion's.
        rest: (J,3,3), from `rest_rotmats`.

    Returns:
        (F,J,4) wxyz in each bone's own frame: R becomes B^T R B.
    """
    frame = quat_from_rotmat(rest)
    return multiply_quat(multiply_quat(frame * [1, -1, -1, -1], rotations), frame)


def root_location(transl: FloatArray, rest_joint: FloatArray, rest: FloatArray) -> FloatArray:
    """Convert the root joint's position (F,3) m in the world to the root bone's location; rest_joint (3,), rest (3,3)."""
    return (transl - rest_joint) @ rest
