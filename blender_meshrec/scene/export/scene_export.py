"""Export of characters of an open scene, which stays as it is: the function of the Export buttons."""

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import bpy

from ...core.errors import InputError
from ...core.files.bvh import write_bvh
from ...core.files.motion_npz import write_motion
from ...core.format_notes import format_notes
from ...core.messages import Message
from ..character.character_group import CharacterGroup, exported_objects
from ..character.external_files import pictures_only
from ..context import (
    active_scene,
    active_view_layer,
    armature_data,
    armature_modifiers,
    assigned_action,
    ensure_object_mode,
    mesh_data,
)
from ..motion.armature_motion import motion_from_armature
from ..motion.armature_recovery import recovery_from_armature
from ..takes.earlier_results import find_clip_camera
from ..temporary_state import changed_attributes, released_names
from .export import export_assembly
from .export_proxy import has_stretching_bones, has_visible_surface

# A rig with more than this many bones per deforming bone is a control rig; engines read its deforming bones alone.
_CONTROL_RIG_RATIO = 1.5


def export_characters(
    path: Path,
    armatures: Sequence[bpy.types.Object],
    preset: str = "blender",
    frames: tuple[int, int] | None = None,
    with_camera: bool = False,
) -> list[str]:
    """Write characters, with the meshes that they move, to `path`; the suffix is the format.

    Args:
        armatures: armature objects; .bvh and .npz hold the first alone. preset: one of EXPORT_PRESET_NAMES.
        frames: (first, last) of the timeline; the range of the characters' actions by default.
        with_camera: write the camera of the first one's clip too, into formats for scenes.

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
    notes: list[str] = []
    if suffix == ".bvh":
        write_bvh(path, motion_from_armature(armatures[0], first, last))
    elif suffix == ".npz":
        write_motion(path, recovery_from_armature(armatures[0], find_clip_camera(armatures[0]), first, last))
    else:
        meshes = [mesh for armature_object in armatures for mesh in visible_meshes_of(armature_object)]
        with _without_pose_shapes(armatures, meshes) as plain_meshes, _frame_range(first, last):
            camera = find_clip_camera(armatures[0]) if with_camera else None
            group = CharacterGroup(tuple(armatures), plain_meshes, any(map(_is_control_rig, armatures)), camera)
            pictures = contextlib.nullcontext(()) if suffix == ".blend" else pictures_only(exported_objects(group))
            with pictures as picture_notes:
                export_assembly(path, group, preset)
            notes += picture_notes
    return [*notes, *(note for armature_object in armatures for note in _format_notes(suffix, armature_object))]


def action_frame_range(armatures: Iterable[bpy.types.Object]) -> tuple[int, int]:
    """The first and last whole frame of the armatures' actions; the scene's if there are none."""
    actions = [action for armature_object in armatures if (action := assigned_action(armature_object))]
    if not actions:
        return active_scene().frame_start, active_scene().frame_end
    ranges = [action.frame_range for action in actions]
    return int(min(first for first, _ in ranges)), int(-(-max(last for _, last in ranges) // 1))


def visible_meshes_of(armature_object: bpy.types.Object) -> list[bpy.types.Object]:
    """The visible mesh objects with an armature's modifier."""
    return [
        obj
        for obj in active_view_layer().objects
        if obj.type == "MESH" and obj.visible_get() and _armature_among(obj, [armature_object]) is not None
    ]


def _format_notes(suffix: str, armature_object: bpy.types.Object) -> list[Message]:
    has_surface = any(has_visible_surface(mesh) for mesh in visible_meshes_of(armature_object))
    return format_notes(suffix, armature_object.name, has_stretching_bones(armature_object), has_surface, (".blend",))


def _is_control_rig(armature_object: bpy.types.Object) -> bool:
    bones = armature_data(armature_object).bones
    return len(bones) > _CONTROL_RIG_RATIO * max(1, sum(bone.use_deform for bone in bones))


@contextlib.contextmanager
def _frame_range(first: int, last: int) -> Generator[None, None, None]:
    """Set the scene's frame range; afterwards also its current frame is restored."""
    scene = active_scene()
    current = scene.frame_current
    try:
        with changed_attributes(scene, frame_start=first, frame_end=last):
            yield
    finally:
        scene.frame_set(current)


@contextlib.contextmanager
def _without_pose_shapes(
    armatures: Sequence[bpy.types.Object], meshes: Sequence[bpy.types.Object]
) -> Generator[tuple[bpy.types.Object, ...], None, None]:
    """The meshes, with plain copies in place of MeshRec's bodies: other programs read skinning without driven shape keys."""
    ensure_object_mode()
    with contextlib.ExitStack() as stack:
        plain = [
            stack.enter_context(_plain_copy(mesh)) if _is_meshrec_body(mesh, armatures) and mesh_data(mesh).shape_keys else mesh
            for mesh in meshes
        ]
        active_view_layer().update()
        yield tuple(plain)


@contextlib.contextmanager
def _plain_copy(mesh_object: bpy.types.Object) -> Generator[bpy.types.Object, None, None]:
    """A copy without shape keys that has the names of the original."""
    copy = mesh_object.copy()
    data = mesh_data(mesh_object).copy()
    copy.data = data
    with released_names([mesh_object, mesh_data(mesh_object)]) as names:
        try:
            copy.name, data.name = names
            active_scene().collection.objects.link(copy)
            copy.shape_key_clear()
            copy.animation_data_clear()
            yield copy
        finally:
            bpy.data.objects.remove(copy)
            bpy.data.meshes.remove(data)


def _is_meshrec_body(mesh_object: bpy.types.Object, armatures: Sequence[bpy.types.Object]) -> bool:
    armature_object = _armature_among(mesh_object, armatures)
    return armature_object is not None and "betas" in armature_object


def _armature_among(mesh_object: bpy.types.Object, armatures: Sequence[bpy.types.Object]) -> bpy.types.Object | None:
    """The first of a mesh's armatures that is one of `armatures`."""
    targets = [modifier.object for modifier in armature_modifiers(mesh_object)]
    return next((target for target in targets if target is not None and target in armatures), None)
