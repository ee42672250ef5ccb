"""A person with SMPL's skeleton: the armature, the skinned mesh and, for a calibrated person, the exact surface."""

from dataclasses import replace
from pathlib import Path

import bpy

from ..core.errors import InputError
from ..core.files.body_template import BodyTemplate
from ..core.motion import motion_from_recovery
from ..core.records import Motion, Recovery
from .armature import build_armature
from .edited_contacts import store_found_contacts
from .keyframes import snapped_key_frames, write_action
from .materials import assign_materials
from .mesh import build_mesh
from .motion_curves import motion_curves, track_curves
from .surface import add_surface


def build_smpl_person(
    name: str,
    recovery: Recovery,
    template: BodyTemplate,
    number: int,
    collection: bpy.types.Collection,
    fps: float,
    pose_shapes: bool = True,
    stretch: bool = True,
    bone_scale: bool = True,
    surface: Path | None = None,
) -> tuple[bpy.types.Object, tuple[bpy.types.Object, ...]]:
    """Make and animate the armature and the mesh of a Recovery.

    Args:
        template: the BodyTemplate of the recovery's pose. number: the person's, from 0. fps: the timeline's rate.
        pose_shapes: as in `build_mesh`. stretch, bone_scale: as in `assemble`. surface: point cache of the exact surface.

    Returns:
        the armature object, and its mesh object in a tuple.

    Raises:
        InputError: the recovery has fewer joints than the body, or the surface belongs to another mesh or clip.
    """
    motion = rig_motion(name, recovery, template, stretch)
    has_moving_bones = motion.joints is not None and not bone_scale
    armature_object = build_armature(name, motion, collection, offset_tails=has_moving_bones)
    mesh_object = build_mesh(f"{name} body", template, recovery.betas, armature_object, collection, pose_shapes)
    assign_materials(mesh_object, template, number)
    animate_smpl_person(armature_object, recovery, motion, fps, bone_scale)
    if surface is not None:
        add_surface(mesh_object, surface, snapped_key_frames(recovery.timestamps, fps))
    return armature_object, (mesh_object,)


def animate_smpl_person(
    armature_object: bpy.types.Object, recovery: Recovery, motion: Motion, fps: float, bone_scale: bool = True
) -> bpy.types.Action:
    """Give an armature a new action of a Recovery's motion."""
    curves = motion_curves(armature_object, motion, bone_scale)
    curves += track_curves(armature_object, motion.contacts, recovery.visible)
    action = write_action(armature_object.name, armature_object, snapped_key_frames(recovery.timestamps, fps), curves)
    store_found_contacts(action, recovery.timestamps, recovery.contacts)
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
    motion = motion_from_recovery(recovery, template.rest_joints(recovery.betas), template.joint_names, template.parents)
    return motion if stretch else replace(motion, joints=None)
