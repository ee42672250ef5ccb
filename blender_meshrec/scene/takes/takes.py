"""Takes: the actions that were made for one character, kept in order. The character is a user of each, so that files keep them.

An armature object stores its takes as a custom property, a group of pointers numbered from "1". An action stores what belongs to its
take alone (TAKE_PROPERTIES), such as the person's shape and the quality of the result.
"""

import zlib
from collections.abc import Iterable
from typing import Literal

import bpy
import numpy as np

from ...core.conventions import FIRST_BLENDER_FRAME
from ...core.records import Recovery
from ..context import armature_data, assigned_action, pose_bones
from ..free_names import cut_name
from ..motion.keyframes import slot_fcurves

TAKES_PROPERTY = "meshrec_takes"  # of an armature object: {"1": action, ...}
CLIP_PROPERTY = "meshrec_clip"  # of an armature object: the name of the clip that it was made from
FIRST_FRAME, FIRST_FOOTAGE_FRAME = "meshrec_first_frame", "meshrec_first_footage_frame"  # of an action; of the footage from 0
UNSCALED_BONES = "meshrec_unscaled_bones"  # of an action: the bones that do not inherit scale in this take
_FINGERPRINT = "meshrec_fingerprint"  # of an action: a checksum of its keys as they were made
WORST_FRAMES = "meshrec_worst_frames"  # of an action: the frames of the timeline that the verdict names
FRAME_CONFIDENCE = "meshrec_confidence"  # of an action: (24 F,), at its key frames
# Custom properties that an armature object has in common with the action of the take that it plays.
TAKE_PROPERTIES = ("betas", "skel_betas", "confidence", "quality", "quality_messages", "report")
_MAX_TAKES = 1000


def take_action_name(clip: str, character: str, number: int) -> str:
    """The name of a take's action; a long name of the clip or of the character is cut, never the number."""
    return cut_name(f"{clip} - {character}", f" (take {number})")


def next_take_name(clip: str, character: str) -> str:
    """The name of a new take of a clip and a character: its number follows the highest that the file has."""
    taken = [number for number in range(1, _MAX_TAKES) if take_action_name(clip, character, number) in bpy.data.actions]
    return take_action_name(clip, character, max(taken, default=0) + 1)


def character_name(armature_object: bpy.types.Object, clip: str) -> str:
    """The name of an armature's character in the names of its takes: without the clip's name, with which MeshRec's people begin."""
    return armature_object.name.removeprefix(f"{clip} ")


def first_frame_of(action: bpy.types.Action | None) -> int:
    """The frame of the timeline at which a take begins."""
    return FIRST_BLENDER_FRAME if action is None else int(action.get(FIRST_FRAME, FIRST_BLENDER_FRAME))


def takes_of(armature_object: bpy.types.Object) -> list[bpy.types.Action]:
    """The takes of a character in the order in which they were made; those that were deleted from the file are left out."""
    stored = armature_object.get(TAKES_PROPERTY)
    return [] if stored is None else list(dict.fromkeys(action for action in stored.values() if action is not None))


def add_takes(armature_object: bpy.types.Object, *actions: bpy.types.Action | None) -> None:
    """Add actions to the end of a character's takes; None and those that are in the list already are left out."""
    takes = takes_of(armature_object)
    _store_takes(armature_object, (*takes, *(action for action in actions if action is not None and action not in takes)))


def remove_take(armature_object: bpy.types.Object, action: bpy.types.Action) -> None:
    """Take an action out of the list, and from the character. It is deleted from the file, with its report, if nothing else uses it."""
    _store_takes(armature_object, [take for take in takes_of(armature_object) if take != action])
    if assigned_action(armature_object) == action:
        assign_action(armature_object, None)
    blocks = [block for block in (action.get("report"), action.get("meshrec_surface_action")) if block is not None]
    if action.users == 0:
        bpy.data.actions.remove(action)
        for block in blocks:
            _remove_unused(block)


def assign_action(owner: bpy.types.ID, action: bpy.types.Action | None) -> None:
    """Let a data block play an action, with the slot for its kind; None for no action."""
    animation = owner.animation_data_create()
    if getattr(animation, "use_tweak_mode", False):  # Blender refuses another action while a strip is edited
        animation.use_tweak_mode = False
    animation.action = action
    if action is not None and hasattr(action, "slots"):
        slots = [slot for slot in action.slots if slot.target_id_type in (owner.id_type, "UNSPECIFIED")]
        if slots and animation.action_slot not in slots:
            animation.action_slot = slots[0]


def reset_bones(armature_object: bpy.types.Object, names: Iterable[str]) -> None:
    """Put bones into their rest pose: a take may leave channels out that another one moves."""
    bones = pose_bones(armature_object)
    for bone in (bones[name] for name in names if name in bones):
        bone.matrix_basis.identity()
        for constraint in bone.constraints:
            if constraint.name == "Anatomical Limits":
                constraint.influence = 1.0


def copy_take_properties(source: bpy.types.ID, target: bpy.types.ID) -> None:
    """Copy what belongs to a take from its action to the armature object, or the other way."""
    for name in TAKE_PROPERTIES:
        if name in source:
            value = source[name]
            target[name] = value.to_list() if hasattr(value, "to_list") else value


def take_name_of(armature_object: bpy.types.Object) -> str:
    """The name of the next take of a person; that of the armature object if it belongs to no clip."""
    clip = armature_object.get(CLIP_PROPERTY, "")
    return next_take_name(clip, character_name(armature_object, clip)) if clip else armature_object.name


def prepare_take(armature_object: bpy.types.Object, joint_names: Iterable[str]) -> None:
    """Prepare a person for a new take: what it plays now becomes a take, and the bones of its joints go to their rest pose."""
    playing = assigned_action(armature_object)
    if playing is not None:
        if "betas" not in playing:  # of an earlier version, or an artist's own
            copy_take_properties(armature_object, playing)
        add_takes(armature_object, playing)
        assign_action(armature_object, None)
        _inherit_scale(armature_object, playing.get(UNSCALED_BONES, ()), "FULL")
    reset_bones(armature_object, joint_names)


def is_edited(armature_object: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether the keys of a take have changed since it was made."""
    return action.get(_FINGERPRINT) != _fingerprint(action, armature_object)


def store_take(armature_object: bpy.types.Object, action: bpy.types.Action, recovery: Recovery, first_frame: int) -> None:
    """Add the action of a Recovery's motion, which begins at a frame of the timeline, to a person's takes.

    The action stores the shape, the confidence (24 F,) of each frame, and which frame of the footage is at `first_frame`.
    """
    armature_object["betas"] = [float(beta) for beta in recovery.betas]
    if recovery.skel_betas is not None:
        armature_object["skel_betas"] = [float(beta) for beta in recovery.skel_betas]
    copy_take_properties(armature_object, action)
    action[UNSCALED_BONES] = [bone.name for bone in armature_data(armature_object).bones if bone.inherit_scale == "NONE"]
    action[_FINGERPRINT] = _fingerprint(action, armature_object)
    action[FIRST_FRAME], action[FIRST_FOOTAGE_FRAME] = first_frame, recovery.first_frame
    action[FRAME_CONFIDENCE] = np.asarray(recovery.confidence, float).ravel().tolist()
    add_takes(armature_object, action)
    if "meshrec_looked" in armature_object:  # of the take before
        del armature_object["meshrec_looked"]


def show_bone_scale(armature_object: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let the bones inherit scale as a take needs it: in a take that stretches bones their children do not."""
    playing = assigned_action(armature_object)
    _inherit_scale(armature_object, () if playing is None else playing.get(UNSCALED_BONES, ()), "FULL")
    _inherit_scale(armature_object, action.get(UNSCALED_BONES, ()), "NONE")


def _inherit_scale(armature_object: bpy.types.Object, names: Iterable[str], kind: Literal["FULL", "NONE"]) -> None:
    bones = armature_data(armature_object).bones
    for bone in (bones[name] for name in names if name in bones):
        bone.inherit_scale = kind


def _fingerprint(action: bpy.types.Action, owner: bpy.types.ID) -> str:
    """A checksum of an action's keys."""
    checksum = 0
    for curve in slot_fcurves(action, owner.id_type):
        values = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", values)
        checksum = zlib.crc32(f"{curve.data_path}[{curve.array_index}]".encode() + values.tobytes(), checksum)
    return f"{checksum:08x}"


def _store_takes(armature_object: bpy.types.Object, takes: Iterable[bpy.types.Action]) -> None:
    armature_object[TAKES_PROPERTY] = {str(number): action for number, action in enumerate(takes, 1)}


def _remove_unused(block: bpy.types.ID) -> None:
    """Delete a text or an action that was made for a take, unless another take uses it."""
    users = bpy.data.user_map(subset=[block]).get(block, set())
    if not users:
        bpy.data.batch_remove([block])
