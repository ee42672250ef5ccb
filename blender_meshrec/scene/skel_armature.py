"""An armature whose Euler channels are SKEL's 46 anatomical angles, with their limits.

What glides in SKEL as it turns - the joints of the spine along their arcs, the shoulder blades over the ribs - has keys of its
location, too: a driver may not read the channels of its own bone. Turned by hand, those bones turn where they are.

An arm raised and turned far at once is more than Blender's limiting constraint can read; for such frames it is keyed off.
"""

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..core.conventions import WORLD_FROM_BODY
from ..core.skel.channels import limb_directions, skel_channels
from ..core.skel.kinematics import SCAPULAE, SPINE, joint_offsets, joint_shifts
from ..core.skel.vocabulary import DOF_LIMITS, DOF_NAMES, JOINT_DOFS, SKEL_JOINTS, SKEL_PARENTS
from .keyframes import Curve, vector_curves

LIMIT_NAME = "Anatomical Limits"
# Of the two ways to say a rotation in Euler angles, the limiting constraint takes the one of the smaller sum; angles whose sum is
# above 3/2 pi it would take for others, and limit those. rad
_MAX_ANGLE_SUM = 1.45 * np.pi
_MIN_BONE_LENGTH = 0.02  # m; what a bone without a child is drawn as, at least
_SIDES = {"r": ("Right", "THEME04"), "l": ("Left", "THEME01")}
# Joints that move as they turn.
GLIDING_JOINTS = (*SPINE, *(joint for joint, *_ in SCAPULAE))
_ARM = ("scapula", "humerus", "ulna", "radius", "hand")


def build_skel_armature(name, template, betas, collection):
    """Make an armature object of SKEL's 24 bones in the shape `betas`.

    Its bones' heads are exactly at the joints. Which way a bone's own axes lie is given by its angles; the shapes drawn for
    the bones lie along the limbs. The object becomes the active one of the view layer.

    Args:
        name: of the object and its data. template: a SkelTemplate. betas: (B,).
        collection: where the object goes; it must be part of the current view layer.

    Returns:
        the object, and the Channels its bones were laid by.
    """
    rest_joints, bone_frames = template.rest_joints(betas), template.bone_frames(betas)
    channels = skel_channels(rest_joints, bone_frames)
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    rig.show_in_front = True
    collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    lengths = _limb_lengths(rest_joints)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _make_bones(armature.edit_bones, rest_joints, channels, lengths)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    shape = _bone_shape()
    towards = limb_directions(rest_joints)
    for joint, bone in enumerate(rig.pose.bones[name] for name in SKEL_JOINTS):
        _set_channels(bone, joint, channels)
        _align_bone_shape(bone, shape, channels.frames[joint].T @ towards[joint])
    _group_bones(armature)
    return rig, channels


def angle_curves(q, rest_joints, channels):
    """Curves of the angles q (F,46) rad, pelvis upright, and of what glides with them, each in a group named like its bone."""
    curves = []
    for joint, name in enumerate(SKEL_JOINTS):
        path = f'pose.bones["{name}"].rotation_euler'
        curves += [Curve(path, int(channels.columns[dof]), q[:, dof], name) for dof in _dofs(joint)]
        read_well = np.abs(q[:, JOINT_DOFS[joint]]).sum(1) < _MAX_ANGLE_SUM
        if joint and not read_well.all():
            curves.append(Curve(f'pose.bones["{name}"].constraints["{LIMIT_NAME}"].influence', 0, read_well, name, "CONSTANT"))
    shifts = joint_shifts(q, rest_joints)
    for joint in GLIDING_JOINTS:
        path = f'pose.bones["{SKEL_JOINTS[joint]}"].location'
        curves += vector_curves(path, shifts[:, joint] @ channels.frames[joint], SKEL_JOINTS[joint])
    return curves


def channel_angle_name(bone, column):
    """The name of the angle that a pose bone's Euler channel 0, 1 or 2 holds; "" for a channel that is none."""
    return bone.get("angles", ["", "", ""])[column]


def _dofs(joint):
    return range(JOINT_DOFS[joint].start, JOINT_DOFS[joint].stop)


def _limb_lengths(rest_joints):
    steps = joint_offsets(rest_joints)
    lengths = np.linalg.norm(steps, axis=-1)
    for joint in range(23, 0, -1):
        lengths[SKEL_PARENTS[joint]] = np.linalg.norm(steps[joint])
    return np.maximum(lengths, _MIN_BONE_LENGTH)


def _make_bones(edit_bones, rest_joints, channels, lengths):
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


def _set_channels(bone, joint, channels):
    """Rotation mode, locks, names and limits of one bone's angles."""
    bone.rotation_mode = channels.modes[joint]
    bone.lock_location = (joint > 0,) * 3
    bone.lock_scale = (True,) * 3
    names = ["", "", ""]
    for dof in _dofs(joint):
        names[channels.columns[dof]] = DOF_NAMES[dof]
    bone["angles"] = names
    bone.lock_rotation = [not name for name in names]
    if joint == 0:
        return
    limit = bone.constraints.new("LIMIT_ROTATION")
    limit.name = LIMIT_NAME
    limit.owner_space = "LOCAL"
    limit.euler_order = channels.modes[joint]
    limit.use_transform_limit = True  # what is turned by hand stops there, too
    for axis in "xyz":
        setattr(limit, f"use_limit_{axis}", True)
    for dof in _dofs(joint):
        axis = "xyz"[channels.columns[dof]]
        setattr(limit, f"min_{axis}", DOF_LIMITS[dof, 0])
        setattr(limit, f"max_{axis}", DOF_LIMITS[dof, 1])


# --- how it looks -----------------------------------------------------------------------------------------------------


def _bone_shape():
    """The mesh drawn for every bone: an octahedron of length 1 along Y; one in the file."""
    name = "MeshRec bone"
    for thing in bpy.data.objects:
        if thing.name.startswith(name) and thing.type == "MESH" and not thing.users_collection:
            return thing
    corners = [(0, 0, 0), (0.1, 0.15, 0), (0, 0.15, 0.1), (-0.1, 0.15, 0), (0, 0.15, -0.1), (0, 1, 0)]
    faces = [(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    return bpy.data.objects.new(name, mesh)


def _align_bone_shape(bone, shape, direction):
    bone.custom_shape = shape
    bone.custom_shape_rotation_euler = Vector((0, 1, 0)).rotation_difference(Vector(direction)).to_euler()


def _group_bones(armature):
    for bone in armature.bones:
        stem, _, side = bone.name.rpartition("_")
        if side in _SIDES:
            word, bone.color.palette = _SIDES[side]
            group = f"{word} {'Arm' if stem in _ARM else 'Leg'}"
        else:
            group, bone.color.palette = "Torso", "THEME09"
        (armature.collections.get(group) or armature.collections.new(group)).assign(bone)
