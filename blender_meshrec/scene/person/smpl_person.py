"""A person with SMPL's skeleton: the armature, the skinned mesh and, for a calibrated person, the exact surface."""

from dataclasses import replace

import bpy

from ...core.array_types import FloatArray
from ...core.body_contacts import body_contacts
from ...core.conventions import FIRST_BLENDER_FRAME
from ...core.errors import InputError
from ...core.files.body_template import BodyTemplate
from ...core.motion import motion_on_body
from ...core.records import Motion, Recovery
from ..assembly import AssemblyOptions, Person
from ..cameras.footage_clock import store_camera
from ..corrections.edited_contacts import store_found_contacts
from ..corrections.planted_rows import planting_of, store_planting
from ..motion.keyframes import snapped_key_frames, write_action
from ..motion.motion_curves import motion_curves, track_curves
from ..motion.unused_channels import lock_unused_channels
from ..takes.takes import CLIP_PROPERTY, prepare_take, store_take, take_name_of
from .armature import build_armature
from .materials import assign_materials
from .mesh import build_mesh
from .surface import add_surface


def build_smpl_person(
    person: Person, number: int, collection: bpy.types.Collection, clip: str, options: AssemblyOptions
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """Make and animate the armature and the mesh of a Person.

    Args:
        number: the person's, from 0, which chooses the colour.
        clip: the name of the footage, for the names of takes.

    Returns:
        the armature object, and its mesh object in a tuple.

    Raises:
        InputError: the recovery has fewer joints than the body, or the surface belongs to another mesh or clip.
    """
    recovery, template = person.recovery, person.template
    motion = rig_motion(person.name, recovery, template, options.stretch)
    armature_object, (mesh_object,) = build_smpl_body(
        person.name, recovery.betas, template, motion, collection, options.pose_shapes, options.bone_scale
    )
    assign_materials(mesh_object, template, number)
    armature_object[CLIP_PROPERTY] = clip
    action = animate_smpl_person(armature_object, recovery, motion, options.fps, options.bone_scale, options.first_frame)
    if person.surface is not None:
        add_surface(mesh_object, person.surface, options.key_frames(recovery), action)
    return armature_object, (mesh_object,)


def build_smpl_body(
    name: str,
    betas: FloatArray,
    template: BodyTemplate,
    motion: Motion,
    collection: bpy.types.Collection,
    pose_shapes: bool = True,
    bone_scale: bool = True,
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """Make the armature and the mesh of a person with the shape `betas` (B,) and a `rig_motion`, without materials and animation."""
    has_moving_bones = motion.joints is not None and not bone_scale
    armature_object = build_armature(name, motion, collection, offset_tails=has_moving_bones)
    mesh_object = build_mesh(f"{name} body", template, betas, armature_object, collection, pose_shapes)
    return armature_object, (mesh_object,)


def animate_smpl_person(
    armature_object: bpy.types.Object,
    recovery: Recovery,
    motion: Motion,
    fps: float,
    bone_scale: bool = True,
    first_frame: int = FIRST_BLENDER_FRAME,
) -> bpy.types.Action:
    """Give an armature a new take of a Recovery's motion, which begins at a frame of the timeline; earlier takes are kept."""
    prepare_take(armature_object, motion.joint_names)
    curves = motion_curves(armature_object, motion, bone_scale)
    contacts = body_contacts(recovery)
    curves += track_curves(armature_object, contacts, recovery.visible)
    frames = snapped_key_frames(recovery.timestamps, fps, first_frame)
    action = write_action(take_name_of(armature_object), armature_object, frames, curves)
    lock_unused_channels(armature_object, action, motion.joint_names)
    store_found_contacts(action, recovery.timestamps, contacts)
    store_planting(action, *planting_of(recovery))
    store_camera(action, recovery)
    store_take(armature_object, action, recovery, first_frame)
    return action


def rig_motion(name: str, recovery: Recovery, template: BodyTemplate, stretch: bool) -> Motion:
    """The Motion of the body's joints; `joints` is None if bones keep their lengths."""
    num_joints, num_needed = recovery.poses.shape[1] // 3, len(template.joint_names)
    if num_joints < num_needed:
        raise InputError(
            "motion-has-fewer-joints",
            "The motion of {name} has {have} joints and the body {body} has {need}.",
            "Choose the body that the motion was made with.",
            name=name,
            have=num_joints,
            body=template.name,
            need=num_needed,
        )
    motion = motion_on_body(recovery, template)
    return motion if stretch else replace(motion, joints=None)
