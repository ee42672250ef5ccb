"""From recovered people to files, without a window: the second half of `meshrec reconstruct` and all of `meshrec convert`."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..core.files.bvh import write_bvh
from ..core.files.motion_npz import write_motion
from ..core.format_notes import format_notes
from ..core.motion import motion_from_recovery
from .assemble import assemble, match_scene
from .export import export_assembly
from .surface import surface_modifiers

_FRAME_IN_VIEW = 0.9  # how much of a 3D view the camera's frame takes
_VIEW_HEIGHT = 0.6  # of a 3D view's width, in Blender's own layouts


@dataclass(frozen=True)
class Output:
    """One file to write: its path, which people are in it (indices), and the folder it will be moved to, if any.

    surfaces: for a .blend, where the exact surface of each of its people will lie; where they lie now by default.
    """

    path: Path
    people: tuple
    home: Path | None = None
    surfaces: tuple = ()


def write_outputs(people, outputs, name, preset="blender", stretch=True):
    """Write each output; the scene that is open in this process is thrown away.

    Args:
        people: Person objects of one clip.
        outputs: Output objects; the suffixes name the formats.
        name: of the clip, for the collection in a .blend.
        preset: one of export.PRESETS. stretch: let the bones of calibrated people stretch.

    Returns:
        Sentences about what could not be carried over.

    Raises:
        InputError, OutputError: as `export_assembly` does.
    """
    if not bpy.app.background:
        raise RuntimeError("write_outputs empties the open file and is for Blender without a window")
    notes = []
    for output in outputs:
        chosen = [people[index] for index in output.people]
        suffix = output.path.suffix.lower()
        if suffix in _SCENELESS_WRITERS:
            _SCENELESS_WRITERS[suffix](output.path, chosen[0], stretch)
        else:
            notes += _write_scene(chosen, output, name, preset, stretch)
        for person in chosen:
            stretched = stretch and person.skel is None and person.recovery.calibrated_joints is not None
            notes += format_notes(suffix, person.name, stretched, person.surface is not None, anatomy=person.skel is not None)
    return list(dict.fromkeys(notes))


def _write_scene(people, output, name, preset, stretch):
    # Not read_factory_settings: that would switch off every add-on, this one included.
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    whole_scene = output.path.suffix.lower() == ".blend"
    # Engines and file formats want plain skinning: a body's many driven shape keys stay in Blender.
    if not whole_scene:
        people = [replace(person, surface=None) for person in people]
    assembly = assemble(people, name, pose_shapes=whole_scene, footage=whole_scene, stretch=stretch, bone_scale=whole_scene)
    for modifier, place in zip(surface_modifiers(assembly.meshes), output.surfaces):
        modifier.filepath = str(place)
    match_scene(bpy.context.scene, assembly, people[0].recovery.camera)
    if whole_scene:
        look_through_camera(assembly)
    export_assembly(output.path, assembly, preset, output.home)
    return assembly.notes


def _write_motion(path, person, stretch):
    write_motion(path, person.recovery)


def _write_bvh(path, person, stretch):
    recovery, template = person.recovery, person.template
    rest_joints = template.rest_joints(recovery.betas)
    motion = motion_from_recovery(recovery, rest_joints, template.joint_names, template.parents)
    write_bvh(path, motion if stretch else replace(motion, joints=None))


_SCENELESS_WRITERS = {".npz": _write_motion, ".bvh": _write_bvh}


def look_through_camera(assembly):
    """Let the file open with the result over its footage, and the first armature selected."""
    render = bpy.context.scene.render
    share = min(_FRAME_IN_VIEW, _FRAME_IN_VIEW * _VIEW_HEIGHT * render.resolution_x / render.resolution_y)
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                view = area.spaces.active.region_3d
                view.view_perspective = "CAMERA"
                # How Blender defines this zoom: the frame takes (zoom / 50 + sqrt(2))^2 / 4 of the view's width.
                view.view_camera_zoom = 50 * (2 * math.sqrt(share) - math.sqrt(2))
    rig = assembly.armatures[0]
    bpy.context.view_layer.objects.active = rig
    rig.select_set(True)
