"""Replacements of people while a file is written: armatures whose bones move instead of scaling, and meshes without their point cache."""

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import replace

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.records import Motion
from ...core.rotations import quat_from_rotmat, rotmat_from_quat
from ..character.character_group import Exportable
from ..context import active_scene, active_view_layer, armature_data, armature_modifiers, assigned_action
from ..motion.armature_motion import motion_from_armature, smpl_joint_names
from ..motion.keyframes import write_action
from ..motion.motion_curves import motion_curves
from ..person.armature import build_armature
from ..person.surface import SURFACE_MODIFIER
from ..temporary_state import changed_attributes, released_names
from ..unit_scale import world_in_metres


def has_stretching_bones(armature_object: bpy.types.Object) -> bool:
    """Whether an armature was made by MeshRec and has bones that may scale."""
    is_ours = "betas" in armature_object and smpl_joint_names(armature_object) is not None
    return is_ours and any(bone.inherit_scale == "NONE" for bone in armature_data(armature_object).bones)


def has_visible_surface(mesh_object: bpy.types.Object) -> bool:
    """Whether a mesh shows the exact surface."""
    modifier = mesh_object.modifiers.get(SURFACE_MODIFIER)
    return modifier is not None and modifier.show_viewport


@contextlib.contextmanager
def export_proxies(bodies: Exportable) -> Generator[Exportable, None, None]:
    """An Assembly or CharacterGroup with proxies in place of stretching armatures, over the scene's frame range.

    Exact surfaces are disabled meanwhile.
    """
    with contextlib.ExitStack() as stack:
        for mesh_object in bodies.meshes:
            modifier = mesh_object.modifiers.get(SURFACE_MODIFIER)
            if modifier is not None:
                stack.enter_context(changed_attributes(modifier, show_viewport=False, show_render=False))
        armatures: list[bpy.types.Object] = []
        for armature_object in bodies.armatures:
            is_stretching = has_stretching_bones(armature_object)
            proxy = stack.enter_context(_proxy_armature(armature_object, bodies.meshes)) if is_stretching else armature_object
            armatures.append(proxy)
        yield replace(bodies, armatures=tuple(armatures))


@contextlib.contextmanager
def _proxy_armature(armature_object: bpy.types.Object, meshes: Sequence[bpy.types.Object]) -> Generator[bpy.types.Object, None, None]:
    """An armature without scaled bones that has the name, action and meshes of another."""
    scene, layer = active_scene(), active_view_layer()
    moved_meshes = [mesh_object for mesh_object in meshes if mesh_object.find_armature() == armature_object]
    active = layer.objects.active
    first, last = scene.frame_start, scene.frame_end
    motion = _to_armature_space(motion_from_armature(armature_object, first, last), world_in_metres(armature_object))
    action = assigned_action(armature_object)
    blocks = [block for block in (armature_object, armature_object.data, action) if block]
    with released_names(blocks) as names:
        proxy = build_armature(names[0], motion, scene.collection, offset_tails=True)
        armature = armature_data(proxy)
        armature.name = names[1]
        proxy.matrix_world = armature_object.matrix_world
        curves = motion_curves(proxy, motion, bone_scale=False)
        proxy_action = write_action(names[2] if action else names[0], proxy, np.arange(first, last + 1), curves)
        layer.objects.active = active
        _rebind_meshes(moved_meshes, armature_object, proxy)
        layer.update()
        try:
            yield proxy
        finally:
            _rebind_meshes(moved_meshes, proxy, armature_object)
            bpy.data.objects.remove(proxy)
            bpy.data.armatures.remove(armature)
            bpy.data.actions.remove(proxy_action)
    layer.update()


def _rebind_meshes(meshes: Sequence[bpy.types.Object], before: bpy.types.Object, after: bpy.types.Object) -> None:
    """Bind meshes to another armature at the same place."""
    for mesh_object in meshes:
        if mesh_object.parent == before:
            mesh_object.parent = after
        for modifier in armature_modifiers(mesh_object):
            if modifier.object == before:
                modifier.object = after


def _to_armature_space(motion: Motion, world_from_armature: FloatArray) -> Motion:
    """A Motion of the world in the axes of an armature object, which may be scaled evenly."""
    scale = np.cbrt(np.linalg.det(world_from_armature[:3, :3]))
    rotation = world_from_armature[:3, :3] / scale

    def to_armature(points: FloatArray) -> FloatArray:
        return (points - world_from_armature[:3, 3]) @ rotation / scale

    local = rotmat_from_quat(motion.rotations)
    local[:, 0] = rotation.T @ local[:, 0]
    joints = None if motion.joints is None else to_armature(motion.joints)
    return replace(motion, rotations=quat_from_rotmat(local), transl=to_armature(motion.transl), joints=joints)
