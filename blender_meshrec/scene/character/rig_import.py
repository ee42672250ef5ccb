"""Import of character files by Blender's own importers, at rest and without their animation."""

import contextlib
import errno
import shutil
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import InputError, MeshRecError
from ...core.files.fbx import check_fbx
from ...core.files.temporary_folder import scratch_folder, temporary_folder_error
from ...core.messages import describe_exception
from ..bundled_addons import enable_addon
from ..context import active_view_layer, ensure_object_mode, pose_bones_if_any
from .gltf_repairs import place_children_of_bones, unpacking_error
from .gltf_sources import copy_restricted_gltf, restrict_gltf_sources


def open_blend(path: Path) -> None:
    """Open a .blend in place of the open file, without running its scripts.

    Raises:
        InputError: the file cannot be read.
    """
    with _wrap_import_errors(path):
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
        # A file opens in the modes in which it was saved.
        ensure_object_mode()
        for obj in bpy.data.objects:
            if obj.animation_data and obj.animation_data.use_tweak_mode:
                obj.animation_data.use_tweak_mode = False


def import_character(path: Path) -> tuple[list[bpy.types.Object], list[str]]:
    """Import a file into the open file.

    Returns:
        Its objects, and the pictures that it names and that were left out.

    Raises:
        InputError: the file cannot be read.
    """
    objects_before, actions_before = set(bpy.data.objects), set(bpy.data.actions)
    with _wrap_import_errors(path):
        left_out = _IMPORTERS[path.suffix.lower()](path)
    objects = [obj for obj in bpy.data.objects if obj not in objects_before]
    _remove_animation(objects, [action for action in bpy.data.actions if action not in actions_before])
    if path.suffix.lower() != ".fbx":
        place_children_of_bones(objects)
    active_view_layer().update()
    return objects, left_out


def _remove_animation(objects: Iterable[bpy.types.Object], actions: Iterable[bpy.types.Action]) -> None:
    """Remove an imported file's animation, and reset its characters to the rest pose."""
    for obj in objects:
        for owner in (obj, getattr(obj.data, "shape_keys", None)):
            if owner is not None and owner.animation_data is not None:
                owner.animation_data_clear()
        for bone in pose_bones_if_any(obj):
            bone.matrix_basis.identity()
    for action in actions:
        bpy.data.actions.remove(action)


@contextlib.contextmanager
def _wrap_import_errors(path: Path) -> Generator[None, None, None]:
    """Report any exception of an importer as an InputError: damaged files make them fail in many ways."""
    try:
        yield
    except MeshRecError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # an import writes nothing but temporary files
            raise temporary_folder_error(error) from error
        if (cannot_unpack := unpacking_error(path, error)) is not None:
            raise cannot_unpack from error
        remedy = "Export it again, or give another file."
        if path.suffix.lower() == ".blend":
            remedy = "If a later Blender has saved it, give that one with --blender."
        elif path.suffix.lower() == ".fbx" and not _has_new_fbx_importer():
            remedy = "Export it again as a binary FBX, or give a Blender 4.5 or later with --blender, which reads more of them."
        raise InputError(
            "character-file-unreadable",
            "{name} cannot be read as a character ({what}).",
            remedy,
            name=path.name,
            what=describe_exception(error).rstrip(".") or type(error).__name__,
        ) from error


def _import_fbx(path: Path) -> list[str]:
    """Import an .fbx by the importer that is an add-on; if it fails, by the one that Blender 4.5 and later have built in."""
    check_fbx(path)
    enable_addon("io_scene_fbx")
    blocks_before = _objects_and_their_data()
    try:
        bpy.ops.import_scene.fbx(filepath=str(path), use_anim=False)
    except (RuntimeError, AttributeError):  # AttributeError: a Blender without that add-on
        if not _has_new_fbx_importer():
            raise
        bpy.data.batch_remove(_objects_and_their_data() - blocks_before)
        importer: Any = bpy.ops.wm
        importer.fbx_import(filepath=str(path), use_anim=False)
    return []


def _has_new_fbx_importer() -> bool:
    return "fbx_import" in dir(bpy.ops.wm)


def _objects_and_their_data() -> set[bpy.types.ID]:
    return {*bpy.data.objects, *bpy.data.armatures, *bpy.data.meshes, *bpy.data.materials, *bpy.data.images, *bpy.data.actions}


def _import_gltf(path: Path) -> list[str]:
    """Import a .glb, .gltf or .vrm without the pictures that it may not name.

    A .vrm is imported under the name of a .glb, its actual format, because the importer checks the suffix.
    """
    restricted, left_out = restrict_gltf_sources(path)
    is_vrm = path.suffix.lower() == ".vrm"
    if restricted is None and not is_vrm:
        _run_gltf_importer(path)
        return []
    with scratch_folder() as folder:
        if restricted is None:
            copy = Path(shutil.copyfile(path, folder / f"{path.stem}.glb"))
        else:
            copy = copy_restricted_gltf(path, restricted, folder)
        _run_gltf_importer(copy)
    return left_out


def _run_gltf_importer(path: Path) -> None:
    enable_addon("io_scene_gltf2")
    settings: dict[str, Any] = {"filepath": str(path)}
    # By default the importer adds a helper object that bones are drawn with.
    importer: Any = bpy.ops.import_scene.gltf  # the stub declares operators as functions, without get_rna_type
    if "disable_bone_shape" in importer.get_rna_type().properties:
        settings["disable_bone_shape"] = True
    importer(**settings)


_IMPORTERS: dict[str, Callable[[Path], list[str]]] = {
    ".fbx": _import_fbx,
    ".glb": _import_gltf,
    ".gltf": _import_gltf,
    ".vrm": _import_gltf,
}
