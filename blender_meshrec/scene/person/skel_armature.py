"""An armature whose Euler channels are SKEL's 46 anatomical angles, with their limits.

In SKEL some joints shift as they rotate: those of the spine along arcs, the scapulae over the ribs. Their bones have location
keys, too, because a driver may not read the channels of its own bone. Rotated by hand, these bones rotate in place.

An arm that is raised and rotated far at once has angles that Blender's limiting constraint cannot read; the constraint is keyed
off in such frames.
"""

from typing import Literal, TypeAlias, cast

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...core.array_types import FloatArray
from ...core.conventions import WORLD_FROM_BODY
from ...core.skel.channels import EulerChannels, limb_directions, skel_channels
from ...core.skel.kinematics import SCAPULAE, SPINE, joint_offsets, joint_shifts
from ...core.skel.template import SkelTemplate
from ...core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS
from ..context import armature_data, expect_type, pose_bones
from ..motion.keyframes import Curve, vector_curves
from .armature import LEFT_PALETTE, RIGHT_PALETTE, TORSO_PALETTE, assign_bone_group, edit_mode, new_armature_object

LIMIT_NAME = "Anatomical Limits"
# A rotation has two sets of Euler angles, and the limiting constraint takes the one of the smaller sum. Angles whose sum exceeds
# 3/2 pi may be read as the other set, and limited wrongly. rad
_MAX_ANGLE_SUM = 1.45 * np.pi
_MIN_BONE_LENGTH = 0.02  # m; the drawn length of a bone without a child is at least this
_SIDES = {"r": ("Right", RIGHT_PALETTE), "l": ("Left", LEFT_PALETTE)}
# Joints that shift as they rotate.
GLIDING_JOINTS = (*SPINE, *(joint for joint, *_ in SCAPULAE))
_EulerOrder: TypeAlias = Literal["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]
_ARM = ("scapula", "humerus", "ulna", "radius", "hand")


def build_skel_armature(
    name: str, template: SkelTemplate, betas: FloatArray, collection: bpy.types.Collection
) -> tuple[bpy.types.Object, EulerChannels]:
    """Make an armature object of SKEL's 24 bones in the shape `betas`.

    The bones' heads are at the joints. The angles determine the bones' axes; the shapes drawn for the bones point along the
    limbs. The object becomes the active one of the view layer.

    Args:
        name: of the object and its data.
        betas: (B,).
        collection: the object's collection; it must be part of the current view layer.

    Returns:
        the object, and the EulerChannels that the bones' axes were chosen by.
    """
    rest_joints, bone_frames = template.rest_joints(betas), template.bone_frames(betas)
    channels = skel_channels(rest_joints, bone_frames)
    armature_object = new_armature_object(name, collection)
    armature = armature_data(armature_object)
    lengths = _limb_lengths(rest_joints)
    with edit_mode():
        _make_bones(armature.edit_bones, rest_joints, channels, lengths)
    shape = _bone_shape()
    directions = limb_directions(rest_joints)
    bones = pose_bones(armature_object)
    for joint, bone in enumerate(bones[name] for name in SKEL_JOINTS):
        _set_up_channels(bone, joint, channels)
        _align_bone_shape(bone, shape, channels.frames[joint].T @ directions[joint])
    for bone in armature.bones:
        _assign_limb_group(armature, bone)
    return armature_object, channels


def adapt_channels(armature_object: bpy.types.Object, channels: EulerChannels) -> None:
    """Set up the bones of an armature anew whose order of angles is another one in the shape of `channels`."""
    for joint, bone in enumerate(pose_bones(armature_object)[name] for name in SKEL_JOINTS):
        if bone.rotation_mode != channels.modes[joint]:
            _set_up_channels(bone, joint, channels)


def angle_curves(q: FloatArray, rest_joints: FloatArray, channels: EulerChannels) -> list[Curve]:
    """Curves of the angles q (F,46) rad, pelvis upright, and of the joints' shifts; each bone is a channel group."""
    curves: list[Curve] = []
    for joint, name in enumerate(SKEL_JOINTS):
        path = f'pose.bones["{name}"].rotation_euler'
        curves += [Curve(path, int(channels.columns[dof]), q[:, dof], name) for dof in _dofs_of_joint(joint)]
        is_readable = np.abs(q[:, JOINT_DOFS[joint]]).sum(1) < _MAX_ANGLE_SUM
        if joint and not is_readable.all():
            curves.append(Curve(f'pose.bones["{name}"].constraints["{LIMIT_NAME}"].influence', 0, is_readable, name, "CONSTANT"))
    shifts = joint_shifts(q, rest_joints)
    for joint in GLIDING_JOINTS:
        path = f'pose.bones["{SKEL_JOINTS[joint]}"].location'
        curves += vector_curves(path, shifts[:, joint] @ channels.frames[joint], SKEL_JOINTS[joint])
    return curves


def channel_angle_name(bone: bpy.types.PoseBone, column: int) -> str:
    """The name of the angle in a pose bone's Euler channel 0, 1 or 2; "" for a channel without one."""
    return bone.get("angles", ["", "", ""])[column]


def _dofs_of_joint(joint: int) -> range:
    return range(JOINT_DOFS[joint].start, JOINT_DOFS[joint].stop)


def _limb_lengths(rest_joints: FloatArray) -> FloatArray:
    """The drawn lengths (24,) m of the bones: to the first child, or as long as from the parent."""
    offsets = joint_offsets(rest_joints)
    lengths = np.linalg.norm(offsets, axis=-1)
    for joint in range(23, 0, -1):
        lengths[SKEL_PARENTS[joint]] = np.linalg.norm(offsets[joint])
    return np.maximum(lengths, _MIN_BONE_LENGTH)


def _make_bones(edit_bones: bpy.types.ArmatureEditBones, rest_joints: FloatArray, channels: EulerChannels, lengths: FloatArray) -> None:
    heads = rest_joints @ WORLD_FROM_BODY.T
    for joint, name in enumerate(SKEL_JOINTS):
        bone = edit_bones.new(name)
        bone.head, bone.tail = heads[joint], heads[joint] + [0, 0, lengths[joint]]
        matrix = Matrix(WORLD_FROM_BODY @ channels.frames[joint]).to_4x4()
        matrix.translation = heads[joint]
        bone.matrix = matrix
        bone.length = lengths[joint]
        if joint:
            bone.parent = edit_bones[SKEL_JOINTS[SKEL_PARENTS[joint]]]


def _set_up_channels(bone: bpy.types.PoseBone, joint: int, channels: EulerChannels) -> None:
    """Set the rotation mode, locks, names and limits of one bone's angles."""
    euler_order = cast(_EulerOrder, channels.modes[joint])
    bone.rotation_mode = euler_order
    bone.lock_location = (joint > 0,) * 3
    bone.lock_scale = (True,) * 3
    names = ["", "", ""]
    for dof in _dofs_of_joint(joint):
        names[channels.columns[dof]] = DOF_NAMES[dof]
    bone["angles"] = names
    bone.lock_rotation = [not name for name in names]
    if joint == 0:
        return
    found = bone.constraints.get(LIMIT_NAME) or bone.constraints.new("LIMIT_ROTATION")
    limit = expect_type(found, bpy.types.LimitRotationConstraint)
    limit.name = LIMIT_NAME
    limit.owner_space = "LOCAL"
    limit.euler_order = euler_order
    limit.use_transform_limit = True  # rotations by hand also stop at the limits
    for axis in "xyz":
        setattr(limit, f"use_limit_{axis}", True)
    for dof in _dofs_of_joint(joint):
        axis = "xyz"[channels.columns[dof]]
        setattr(limit, f"min_{axis}", DOF_LIMITS[dof, 0])
        setattr(limit, f"max_{axis}", DOF_LIMITS[dof, 1])


# --- display ----------------------------------------------------------------------------------------------------------


def _bone_shape() -> bpy.types.Object:
    """The mesh drawn for every bone, an octahedron of length 1 along Y; the file has one for all people."""
    name = "MeshRec bone"
    for obj in bpy.data.objects:
        if obj.name.startswith(name) and obj.type == "MESH" and not obj.users_collection:
            return obj
    corners = [(0, 0, 0), (0.1, 0.15, 0), (0, 0.15, 0.1), (-0.1, 0.15, 0), (0, 0.15, -0.1), (0, 1, 0)]
    faces = [(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    return bpy.data.objects.new(name, mesh)


def _align_bone_shape(bone: bpy.types.PoseBone, shape: bpy.types.Object, direction: FloatArray) -> None:
    bone.custom_shape = shape
    bone.custom_shape_rotation_euler = Vector((0, 1, 0)).rotation_difference(Vector(direction.tolist())).to_euler()


def _assign_limb_group(armature: bpy.types.Armature, bone: bpy.types.Bone) -> None:
    stem, _, side = bone.name.rpartition("_")
    if side in _SIDES:
        prefix, palette = _SIDES[side]
        assign_bone_group(armature, bone, f"{prefix} {'Arm' if stem in _ARM else 'Leg'}", palette)
    else:
        assign_bone_group(armature, bone, "Torso", TORSO_PALETTE)
