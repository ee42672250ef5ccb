"""From recovered people to a Blender scene: a collection for each person, and the camera that saw them."""

from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from ..core.errors import InputError
from ..core.messages import Message
from ..core.motion import motion_from_recovery
from ..core.rotations import align_quat_signs
from .armature import bone_quats, build_armature, rest_rotmats, root_location
from .bone_stretching import stretch_curves
from .camera import add_footage, build_camera, fit_footage, match_resolution
from .keyframes import Curve, last_frame, set_timeline, snapped_key_frames, vector_curves, write_action
from .materials import assign_materials
from .mesh import build_mesh
from .skel_person import build_skel_person
from .surface import add_surface

CONTACT_PROPERTIES = ("contact_left_heel", "contact_left_toe", "contact_right_heel", "contact_right_toe")


@dataclass(frozen=True)
class Person:
    """Who to make: a name for the objects, a Recovery and the BodyTemplate it was recovered with.

    skel: the SkelTemplate of a recovery that has SKEL's angles, to be made with SKEL's skeleton; None for SMPL's.
    surface: the point cache of the exact calibrated surface, for the mesh to play it; None for the skin alone.
    """

    name: str
    recovery: object
    template: object
    skel: object = None
    surface: Path | None = None


@dataclass(frozen=True)
class Assembly:
    """What was made: a collection, in it one armature and one mesh object a person and the camera; SKEL people have two meshes.

    fps and last_frame: the timeline the keys lie on. notes: sentences about what could not be carried over.
    """

    collection: object
    armatures: tuple
    meshes: tuple
    camera: object
    fps: float
    last_frame: int
    notes: tuple


@dataclass(frozen=True)
class _AssemblyOptions:
    fps: float
    pose_shapes: bool
    stretch: bool
    bone_scale: bool


def assemble(people, name, fps=None, pose_shapes=True, footage=True, stretch=True, bone_scale=True):
    """Make the people of one clip in the current scene, and change nothing else of it.

    Args:
        people: Person objects that share a camera, as those of one clip do.
        name: of the collection; each person's own collection lies in it.
        fps: the timeline's rate; the clip's own by default. Another rate keeps the motion's real speed.
        pose_shapes: carry the body's pose blend shapes as driven shape keys; without them a note says so.
        footage: put the footage behind the camera's view.
        stretch: let the bones of calibrated people stretch, so that joints land where they were calibrated; without, people
            have the nearest pose of bones that keep their lengths.
        bone_scale: stretch bones by their scale; without, joints are moved to their places alone, as other programs can follow.

    Returns:
        An Assembly. Undo is the caller's: this makes one step of everything.

    Raises:
        InputError: a motion and its body or surface do not fit together; nothing is left in the scene.
    """
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    active = layer.objects.active
    fps = fps or people[0].recovery.mocap_framerate
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    try:
        return _assemble_into(collection, people, name, _AssemblyOptions(fps, pose_shapes, stretch, bone_scale), footage)
    except BaseException:
        _remove_collection(collection)
        raise
    finally:
        layer.objects.active = active


def _assemble_into(collection, people, name, options, footage):
    notes, fps = [], options.fps
    made = [_make_person(person, number, collection, options, notes) for number, person in enumerate(people)]
    recovery = people[0].recovery
    frames = snapped_key_frames(recovery.timestamps, fps)
    camera_object = build_camera(f"{name} camera", recovery.camera, frames, collection)
    if footage:
        note = add_footage(camera_object, recovery, fps, bpy.context.scene)
        notes += [note] if note else []
    end = max(last_frame(snapped_key_frames(person.recovery.timestamps, fps)) for person in people)
    bodies = tuple(body for _, own in made for body in own)
    return Assembly(collection, tuple(rig for rig, _ in made), bodies, camera_object, fps, end, tuple(notes))


def _remove_collection(collection):
    """Remove a half-made collection and everything in it."""
    for thing in list(collection.all_objects):
        bpy.data.objects.remove(thing)
    for inner in (*collection.children_recursive, collection):
        bpy.data.collections.remove(inner)


def match_scene(scene, assembly, camera):
    """Take a scene over for an assembly: its frame rate and range, its Camera's resolution, its camera."""
    set_timeline(scene, assembly.fps, assembly.last_frame)
    match_resolution(scene, camera)
    fit_footage(assembly.camera, camera.image_size, scene)
    scene.camera = assembly.camera


def _make_person(person, number, parent, options, notes):
    recovery = person.recovery
    template = person.skel or person.template
    collection = bpy.data.collections.new(person.name)
    parent.children.link(collection)
    make = _make_smpl if person.skel is None else _make_skel
    rig, bodies = make(person, number, collection, options)
    _store_body_properties(rig, recovery)
    if template.posedirs is not None and not options.pose_shapes:
        notes.append(Message("pose-blend-shapes-left-out", "{name} goes without the pose blend shapes of its body.", name=person.name))
    if person.skel is not None and (recovery.calibrated_joints is not None or person.surface is not None):
        notes.append(
            Message("calibration-left-out", "{name} goes without what was calibrated: SKEL's bones do not stretch.", name=person.name)
        )
    return rig, bodies


def _make_smpl(person, number, collection, options):
    recovery, template = person.recovery, person.template
    have, need = recovery.poses.shape[1] // 3, len(template.joint_names)
    if have < need:
        raise InputError(
            "motion-has-fewer-joints",
            "The motion of {name} has {have} joints and the body {body} has {need}.",
            "Choose the body that the motion was made with.",
            name=person.name,
            have=have,
            body=template.name,
            need=need,
        )
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    if not options.stretch:
        motion = replace(motion, joints=None)
    rig = build_armature(person.name, motion, collection, offset_tails=motion.joints is not None and not options.bone_scale)
    body = build_mesh(f"{person.name} body", template, recovery.betas, rig, collection, options.pose_shapes)
    assign_materials(body, template, number)
    animate(rig, motion, recovery.visible, options.fps, options.bone_scale)
    if person.surface is not None:
        add_surface(body, person.surface, snapped_key_frames(recovery.timestamps, options.fps))
    return rig, (body,)


def _make_skel(person, number, collection, options):
    recovery = person.recovery
    if recovery.q is None:
        raise InputError(
            "motion-lacks-skel-angles",
            "The motion of {name} has no angles of SKEL.",
            "Reconstruct it with the skeleton SKEL.",
            name=person.name,
        )
    rig, bodies, curves = build_skel_person(person.name, recovery, person.skel, number, collection, options.pose_shapes)
    curves += track_curves(rig, recovery.contacts, recovery.visible)
    write_action(rig.name, rig, snapped_key_frames(recovery.timestamps, options.fps), curves)
    return rig, bodies


def animate(rig, motion, visible, fps, bone_scale=True):
    """Key a Motion on its armature: bone rotations on the short arc, the root's location, contacts and visibility.

    A Motion with `joints` stretches the bones; bone_scale: as `assemble` has it.
    """
    curves = motion_curves(rig, motion, bone_scale)
    curves += track_curves(rig, motion.contacts, visible)
    write_action(rig.name, rig, snapped_key_frames(motion.timestamps, fps), curves)


def motion_curves(rig, motion, bone_scale=True):
    """Curves of a Motion's bones on its armature, as `animate` has them."""
    if motion.joints is not None:
        return stretch_curves(rig, motion, bone_scale)
    names = motion.joint_names
    rest = rest_rotmats(rig, names)
    rotations = align_quat_signs(bone_quats(motion.rotations, rest))
    root = f'pose.bones["{names[0]}"]'
    curves = vector_curves(f"{root}.location", root_location(motion.transl, motion.rest_joints[0], rest[0]), names[0])
    for joint, name in enumerate(names):
        curves += vector_curves(f'pose.bones["{name}"].rotation_quaternion', rotations[:, joint], name)
    return curves


def track_curves(rig, contacts, visible):
    """Curves of what else is known of every frame, as properties of the armature object: contacts (F,4) or None, visible (F,)."""
    curves = []
    tracks = dict(zip(CONTACT_PROPERTIES, contacts.T)) if contacts is not None else {}
    for track, values in {**tracks, "visible": visible}.items():
        rig[track] = float(values[0])
        rig.id_properties_ui(track).update(min=0.0, max=1.0)
        curves.append(Curve(f'["{track}"]', 0, values, "Footage", "CONSTANT" if track == "visible" else "LINEAR"))
    return curves


def _store_body_properties(rig, recovery):
    """What the armature is made of, for scripts and for whoever opens the file later."""
    rig["betas"] = [float(beta) for beta in recovery.betas]
    rig["gender"] = recovery.gender
    rig["surface_model_type"] = recovery.surface_model_type
    rig["footage"] = recovery.footage
