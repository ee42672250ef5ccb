"""Export of people and characters to the formats of other programs; each file appears whole or not at all.

| suffix | axes and units | content |
|---|---|---|
| .fbx | unreal: z up, centimetres; unity and blender: y up, metres with a unit of 100 cm; scale 1 | armature, mesh, a take from 0 s |
| .glb | y up, metres | armature, mesh, one animation |
| .usdc | z up, metres | skeleton, mesh, animation |
| .blend | z up, metres | everything |

.bvh and .npz need no exporter: see core/files/bvh.py and core/files/motion_npz.py.

An artist's character is baked frame by frame as Blender evaluates it, because its constraints, drivers, rotation modes and
scales are not known here. Of a control rig only the deforming bones are written to .fbx and .glb, the formats of game engines.
"""

import contextlib
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ...core.errors import InputError
from ...core.files.output_file import atomic_write
from ...core.messages import describe_exception
from ...core.option_choices import EXPORT_PRESET_NAMES
from ..bundled_addons import enable_addon
from ..character.character_group import CharacterGroup, Exportable, exported_objects, take_name
from ..context import pose_bones
from ..person.surface import surface_modifiers
from ..person.texture import texture_nodes
from ..temporary_state import only_selected
from .export_fbx import write_fbx
from .export_proxy import export_proxies
from .export_textures import textures_beside
from .export_units import scaled_to_metres
from .relative_paths import relative_file_paths

# Materials name pictures where they are; else the exporter would copy them into a folder.
_PICTURES_STAY: dict[str, Any] = {"export_textures_mode": "KEEP"} if bpy.app.version >= (4, 5, 0) else {"export_textures": False}
_MIN_FREE_BYTES = 4096  # bytes; a disk with less was full when the file was written


def export_assembly(path: Path, assembly: Exportable, preset: str = "blender", home: Path | None = None) -> None:
    """Write an Assembly, or a CharacterGroup, of the current scene to `path`; the suffix is the format.

    The scene's own frame rate and range are baked: call `match_scene` before. Only a .blend keeps scaled bones and the exact
    surface; for the other formats bones are moved instead (see core/format_notes.py), and the mesh is skinned.

    Args:
        home: for a .blend, the folder that the file will be moved to, which its file paths are relative to; by default
            the folder of `path`.

    Raises:
        InputError: the format or the preset is not known.
        OutputError: the file cannot be written.
    """
    if preset not in EXPORT_PRESET_NAMES:
        raise InputError(
            "export-preset-unknown",
            "There is no preset named {preset}.",
            "Choose one of: {known}.",
            preset=preset,
            known=EXPORT_PRESET_NAMES,
        )
    write = _writer_of(path)
    is_blend = path.suffix.lower() == ".blend"
    exportable_bodies = contextlib.nullcontext(assembly) if is_blend else export_proxies(assembly)
    # Only a .blend stores paths; other formats read the files while they are written.
    caches = surface_modifiers(bpy.data.objects) if is_blend else []
    paths = relative_file_paths(home or path.parent, caches) if is_blend else contextlib.nullcontext()
    with atomic_write(path) as temporary, paths, exportable_bodies as bodies, textures_beside(path, temporary, bodies.meshes):
        try:
            write(temporary, bodies, preset)
        except RuntimeError as error:  # Blender's report of a failed exporter
            if "KeyboardInterrupt" in str(error):  # Blender wraps an interrupt of its Python exporters
                raise KeyboardInterrupt from error
            raise _write_error(temporary, error) from error
        if not temporary.is_file() or _is_disk_full(temporary):
            raise _write_error(temporary, None)


def _write_glb(path: Path, bodies: Exportable, preset: str) -> None:
    enable_addon("io_scene_gltf2")
    with scaled_to_metres(bodies), only_selected(exported_objects(bodies)):
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_nla_strips_merged_animation_name=take_name(bodies) or "Animation",
            export_frame_range=True,
            export_anim_single_armature=False,  # some versions would add every other action of the file
            # The keys of MeshRec's people are written as they are, also those of a variable rate. glTF has no Euler keys.
            export_force_sampling=isinstance(bodies, CharacterGroup) or _has_euler_bones(bodies),
            export_def_bones=isinstance(bodies, CharacterGroup) and bodies.deform_only,
            export_optimize_animation_size=False,
            export_morph_normal=False,
            export_morph_animation=False,
            export_cameras=bodies.is_camera_exported,
        )


def _write_usd(path: Path, bodies: Exportable, preset: str) -> None:
    if "usd_export" not in dir(bpy.ops.wm):  # as in Debian's
        raise InputError("usd-not-built", "This Blender was built without USD.", "Choose another format, or a Blender from blender.org.")
    with scaled_to_metres(bodies), only_selected(exported_objects(bodies)):
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            convert_world_material=False,
            export_custom_properties=False,
            **(_PICTURES_STAY if texture_nodes(bodies.meshes) else {}),
        )


def _write_blend(path: Path, bodies: Exportable, preset: str) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, relative_remap=False)


WRITERS: dict[str, Callable[[Path, Exportable, str], None]] = {
    ".fbx": write_fbx,
    ".glb": _write_glb,
    ".usdc": _write_usd,
    ".blend": _write_blend,
}


def _writer_of(path: Path) -> Callable[[Path, Exportable, str], None]:
    try:
        return WRITERS[path.suffix.lower()]
    except KeyError:
        raise InputError(
            "export-format-unknown",
            "{name} has no format this software writes.",
            "End the output's name in one of: {known}.",
            name=path.name,
            known=", ".join(sorted([*WRITERS, ".bvh", ".npz"])),
        ) from None


def _has_euler_bones(bodies: Exportable) -> bool:
    """Whether some bones have Euler rotation modes, as SKEL's do."""
    return any(bone.rotation_mode != "QUATERNION" for armature_object in bodies.armatures for bone in pose_bones(armature_object))


def _write_error(path: Path, error: RuntimeError | None) -> OSError:
    is_full = _is_disk_full(path) or "No space left" in str(error)
    return OSError(errno.ENOSPC if is_full else errno.EIO, "Blender could not write it" if error is None else describe_exception(error))


def _is_disk_full(path: Path) -> bool:
    return shutil.disk_usage(path.parent).free < _MIN_FREE_BYTES
