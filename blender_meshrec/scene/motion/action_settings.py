"""The settings of an armature that keep its action from playing: Rest Position, solo NLA tracks, and blending of the action."""

import bpy

from ...core.errors import InputError
from ...core.messages import Message
from ..context import armature_data


def check_rest_position(armature_object: bpy.types.Object) -> None:
    """Refuse an armature in Rest Position whose data is linked from a library, where the setting cannot be changed.

    Raises:
        InputError: with the path of the library.
    """
    armature = armature_data(armature_object)
    if armature.pose_position == "REST" and armature.library:
        raise InputError(
            "rig-at-rest-in-library",
            '"{name}" is in Rest Position in {path}, from which it is linked, and so cannot move.',
            "Set Pose Position in that file.",
            name=armature_object.name,
            path=armature.library.filepath,
        )


def enable_action(armature_object: bpy.types.Object) -> list[Message]:
    """Let an armature play its assigned action in full; returns a sentence about each setting that was changed."""
    name = armature_object.name
    notes: list[Message] = []
    armature = armature_data(armature_object)
    if armature.pose_position == "REST":
        armature.pose_position = "POSE"
        notes.append(Message("rest-position-disabled", '"{name}" was in Rest Position; it is in Pose Position now.', name=name))
    animation = armature_object.animation_data
    if animation is None:
        return notes
    for track in animation.nla_tracks:
        if track.is_solo:
            track.is_solo = False
            text = 'The NLA track "{track}" of "{name}" was solo, so that no action played; it no longer is.'
            notes.append(Message("nla-solo-disabled", text, track=track.name, name=name))
    if animation.action_blend_type != "REPLACE" or animation.action_influence != 1.0:
        animation.action_blend_type, animation.action_influence = "REPLACE", 1.0
        text = 'The action of "{name}" was blended with its NLA tracks; it replaces them now.'
        notes.append(Message("action-blending-disabled", text, name=name))
    return notes


def playing_nla_tracks(armature_object: bpy.types.Object) -> list[bpy.types.NlaTrack]:
    """The NLA tracks that play beside the action."""
    animation = armature_object.animation_data
    if not animation or not animation.use_nla:
        return []
    return [track for track in animation.nla_tracks if track.strips and not track.mute]
