"""A person as SKEL has them: the armature of anatomical angles, the skin, and the bones inside it."""

import bpy
import numpy as np

from ..core.conventions import WORLD_FROM_BODY
from ..core.skel.channels import upright_from_world_angles
from ..core.skel.vocabulary import SKEL_JOINTS, SMPL_OF_SKEL
from .keyframes import vector_curves
from .materials import assign_skel_materials
from .mesh import add_weights, build_mesh, fill_mesh
from .skel_armature import angle_curves, build_skel_armature

# Which bone turns the pose blend shapes of each of SMPL's joints; where two could, the later one, as in bodies/skel.
POSE_BONES = [None] * 24
for _bone, _joint in zip(SKEL_JOINTS, SMPL_OF_SKEL):
    POSE_BONES[_joint] = _bone


def build_skel_person(name, recovery, template, number, collection, pose_shapes=True):
    """Make the armature, the skin and the bones of a Recovery with SKEL's angles.

    Args:
        template: the SkelTemplate that the recovery's angles belong to. number: the person's, from 0. pose_shapes: as `build_mesh` has it.

    Returns:
        the armature object, (skin, bones) mesh objects, and the curves that make the armature move.
    """
    betas = recovery.skel_betas
    rig, channels = build_skel_armature(name, template, betas, collection)
    skin = build_mesh(f"{name} body", template, betas, rig, collection, pose_shapes, POSE_BONES)
    bones = build_bones(f"{name} bones", template, betas, rig, collection)
    assign_skel_materials(skin, bones, number)
    return rig, (skin, bones), skel_curves(recovery, template, channels)


def build_bones(name, template, betas, rig, collection):
    """Make the mesh object of the bones themselves, bound to a SKEL armature."""
    mesh = bpy.data.meshes.new(name)
    fill_mesh(mesh, template.rest_bone_vertices(betas) @ WORLD_FROM_BODY.T, template.bone_faces)
    bones = bpy.data.objects.new(name, mesh)
    collection.objects.link(bones)
    bones.parent = rig
    add_weights(bones, template.bone_weights, SKEL_JOINTS)
    bones.modifiers.new("Armature", "ARMATURE").object = rig
    return bones


def skel_curves(recovery, template, channels):
    """The curves of a recovery's angles and of the pelvis's location."""
    betas = recovery.skel_betas
    q = upright_from_world_angles(recovery.q, template.bone_frames(betas)[0])
    rest = WORLD_FROM_BODY @ channels.frames[0]
    rest_joints = template.rest_joints(betas)
    # The root is where it is at rest, plus trans; the armature's own rest is the body's, stood up.
    moved = recovery.skel_trans + rest_joints[0] - WORLD_FROM_BODY @ rest_joints[0]
    root = SKEL_JOINTS[0]
    return angle_curves(q, rest_joints, channels) + vector_curves(f'pose.bones["{root}"].location', np.asarray(moved, float) @ rest, root)
