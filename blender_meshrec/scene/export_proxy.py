"""People as other programs can follow them, while a file is written: bones that move instead of scaling, and skin without its cache."""

import contextlib
from dataclasses import replace

import bpy
import numpy as np

from ..core.rotations import quat_from_rotmat, rotmat_from_quat
from .armature import build_armature
from .armature_motion import motion_from_armature, smpl_joint_names
from .assemble import motion_curves
from .keyframes import write_action
from .surface import SURFACE_MODIFIER


def has_stretching_bones(armature_object):
    """Whether an armature is a person's of ours whose bones may scale."""
    ours = "betas" in armature_object and smpl_joint_names(armature_object) is not None
    return ours and any(bone.inherit_scale == "NONE" for bone in armature_object.data.bones)


def has_visible_surface(mesh_object):
    """Whether a mesh has the exact surface, and shows it."""
    modifier = mesh_object.modifiers.get(SURFACE_MODIFIER)
    return modifier is not None and modifier.show_viewport


@contextlib.contextmanager
def export_proxies(bodies):
    """An Assembly or CharacterGroup with proxies in place of stretching armatures, over the scene's frame range.

    Exact surfaces are switched off meanwhile.
    """
    with contextlib.ExitStack() as stack:
        for mesh in bodies.meshes:
            stack.enter_context(_surface_disabled(mesh))
        rigs = [stack.enter_context(_proxy_armature(rig, bodies.meshes)) if has_stretching_bones(rig) else rig for rig in bodies.armatures]
        yield replace(bodies, armatures=tuple(rigs))


@contextlib.contextmanager
def _surface_disabled(mesh):
    modifier = mesh.modifiers.get(SURFACE_MODIFIER)
    if modifier is None:
        yield
        return
    shown = modifier.show_viewport, modifier.show_render
    modifier.show_viewport = modifier.show_render = False
    try:
        yield
    finally:
        modifier.show_viewport, modifier.show_render = shown


@contextlib.contextmanager
def _proxy_armature(rig, meshes):
    scene, layer = bpy.context.scene, bpy.context.view_layer
    moved = [mesh for mesh in meshes if mesh.find_armature() == rig]
    active = layer.objects.active
    first, last = scene.frame_start, scene.frame_end
    motion = _to_armature_space(motion_from_armature(rig, first, last), np.array(rig.matrix_world))
    with _release_names(rig) as (name, data_name, action_name):
        stand_in = build_armature(name, motion, scene.collection, offset_tails=True)
        stand_in.data.name = data_name
        stand_in.matrix_world = rig.matrix_world
        action = write_action(action_name, stand_in, np.arange(first, last + 1), motion_curves(stand_in, motion, bone_scale=False))
        layer.objects.active = active
        _rebind_meshes(moved, rig, stand_in)
        layer.update()
        try:
            yield stand_in
        finally:
            _rebind_meshes(moved, stand_in, rig)
            armature = stand_in.data
            bpy.data.objects.remove(stand_in)
            bpy.data.armatures.remove(armature)
            bpy.data.actions.remove(action)
    layer.update()


@contextlib.contextmanager
def _release_names(rig):
    """Take an armature's names from it for a while; gives the names: the object's, the data's and the action's."""
    action = rig.animation_data and rig.animation_data.action
    blocks = [block for block in (rig, rig.data, action) if block]
    names = [block.name for block in blocks]
    for block, name in zip(blocks, names):
        block.name = f"~{name}"
    try:
        yield names[0], names[1], names[2] if action else names[0]
    finally:
        for block, name in zip(blocks, names):
            block.name = name


def _rebind_meshes(meshes, before, after):
    """Let meshes follow another armature at the same place."""
    for mesh in meshes:
        if mesh.parent == before:
            mesh.parent = after
        for modifier in mesh.modifiers:
            if modifier.type == "ARMATURE" and modifier.object == before:
                modifier.object = after


def _to_armature_space(motion, world_from_armature):
    """A Motion of the world in the axes of an armature object, which may be scaled evenly."""
    scale = np.cbrt(np.linalg.det(world_from_armature[:3, :3]))
    turn = world_from_armature[:3, :3] / scale

    def inside(points):
        return (points - world_from_armature[:3, 3]) @ turn / scale

    local = rotmat_from_quat(motion.rotations)
    local[:, 0] = turn.T @ local[:, 0]
    joints = None if motion.joints is None else inside(motion.joints)
    return replace(motion, rotations=quat_from_rotmat(local), transl=inside(motion.transl), joints=joints)
