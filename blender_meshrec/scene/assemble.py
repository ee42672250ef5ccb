"""From recovered people to a Blender scene: a collection for each person, and the camera of their footage.

Steps: `build_smpl_person` or `build_skel_person` makes the armature, mesh and action of each person, `build_camera` the
camera, `add_footage` its background. `match_scene` then sets the scene's timeline, resolution and camera.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..core.files.body_template import BodyTemplate
from ..core.messages import Message
from ..core.records import Camera, Recovery
from ..core.skel.template import SkelTemplate
from ..core.time_gaps import recovery_without_gaps
from .camera import build_camera, match_resolution
from .camera_footage import add_footage, fit_footage
from .context import active_scene, active_view_layer, ensure_object_mode
from .keyframes import last_frame, set_timeline, snapped_key_frames
from .skel_person import build_skel_person
from .smpl_person import build_smpl_person


@dataclass(frozen=True)
class Person:
    """A person to make: the name of the objects, a Recovery and the BodyTemplate of its pose.

    skel: the SkelTemplate of a recovery with SKEL's angles, to make SKEL's skeleton; None for SMPL's.
    surface: the point cache of the exact calibrated surface, which the mesh plays; None for the skinned mesh alone.
    """

    name: str
    recovery: Recovery
    template: BodyTemplate
    skel: SkelTemplate | None = None
    surface: Path | None = None


@dataclass(frozen=True)
class Assembly:
    """A collection with one armature and one mesh object per person, and the camera; SKEL people have two meshes.

    fps and last_frame: the timeline of the keys. notes: sentences about what was left out.
    """

    collection: bpy.types.Collection
    armatures: tuple[bpy.types.Object, ...]
    meshes: tuple[bpy.types.Object, ...]
    camera: bpy.types.Object
    fps: float
    last_frame: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _AssemblyOptions:
    name: str
    fps: float
    pose_shapes: bool
    footage: bool
    stretch: bool
    bone_scale: bool


def assemble(
    people: Sequence[Person],
    name: str,
    fps: float | None = None,
    pose_shapes: bool = True,
    footage: bool = True,
    stretch: bool = True,
    bone_scale: bool = True,
) -> Assembly:
    """Make the people of one clip in the current scene, and change nothing else of it.

    Args:
        people: of one clip, so that they share a camera.
        name: of the collection, which has a child collection for each person.
        fps: the timeline's rate; the clip's own by default. At another rate the motion keeps its real speed.
        pose_shapes: add the body's pose blend shapes as driven shape keys; without them a note says so.
        footage: show the footage behind the camera's view.
        stretch: let the bones of calibrated people stretch, so that joints are at their calibrated positions; otherwise
            people have the nearest pose of bones that keep their lengths.
        bone_scale: stretch bones by scaling them; otherwise bones are moved to the joints, which other programs can read.

    Returns:
        An Assembly. The caller makes the undo step.

    Raises:
        InputError: a motion does not fit its body or surface; nothing is left in the scene.
    """
    ensure_object_mode()
    scene, layer = active_scene(), active_view_layer()
    active = layer.objects.active
    options = _AssemblyOptions(name, fps or people[0].recovery.mocap_framerate, pose_shapes, footage, stretch, bone_scale)
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    try:
        return _assemble_into(collection, people, options)
    except BaseException:
        _remove_collection(collection)
        raise
    finally:
        layer.objects.active = active


def match_scene(scene: bpy.types.Scene, assembly: Assembly, camera: Camera) -> None:
    """Set a scene's frame rate, frame range, resolution and camera to those of an assembly."""
    set_timeline(scene, assembly.fps, assembly.last_frame)
    match_resolution(scene, camera)
    fit_footage(assembly.camera, camera.image_size, scene)
    scene.camera = assembly.camera


def _assemble_into(collection: bpy.types.Collection, people: Sequence[Person], options: _AssemblyOptions) -> Assembly:
    armatures: list[bpy.types.Object] = []
    meshes: list[bpy.types.Object] = []
    people, gap_notes = people_without_gaps(people)
    notes: list[str] = [*gap_notes]
    for number, person in enumerate(people):
        armature_object, person_meshes = _make_person(person, number, collection, options)
        armatures.append(armature_object)
        meshes += person_meshes
        notes += _person_notes(person, options)
    camera_object, camera_notes = _make_camera(collection, people[0].recovery, options)
    end = max(last_frame(snapped_key_frames(person.recovery.timestamps, options.fps)) for person in people)
    return Assembly(collection, tuple(armatures), tuple(meshes), camera_object, options.fps, end, (*notes, *camera_notes))


def people_without_gaps(people: Sequence[Person]) -> tuple[list[Person], list[Message]]:
    """People whose motions have no gaps in time, and notes on those that had: a timeline holds frames, not hours."""
    closed: list[Person] = []
    notes: list[Message] = []
    for person in people:
        recovery, gap_notes = recovery_without_gaps(person.recovery, person.name)
        closed.append(replace(person, recovery=recovery))
        notes += gap_notes
    return closed, notes


def _make_person(
    person: Person, number: int, parent: bpy.types.Collection, options: _AssemblyOptions
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """Make a person's collection; returns its armature object and mesh objects."""
    name, recovery = person.name, person.recovery
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    if person.skel is not None:
        made = build_skel_person(name, recovery, person.skel, number, collection, options.fps, options.pose_shapes)
    else:
        made = build_smpl_person(
            name,
            recovery,
            person.template,
            number,
            collection,
            options.fps,
            pose_shapes=options.pose_shapes,
            stretch=options.stretch,
            bone_scale=options.bone_scale,
            surface=person.surface,
        )
    _store_body_properties(made[0], recovery)
    return made


def _store_body_properties(armature_object: bpy.types.Object, recovery: Recovery) -> None:
    """Store the body's parameters as custom properties, for scripts and for later exports."""
    armature_object["betas"] = [float(beta) for beta in recovery.betas]
    armature_object["gender"] = recovery.gender
    armature_object["surface_model_type"] = recovery.surface_model_type
    armature_object["footage"] = recovery.footage


def _person_notes(person: Person, options: _AssemblyOptions) -> list[str]:
    notes: list[str] = []
    template = person.skel or person.template
    if template.posedirs is not None and not options.pose_shapes:
        notes.append(Message("pose-blend-shapes-left-out", "{name} goes without the pose blend shapes of its body.", name=person.name))
    if person.skel is not None and (person.recovery.calibrated_joints is not None or person.surface is not None):
        text = "{name} goes without what was calibrated: SKEL's bones do not stretch."
        notes.append(Message("calibration-left-out", text, name=person.name))
    return notes


def _make_camera(collection: bpy.types.Collection, recovery: Recovery, options: _AssemblyOptions) -> tuple[bpy.types.Object, list[str]]:
    """Make the camera of a Recovery and, by option, its footage; returns notes about the footage."""
    frames = snapped_key_frames(recovery.timestamps, options.fps)
    camera_object = build_camera(f"{options.name} camera", recovery.camera, frames, collection)
    note = add_footage(camera_object, recovery, options.fps, active_scene()) if options.footage else None
    return camera_object, [note] if note else []


def _remove_collection(collection: bpy.types.Collection) -> None:
    """Remove a collection that is only partly made, and everything in it."""
    for obj in list(collection.all_objects):
        bpy.data.objects.remove(obj)
    for inner in (*collection.children_recursive, collection):
        bpy.data.collections.remove(inner)
