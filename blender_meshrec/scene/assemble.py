"""From recovered people to a Blender scene: a collection for each person, and the camera of their footage.

Steps: `build_smpl_person` or `build_skel_person` makes the armature, mesh and action of each person, `build_camera` the
camera, `add_footage` its background. `match_scene` then sets the scene's timeline, resolution and camera.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

import bpy

from ..core.messages import Message
from ..core.records import Camera, Recovery
from ..core.time_gaps import recovery_without_gaps
from .assembly import Assembly, AssemblyOptions, Person
from .cameras.camera import build_camera, match_resolution, set_camera_view
from .cameras.camera_footage import RATE_NOTE, add_footage, fit_footage, remove_footage
from .cameras.footage_retiming import file_rate, footage_rate, retime_footage
from .context import active_scene, active_view_layer, assigned_action, ensure_object_mode
from .free_names import free_name
from .motion.keyframes import last_frame, set_timeline
from .person.reshape import BodyObjects
from .person.skel_person import build_skel_person
from .person.smpl_person import build_smpl_person
from .person.texture import apply_texture
from .takes.new_take import give_take, show_take
from .takes.takes import remove_take
from .unit_scale import UNIT_PROPERTY

_DEFAULTS = AssemblyOptions()


def assemble(people: Sequence[Person], name: str, options: AssemblyOptions = _DEFAULTS) -> Assembly:
    """Make the people of one clip in the current scene, and change nothing else of it.

    Args:
        people: of one clip, so that they share a camera.
        name: of the collection, which has a child collection for each person.

    Returns:
        An Assembly. The caller makes the undo step.

    Raises:
        InputError: a motion does not fit its body or surface; nothing is left in the scene, and people play what they played.
    """
    ensure_object_mode()
    scene, layer = active_scene(), active_view_layer()
    active = layer.objects.active
    options = replace(options, fps=options.fps or people[0].recovery.mocap_framerate)
    before = set(bpy.data.objects), set(bpy.data.collections)
    played = {person.rig: assigned_action(person.rig) for person in people if person.rig is not None}
    collection = options.earlier or bpy.data.collections.new(name)
    if options.earlier is None:
        scene.collection.children.link(collection)
    try:
        return _assemble_into(collection, people, name, options)
    except BaseException:
        _remove_new_blocks(*before)
        _restore_takes(people, played)
        raise
    finally:
        layer.objects.active = active


def match_scene(scene: bpy.types.Scene, assembly: Assembly, camera: Camera) -> None:
    """Set a scene's frame rate, frame range, resolution and camera to those of an assembly."""
    set_timeline(scene, assembly.fps, assembly.last_frame, assembly.first_frame)
    match_picture(scene, assembly, camera)


def match_picture(scene: bpy.types.Scene, assembly: Assembly, camera: Camera) -> None:
    """Set a scene's resolution and camera to those of an assembly."""
    match_resolution(scene, camera)
    fit_footage(assembly.camera, camera.image_size, scene)
    scene.camera = assembly.camera


def _assemble_into(collection: bpy.types.Collection, people: Sequence[Person], name: str, options: AssemblyOptions) -> Assembly:
    armatures: list[bpy.types.Object] = []
    meshes: list[bpy.types.Object] = []
    people, gap_notes = people_without_gaps(people)
    notes: list[str] = [*gap_notes]
    for number, person in enumerate(people):
        (armature_object, person_meshes), take_notes = _make_person(person, number, collection, name, options)
        armatures.append(armature_object)
        meshes += person_meshes
        notes += [*take_notes, *_person_notes(person, options)]
    camera_object, camera_notes = _make_camera(collection, people[0].recovery, name, options)
    end = max(last_frame(options.key_frames(person.recovery)) for person in people)
    notes += camera_notes
    return Assembly(collection, tuple(armatures), tuple(meshes), camera_object, options.fps, end, tuple(notes), options.first_frame)


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
    person: Person, number: int, parent: bpy.types.Collection, clip: str, options: AssemblyOptions
) -> tuple[BodyObjects, list[Message]]:
    """Make a person's collection, or a new take of its rig; returns its armature object and mesh objects, and notes."""
    notes: list[Message] = []
    if person.rig is not None:
        made, notes = give_take(person, options)
    else:
        collection = bpy.data.collections.new(person.name)
        parent.children.link(collection)
        build = build_smpl_person if person.skel is None else build_skel_person
        made = build(person, number, collection, clip, options)
        made[0][UNIT_PROPERTY], made[0].scale = options.metres_per_unit, (1 / options.metres_per_unit,) * 3
    _store_body_properties(made[0], person.recovery)
    if person.texture is not None and made[1]:
        note = apply_texture(made[1][0], person.texture, person.name)
        notes = notes if note is None else [*notes, note]
    return made, notes


def _store_body_properties(armature_object: bpy.types.Object, recovery: Recovery) -> None:
    """Store the body's parameters as custom properties, for scripts and for later exports."""
    armature_object["betas"] = [float(beta) for beta in recovery.betas]
    armature_object["gender"] = recovery.gender
    armature_object["surface_model_type"] = recovery.surface_model_type
    armature_object["footage"] = recovery.footage


def _person_notes(person: Person, options: AssemblyOptions) -> list[str]:
    notes: list[str] = []
    template = person.skel or person.template
    if template.posedirs is not None and not options.pose_shapes:
        notes.append(Message("pose-blend-shapes-left-out", "{name} goes without the pose blend shapes of its body.", name=person.name))
    if person.skel is not None and (person.recovery.calibrated_joints is not None or person.surface is not None):
        text = "{name} goes without what was calibrated: SKEL's bones do not stretch."
        notes.append(Message("calibration-left-out", text, name=person.name))
    return notes


def without_shapes_note(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes without that on pose blend shapes, for where nobody asked for them."""
    return tuple(note for note in notes if getattr(note, "name", "") != "pose-blend-shapes-left-out")


def _make_camera(
    collection: bpy.types.Collection, recovery: Recovery, clip: str, options: AssemblyOptions
) -> tuple[bpy.types.Object, list[str]]:
    """Make the camera of a Recovery, or move an earlier one, and by option show its footage; returns notes about the footage."""
    if options.own_camera is not None:
        return options.own_camera, []
    frames = options.key_frames(recovery)
    if options.camera is None:
        camera_name = free_name(f"{clip} camera", bpy.data.objects)
        camera_object = build_camera(camera_name, recovery.camera, frames, collection, options.metres_per_unit)
    else:
        camera_object = options.camera
        set_camera_view(camera_object, recovery.camera, frames, options.metres_per_unit)
        remove_footage(camera_object)
    if not options.footage:
        return camera_object, []
    note = add_footage(camera_object, recovery, options.fps, active_scene(), options.first_frame)
    rate = file_rate(camera_object, recovery.footage_speed) if options.footage_times is None else footage_rate(options.footage_times)
    if retime_footage(camera_object, rate, options.fps) and note is not None and note.name == RATE_NOTE:
        note = None
    return camera_object, [note] if note else []


def _remove_new_blocks(objects: Container[bpy.types.Object], collections: Container[bpy.types.Collection]) -> None:
    """Remove what was made since there were these objects and collections."""
    for obj in [obj for obj in bpy.data.objects if obj not in objects]:
        bpy.data.objects.remove(obj)
    for collection in [collection for collection in bpy.data.collections if collection not in collections]:
        bpy.data.collections.remove(collection)


def _restore_takes(people: Sequence[Person], played: Mapping[bpy.types.Object, bpy.types.Action | None]) -> None:
    """Let the rigs of people play what they played before their new takes failed."""
    for person in people:
        if person.rig is not None:
            _restore_take(person, person.rig, played[person.rig])


def _restore_take(person: Person, rig: bpy.types.Object, action: bpy.types.Action | None) -> None:
    """Let the rig of a person play again what it played before a new take of it failed."""
    made = assigned_action(rig)
    if action is not None:
        show_take(rig, action, person.template, person.skel)
    if made is not None and made != action:
        remove_take(rig, made)
