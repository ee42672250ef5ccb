"""Import of character files by Blender's own importers, at rest and without their animation."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import bpy

from ..core.errors import InputError
from .bundled_addons import enable_addon
from .context import active_view_layer, pose_bones_if_any


def open_blend(path: Path) -> None:
    """Open a .blend in place of the open file, without running its scripts.

    Raises:
        InputError: the file cannot be read.
    """
    with _wrap_import_errors(path):
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)


def import_character(path: Path) -> list[bpy.types.Object]:
    """Import a file into the open file; returns its objects.

    Raises:
        InputError: the file cannot be read.
    """
    objects_before, actions_before = set(bpy.data.objects), set(bpy.data.actions)
    with _wrap_import_errors(path):
        _IMPORTERS[path.suffix.lower()](path)
    objects = [obj for obj in bpy.data.objects if obj not in objects_before]
    _remove_animation(objects, [action for action in bpy.data.actions if action not in actions_before])
    active_view_layer().update()
    return objects


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
    except InputError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        remedy = "Export it again, or give another file."
        if path.suffix.lower() == ".blend":
            remedy = "If a later Blender has saved it, give that one with --blender."
        raise InputError(
            "character-file-unreadable",
            "{name} cannot be read as a character ({what}).",
            remedy,
            name=path.name,
            what=lines[-1].removeprefix("Error: ").rstrip("."),
        ) from error


def _import_fbx(path: Path) -> None:
    enable_addon("io_scene_fbx")
    bpy.ops.import_scene.fbx(filepath=str(path), use_anim=False)


def _import_gltf(path: Path) -> None:
    enable_addon("io_scene_gltf2")
    settings: dict[str, Any] = {"filepath": str(path)}
    # By default the importer adds a helper object that bones are drawn with.
    importer: Any = bpy.ops.import_scene.gltf  # the stub declares operators as functions, without get_rna_type
    if "disable_bone_shape" in importer.get_rna_type().properties:
        settings["disable_bone_shape"] = True
    importer(**settings)


def _import_vrm(path: Path) -> None:
    """Import a .vrm under the name of a .glb, its actual format, because the importer checks the suffix."""
    with tempfile.TemporaryDirectory(prefix="meshrec-") as folder:
        copy = Path(folder) / f"{path.stem}.glb"
        shutil.copyfile(path, copy)
        _import_gltf(copy)


_IMPORTERS: dict[str, Callable[[Path], None]] = {
    ".fbx": _import_fbx,
    ".glb": _import_gltf,
    ".gltf": _import_gltf,
    ".vrm": _import_vrm,
}
