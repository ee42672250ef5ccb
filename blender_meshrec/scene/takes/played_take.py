"""The take that a person plays: its action, or the one in a strip of the NLA, which an artist may have moved along the timeline.

Frames of an action are those of its keys; a frame of the timeline is that many frames later if its strip was moved.
"""

from typing import Any, NamedTuple

import bpy

from ...core.errors import InputError
from ..context import assigned_action
from .takes import FRAME_CONFIDENCE, assign_action

_SAME_SCALE = 1e-6


class PlayedTake(NamedTuple):
    """An action, how many frames later than its keys the timeline shows it, and its strip; None for an action without a strip."""

    action: bpy.types.Action
    shift: float = 0.0
    strip: bpy.types.NlaStrip | None = None


def played_take(armature_object: bpy.types.Object) -> PlayedTake | None:
    """The take of a reconstruction that an armature plays: the highest strip with one, else its action, whatever that is; None without.

    Strips that are scaled, reversed or repeated do not count: a frame of theirs is no frame of the footage.
    """
    action, found = assigned_action(armature_object), _strips_with_takes(armature_object)
    if action is not None and (FRAME_CONFIDENCE in action or not found):
        # In Tweak Mode the action is that of the strip, at the place of its own keys.
        return PlayedTake(action)
    return found[-1] if found else None


def played_action(armature_object: bpy.types.Object) -> bpy.types.Action | None:
    """The action of `played_take`."""
    take = played_take(armature_object)
    return None if take is None else take.action


def timeline_shift(armature_object: bpy.types.Object) -> float:
    """How many frames later than its keys the timeline shows what an armature plays."""
    take = played_take(armature_object)
    return 0.0 if take is None else take.shift


def changed_strip(armature_object: bpy.types.Object) -> bpy.types.NlaStrip | None:
    """The strip because of which an armature plays no take: a scaled, reversed or repeated one with a take; None without one."""
    if played_take(armature_object) is not None:
        return None
    return next(reversed([strip for strip in _strips_of_takes(armature_object) if not _is_plain(strip)]), None)


def check_strip(armature_object: bpy.types.Object) -> None:
    """Raise an InputError if an armature plays no take because of a strip of `changed_strip`."""
    strip = changed_strip(armature_object)
    if strip is not None:
        raise InputError(
            "strip-not-plain",
            'The strip "{name}" is scaled, repeated or reversed, so that its frames are not those of the footage.',
            "Set its Playback Scale and Repeat to 1 in the NLA Editor, and change them when the clip is corrected.",
            name=strip.name,
        )


def put_into_strip(armature_object: bpy.types.Object, strip: bpy.types.NlaStrip, action: bpy.types.Action) -> None:
    """Let a strip play an action in place of its own, which begins at the same frame; the armature itself plays none."""
    slot = getattr(armature_object.animation_data, "action_slot", None)
    start, length = strip.action_frame_start, action.frame_range[1] - action.frame_range[0]
    changed: Any = strip
    changed.action = action
    if slot is not None and hasattr(strip, "action_slot"):
        changed.action_slot = slot
    strip.action_frame_start, strip.action_frame_end = start, start + length
    strip.name = action.name
    assign_action(armature_object, None)


def _strips_with_takes(armature_object: bpy.types.Object) -> list[PlayedTake]:
    """The takes in strips that play, the lowest first."""
    return [
        PlayedTake(strip.action, strip.frame_start - strip.action_frame_start, strip)
        for strip in _strips_of_takes(armature_object)
        if strip.action is not None and _is_plain(strip)
    ]


def _strips_of_takes(armature_object: bpy.types.Object) -> list[bpy.types.NlaStrip]:
    """The strips that play and have takes, the lowest first."""
    animation = armature_object.animation_data
    tracks = () if animation is None or not animation.use_nla else animation.nla_tracks
    playing = [strip for track in tracks if not track.mute for strip in track.strips if not strip.mute]
    return [strip for strip in playing if strip.action is not None and FRAME_CONFIDENCE in strip.action]


def _is_plain(strip: bpy.types.NlaStrip) -> bool:
    return abs(strip.scale - 1) < _SAME_SCALE and abs(strip.repeat - 1) < _SAME_SCALE and not strip.use_reverse
