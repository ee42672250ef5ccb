"""The capture as a strip, and a layer of corrections above it: keys of an artist that add to the captured pose, whatever that is."""

from typing import Any

import bpy

from ...core.errors import InputError
from ..context import assigned_action
from ..motion.keyframes import action_fcurves, write_action
from ..takes.takes import assign_action

CAPTURE_TRACK, CORRECTIONS_TRACK = "Capture", "Corrections"


def capture_to_strip(armature_object: bpy.types.Object) -> bpy.types.NlaStrip:
    """Put the action that an armature plays into a strip on a track of its own, below all tracks that are there.

    Raises:
        InputError: the armature plays no action.
    """
    action = assigned_action(armature_object)
    animation = armature_object.animation_data
    if action is None or animation is None:
        raise InputError(
            "strip-without-action", '"{name}" plays no action.', "Choose a take of it, or reconstruct anew.", name=armature_object.name
        )
    slot = getattr(animation, "action_slot", None)
    start = min((curve.range()[0] for curve in action_fcurves(action, armature_object)), default=1.0)
    track = animation.nla_tracks.new()
    track.name = CAPTURE_TRACK
    strip = track.strips.new(action.name, round(start), action)
    _set_slot(strip, slot)
    strip.extrapolation = "HOLD"
    assign_action(armature_object, None)
    return strip


def add_corrections(armature_object: bpy.types.Object) -> bpy.types.Action:
    """Add the track of corrections above the capture, which goes into a strip if it is none yet, and open it for keys.

    What is keyed then is combined with the pose below: rotations add up as rotations. Leaving Tweak Mode (Tab in the NLA Editor) closes
    the layer.

    Raises:
        InputError: the armature plays nothing.
    """
    found = find_corrections(armature_object)
    if found is None:
        has_strip = armature_object.animation_data is not None and any(track.strips for track in armature_object.animation_data.nla_tracks)
        captured = assigned_action(armature_object)
        if captured is not None or not has_strip:
            capture_to_strip(armature_object)
        found = _new_corrections(armature_object)
    open_corrections(armature_object, found)
    return found.strips[0].action  # pyrefly: ignore[bad-return]  the strip has one


def find_corrections(armature_object: bpy.types.Object) -> bpy.types.NlaTrack | None:
    """The track of corrections; None if there is none."""
    animation = armature_object.animation_data
    tracks = () if animation is None else animation.nla_tracks
    return next((track for track in tracks if track.name == CORRECTIONS_TRACK and track.strips), None)


def open_corrections(armature_object: bpy.types.Object, track: bpy.types.NlaTrack) -> None:
    """Edit the strip of corrections: keys that are set go into its action."""
    animation = armature_object.animation_data
    if animation is None:
        return
    animation.use_tweak_mode = False
    for other in animation.nla_tracks:
        other.select = other == track
        for strip in other.strips:
            strip.select = other == track
    animation.nla_tracks.active = track
    animation.use_tweak_mode = True


def _new_corrections(armature_object: bpy.types.Object) -> bpy.types.NlaTrack:
    animation: Any = armature_object.animation_data
    strips = [strip for track in animation.nla_tracks for strip in track.strips]
    first, last = min(strip.frame_start for strip in strips), max(strip.frame_end for strip in strips)
    action = write_action(f"{armature_object.name} corrections", armature_object, [], [])  # pyrefly: ignore[bad-argument-type]
    slot = getattr(animation, "action_slot", None)
    action.use_frame_range = True  # so that the strip is as long as the capture, and stays so
    action.frame_start, action.frame_end = first, last
    animation.action = None
    track = animation.nla_tracks.new()
    track.name = CORRECTIONS_TRACK
    strip = track.strips.new(CORRECTIONS_TRACK, round(first), action)
    _set_slot(strip, slot)
    strip.blend_type, strip.extrapolation = "COMBINE", "HOLD"
    return track


def _set_slot(strip: bpy.types.NlaStrip, slot: "bpy.types.ActionSlot | None") -> None:
    """Let a strip animate what a slot of its action does, where actions have slots."""
    if slot is not None and hasattr(strip, "action_slot"):
        strip.action_slot = slot
