"""A person follows a clean-up rig: each bone copies its control, by a constraint that can be switched off and removed."""

from collections.abc import Mapping

import bpy

from ..context import expect_type, pose_bones
from .capture import FOLLOW

RIG_PROPERTY = "meshrec_clean_up_rig"  # of a person's armature object: its clean-up rig
WIDGETS_PROPERTY = "meshrec_widgets"  # of a clean-up rig: the collection of the shapes that Rigify has made for it
PERSON_PROPERTY = "meshrec_person_rig"  # of a clean-up rig: the person's armature object


def follow_controls(armature_object: bpy.types.Object, rig: bpy.types.Object, followed: Mapping[str, str]) -> None:
    """Let a person's bones copy bones of a rig. followed: the person's bone -> the rig's."""
    stop_following(armature_object)
    for name, control in followed.items():
        constraints = pose_bones(armature_object)[name].constraints
        constraint = expect_type(constraints.new("COPY_TRANSFORMS"), bpy.types.CopyTransformsConstraint)
        constraint.name, constraint.target, constraint.subtarget = FOLLOW, rig, control
    armature_object[RIG_PROPERTY], rig[PERSON_PROPERTY] = rig, armature_object


def stop_following(armature_object: bpy.types.Object) -> None:
    """Remove the constraints and what refers to the rig; the person plays its capture again."""
    for bone in pose_bones(armature_object):
        for constraint in [constraint for constraint in bone.constraints if constraint.name == FOLLOW]:
            bone.constraints.remove(constraint)
    armature_object.pop(RIG_PROPERTY, None)


def set_following(armature_object: bpy.types.Object, follows: bool) -> None:
    """Let a person play its controls, or its capture."""
    for bone in pose_bones(armature_object):
        for constraint in bone.constraints:
            if constraint.name == FOLLOW:
                constraint.mute = not follows


def is_following(armature_object: bpy.types.Object) -> bool:
    """Whether a person plays its controls."""
    return any(constraint.name == FOLLOW and not constraint.mute for bone in pose_bones(armature_object) for constraint in bone.constraints)


def clean_up_rig_of(armature_object: bpy.types.Object) -> bpy.types.Object | None:
    """The clean-up rig of a person; None if there is none, or if it was deleted."""
    rig = armature_object.get(RIG_PROPERTY)
    return rig if isinstance(rig, bpy.types.Object) and rig.name in bpy.data.objects else None


def person_of(rig: bpy.types.Object | None) -> bpy.types.Object | None:
    """The person whose clean-up rig an object is; None if it is none."""
    person = None if rig is None else rig.get(PERSON_PROPERTY)
    return person if isinstance(person, bpy.types.Object) else None


def remove_rig(armature_object: bpy.types.Object) -> None:
    """Remove a person's clean-up rig, with its action and shapes if nothing else uses those."""
    rig = clean_up_rig_of(armature_object)
    stop_following(armature_object)
    if rig is None:
        return
    data, animation, widgets = rig.data, rig.animation_data, rig.get(WIDGETS_PROPERTY)
    blocks = [block for block in (data, animation.action if animation else None) if block is not None]
    bpy.data.objects.remove(rig)
    bpy.data.batch_remove([block for block in blocks if block.users == 0])
    if isinstance(widgets, bpy.types.Collection):
        shapes = list(widgets.objects)
        bpy.data.collections.remove(widgets)
        unused = [shape for shape in shapes if shape.users == 0]
        meshes = {shape.data for shape in unused if isinstance(shape.data, bpy.types.Mesh)}
        bpy.data.batch_remove(unused)
        bpy.data.batch_remove([mesh for mesh in meshes if mesh.users == 0])
