"""From recovered people to files, in Blender without a window: the second half of `meshrec reconstruct`, and `meshrec convert`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..core.conventions import FIRST_BLENDER_FRAME
from ..core.files.motion_npz import write_motion
from ..core.files.recovery_bvh import write_recovery_bvh
from ..core.format_notes import format_notes
from .assemble import assemble, match_scene, people_without_gaps, without_shapes_note
from .assembly import Assembly, AssemblyOptions, Person
from .context import active_scene, active_view_layer, expect_type
from .export.export import export_assembly
from .person.surface import surface_modifiers

_FRAME_FRACTION = 0.9  # the camera frame's size as a fraction of a 3D view's
_VIEW_ASPECT = 0.6  # the height of a 3D view as a fraction of its width, in Blender's own layouts


@dataclass(frozen=True)
class Output:
    """One file to write: its path, the indices of its people, and the folder it will be moved to, if any.

    surfaces: for a .blend, the final paths of its people's exact surfaces; their present paths by default.
    """

    path: Path
    people: tuple[int, ...]
    home: Path | None = None
    surfaces: tuple[Path, ...] = ()


def write_outputs(
    people: Sequence[Person],
    outputs: Sequence[Output],
    name: str,
    preset: str = "blender",
    stretch: bool = True,
    pose_shapes: bool = False,
    with_camera: bool = False,
) -> list[str]:
    """Write each output; the open file is discarded.

    Args:
        people: of one clip.
        outputs: the suffixes of their paths are the formats.
        name: of the clip, for the collection in a .blend.
        preset: one of EXPORT_PRESET_NAMES. stretch: let the bones of calibrated people stretch. pose_shapes: give the meshes of
            a .blend the pose blend shapes of their body. with_camera: write the camera too into other formats.

    Returns:
        Sentences about what the files lack.

    Raises:
        InputError, OutputError: as in `export_assembly`.
    """
    require_background("write_outputs")
    notes: list[str] = []
    for output in outputs:
        chosen = [people[index] for index in output.people]
        suffix = output.path.suffix.lower()
        if suffix != ".npz":
            chosen, gap_notes = people_without_gaps(chosen)
            notes += gap_notes
        if suffix in _SCENELESS_WRITERS:
            _SCENELESS_WRITERS[suffix](output.path, chosen[0], stretch)
        else:
            notes += _write_scene(chosen, output, name, preset, stretch, pose_shapes, with_camera)
        for person in chosen:
            is_stretched = stretch and person.skel is None and person.recovery.calibrated_joints is not None
            notes += format_notes(suffix, person.name, is_stretched, person.surface is not None, anatomy=person.skel is not None)
    return list(dict.fromkeys(notes))


def require_background(function: str) -> None:
    """Refuse to run in a Blender with a window, whose open file would be lost."""
    if not bpy.app.background:
        raise RuntimeError(f"{function} empties the open file and is for Blender without a window")


def open_empty_file() -> None:
    # Not read_factory_settings: that would disable every add-on, this one included.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def _write_scene(
    people: Sequence[Person], output: Output, name: str, preset: str, stretch: bool, pose_shapes: bool, with_camera: bool
) -> tuple[str, ...]:
    open_empty_file()
    suffix = output.path.suffix.lower()
    is_blend = suffix == ".blend"
    # Other programs read plain skinning: driven shape keys and point caches are for .blend alone.
    if not is_blend:
        people = [replace(person, surface=None) for person in people]
    options = AssemblyOptions(
        pose_shapes=is_blend and pose_shapes,
        footage=is_blend,
        stretch=stretch,
        bone_scale=is_blend,
        # Animations of engines begin at their own beginning.
        first_frame=people[0].recovery.scene_frame if is_blend or suffix == ".usdc" else FIRST_BLENDER_FRAME,
    )
    assembly = assemble(people, name, options)
    for modifier, path in zip(surface_modifiers(assembly.meshes), output.surfaces):
        modifier.filepath = str(path)
    match_scene(active_scene(), assembly, people[0].recovery.camera)
    if is_blend:
        _view_through_camera(assembly)
    export_assembly(output.path, replace(assembly, is_camera_exported=with_camera), preset, output.home)
    return without_shapes_note(assembly.notes) if is_blend and not pose_shapes else assembly.notes


def _write_npz(path: Path, person: Person, stretch: bool) -> None:
    write_motion(path, person.recovery)


def _write_bvh(path: Path, person: Person, stretch: bool) -> None:
    write_recovery_bvh(path, person.recovery, person.template, stretch)


_SCENELESS_WRITERS: dict[str, Callable[[Path, Person, bool], None]] = {".npz": _write_npz, ".bvh": _write_bvh}


def _view_through_camera(assembly: Assembly) -> None:
    """Make the file open with the result over its footage, and the first armature selected."""
    render = active_scene().render
    frame_width = min(_FRAME_FRACTION, _FRAME_FRACTION * _VIEW_ASPECT * render.resolution_x / render.resolution_y)
    for screen in bpy.data.screens:
        for area in screen.areas:
            space = area.spaces.active
            if isinstance(space, bpy.types.SpaceView3D):
                view = expect_type(space.region_3d, bpy.types.RegionView3D)
                view.view_perspective = "CAMERA"
                # Blender's definition of this zoom: the frame takes (zoom / 50 + sqrt(2))^2 / 4 of the view's width.
                view.view_camera_zoom = 50 * (2 * math.sqrt(frame_width) - math.sqrt(2))
    armature_object = assembly.armatures[0]
    active_view_layer().objects.active = armature_object
    armature_object.select_set(True)
