"""Writing characters of an open scene to files, and leaving the scene as it is: what the Export buttons do."""

import contextlib

import bpy

from ..core.errors import InputError
from ..core.files.bvh import write_bvh
from ..core.files.motion_npz import write_motion
from ..core.format_notes import format_notes
from .armature_motion import find_clip_camera, motion_from_armature, recovery_from_armature
from .export import CharacterGroup, export_assembly
from .export_proxy import has_stretching_bones, has_visible_surface

FORMATS = (".fbx", ".glb", ".usdc", ".bvh", ".npz")
# Bones that carry skin are what engines want of a rig with more than so many others.
_CONTROL_RIG_RATIO = 1.5


def export_characters(path, armatures, preset="blender", frames=None):
    """Write characters, with the meshes that they move, to `path`; the suffix names the format.

    Args:
        armatures: armature objects; .bvh and .npz hold the first alone. preset: one of export.PRESETS. frames: (first, last) of the
            timeline; what the characters' actions cover by default.

    Returns:
        Sentences about what the format cannot hold.

    Raises:
        InputError: there is nothing to write, or the format cannot hold it. OutputError: the file cannot be written.
    """
    if not armatures:
        raise InputError(
            "export-nothing-selected", "Nothing to export is selected.", "Select a person that MeshRec has made, or your character."
        )
    suffix = path.suffix.lower()
    first, last = frames or action_frame_range(armatures)
    if suffix == ".bvh":
        write_bvh(path, motion_from_armature(armatures[0], first, last))
    elif suffix == ".npz":
        write_motion(path, recovery_from_armature(armatures[0], find_clip_camera(armatures[0]), first, last))
    else:
        meshes = tuple(mesh for rig in armatures for mesh in visible_meshes_of(rig))
        with _without_pose_shapes(armatures, meshes) as bodies, _frame_range(first, last):
            export_assembly(path, CharacterGroup(tuple(armatures), bodies, any(_is_control_rig(rig) for rig in armatures)), preset)
    return [note for rig in armatures for note in format_notes(suffix, rig.name, has_stretching_bones(rig), _has_surface(rig), (".blend",))]


def action_frame_range(armatures):
    """The first and last whole frame in which the armatures' actions move them; the scene's where there are none."""
    actions = [rig.animation_data.action for rig in armatures if rig.animation_data and rig.animation_data.action]
    if not actions:
        return bpy.context.scene.frame_start, bpy.context.scene.frame_end
    ranges = [action.frame_range for action in actions]
    return int(min(first for first, _ in ranges)), int(-(-max(last for _, last in ranges) // 1))


def visible_meshes_of(armature_object):
    """The mesh objects in view that an armature moves."""
    layer = bpy.context.view_layer
    return [
        thing
        for thing in layer.objects
        if thing.type == "MESH"
        and thing.visible_get()
        and any(m.type == "ARMATURE" and m.object == armature_object for m in thing.modifiers)
    ]


def _has_surface(armature_object):
    return any(has_visible_surface(mesh) for mesh in visible_meshes_of(armature_object))


def _is_control_rig(armature_object):
    bones = armature_object.data.bones
    return len(bones) > _CONTROL_RIG_RATIO * max(1, sum(bone.use_deform for bone in bones))


@contextlib.contextmanager
def _frame_range(first, last):
    scene = bpy.context.scene
    before = scene.frame_start, scene.frame_end, scene.frame_current
    scene.frame_start, scene.frame_end = first, last
    try:
        yield
    finally:
        scene.frame_start, scene.frame_end = before[:2]
        scene.frame_set(before[2])


@contextlib.contextmanager
def _without_pose_shapes(armatures, meshes):
    """The meshes without the pose blend shapes of MeshRec's bodies: engines and file formats want plain skinning.

    Copies stand for them under their names meanwhile; meshes of other characters are given as they are.
    """
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    ours = [mesh for mesh in meshes if "betas" in (_armature_of(mesh, armatures) or {}) and mesh.data.shape_keys]
    copies = {}
    try:
        for mesh in ours:
            copy = mesh.copy()
            copy.data = mesh.data.copy()
            copies[mesh] = (copy, mesh.name, mesh.data.name)
            mesh.name, mesh.data.name = f"~{mesh.name}", f"~{mesh.data.name}"
            copy.name, copy.data.name = copies[mesh][1:]
            bpy.context.scene.collection.objects.link(copy)
            copy.shape_key_clear()
            copy.animation_data_clear()
        bpy.context.view_layer.update()
        yield tuple(copies[mesh][0] if mesh in copies else mesh for mesh in meshes)
    finally:
        for mesh, (copy, name, data_name) in copies.items():
            data = copy.data
            bpy.data.objects.remove(copy)
            bpy.data.meshes.remove(data)
            mesh.name, mesh.data.name = name, data_name


def _armature_of(mesh, armatures):
    return next((m.object for m in mesh.modifiers if m.type == "ARMATURE" and m.object in armatures), None)
