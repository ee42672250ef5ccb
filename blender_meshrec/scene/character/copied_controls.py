"""Hand-made control rigs whose bones copy controls: the controls are keyed in place of the bones, whose own keys would have no effect."""

from dataclasses import replace

import bpy
import numpy as np

from ...core.messages import Message
from ...retarget.rig import BoneMapping, Rig
from ..context import pose_bones
from .rig_bones import quote_names

_MAX_LINKS = 16  # from a bone to its control
_POSITION_TOLERANCE = 1e-3  # as a fraction of the rig's size
_MAX_REST_COSINE_LOSS = 1e-3  # of each axis; about 2.5 degrees


def map_to_copied_controls(armature_object: bpy.types.Object, rig: Rig, mapping: BoneMapping) -> tuple[BoneMapping, tuple[Message, ...]]:
    """The mapping with a control in place of each bone that copies it, and a sentence about them.

    Only bones that copy one bone of the same armature in full, which is at the same place at rest, are replaced. Mappings of known
    control rigs are returned as they are.
    """
    if mapping.controls is not None:
        return mapping, ()
    controls = {bone: control for bone in mapping.bones if (control := _control_of(armature_object, rig, bone)) != bone}
    new_bones = [controls.get(bone, bone) for bone in mapping.bones]
    if not controls or len(set(new_bones)) < len(new_bones):
        return mapping, ()
    slots = {slot: tuple(controls.get(bone, bone) for bone in bones) for slot, bones in mapping.slots.items()}
    confidence = {controls.get(bone, bone): value for bone, value in mapping.confidence.items()}
    text = "These bones copy others, which are keyed in their place: {bones}."
    note = Message("copied-controls-keyed", text, bones=quote_names(list(controls)))
    return replace(mapping, slots=slots, confidence=confidence), (note,)


def _control_of(armature_object: bpy.types.Object, rig: Rig, bone: str) -> str:
    """The bone at the end of the chain of copies that begins at a bone; the bone itself if it copies none."""
    for _ in range(_MAX_LINKS):
        copied = _copied_bone(armature_object, bone)
        if copied is None or not _have_same_rest(rig, bone, copied):
            break
        bone = copied
    return bone


def _copied_bone(armature_object: bpy.types.Object, bone: str) -> str | None:
    """The bone of the same armature that the last full copy among a bone's constraints follows."""
    copied: str | None = None
    for constraint in pose_bones(armature_object)[bone].constraints:
        if not constraint.mute and constraint.influence == 1.0:
            copied = _target_of_copy(armature_object, constraint) or copied
    return copied


def _target_of_copy(armature_object: bpy.types.Object, constraint: bpy.types.Constraint) -> str | None:
    """The bone of the armature whose rotation a constraint copies in full; None for other constraints."""
    target: bpy.types.Object | None = None
    bone = ""
    if isinstance(constraint, bpy.types.ArmatureConstraint):
        weighted = [entry for entry in constraint.targets if entry.weight > 0]
        if len(weighted) == 1:
            target, bone = weighted[0].target, weighted[0].subtarget
    elif isinstance(constraint, bpy.types.CopyTransformsConstraint | bpy.types.CopyRotationConstraint) and _copies_all_axes(constraint):
        target, bone = constraint.target, constraint.subtarget
    return bone if target == armature_object and bone in pose_bones(armature_object) else None


def _copies_all_axes(constraint: bpy.types.CopyTransformsConstraint | bpy.types.CopyRotationConstraint) -> bool:
    if constraint.mix_mode != "REPLACE":
        return False
    if isinstance(constraint, bpy.types.CopyTransformsConstraint):
        return True
    used = (constraint.use_x, constraint.use_y, constraint.use_z)
    return all(used) and not (constraint.invert_x or constraint.invert_y or constraint.invert_z)


def _have_same_rest(rig: Rig, first: str, second: str) -> bool:
    """Whether two bones have the same head and axes at rest."""
    one, other = rig.rest[rig.index(first)], rig.rest[rig.index(second)]
    size = np.ptp(rig.rest[:, :3, 3], axis=0).max()
    is_near = np.linalg.norm(one[:3, 3] - other[:3, 3]) < _POSITION_TOLERANCE * size
    cosines = (one[:3, :3] * other[:3, :3]).sum(0)
    return bool(is_near and (cosines > 1 - _MAX_REST_COSINE_LOSS).all())
