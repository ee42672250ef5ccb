"""Where the keys of a result lie on a scene's timeline: at which rate, from which frame, and what matching the scene would change."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ..core.conventions import FIRST_BLENDER_FRAME
from ..core.messages import Message
from ..core.records import Recovery
from ..core.resampling import resample_recovery
from .cameras.camera import VIEW_PROPERTY
from .motion.keyframes import scene_fps, set_timeline, snapped_key_frames

_SAME_RATE = 1e-4  # relative


@dataclass(frozen=True)
class Timing:
    """The timeline of a new result.

    fps: rate of the timeline. first_frame: at which the motion begins. whole_frames: keys lie on whole frames only; otherwise on the
    footage's. is_scene_matched: whether the scene takes over the rate and the range.
    """

    fps: float
    first_frame: int
    whole_frames: bool
    is_scene_matched: bool


def choose_timing(
    scene: bpy.types.Scene, footage_fps: float, rate: str, first_frame: int | None = None, whole_frames: bool = True, match: bool = True
) -> Timing:
    """The Timing of a result in a scene.

    Args:
        rate: "FOOTAGE", "SCENE", or "AUTO": the footage's, unless the scene `has_own_timing`. first_frame: None for the scene's first.
        match: whether the scene may be changed; if not, its rate is kept.
    """
    takes_footage_rate = match and footage_fps > 0 and (rate == "FOOTAGE" or (rate == "AUTO" and not has_own_timing(scene)))
    start = scene.frame_start if first_frame is None else first_frame
    return Timing(footage_fps if takes_footage_rate else scene_fps(scene), start, whole_frames, takes_footage_rate)


def has_own_timing(scene: bpy.types.Scene) -> bool:
    """Whether the timeline of a scene has been set up: it begins at another frame than a new one, or something is animated."""
    return scene.frame_start != FIRST_BLENDER_FRAME or any(map(_is_animated, scene.objects))


def on_timeline(recoveries: Sequence[Recovery], timing: Timing) -> list[Recovery]:
    """Recoveries of one clip whose rows lie on whole frames of the timeline, resampled where they did not."""
    return [_resampled(recovery, timing) if timing.whole_frames else recovery for recovery in recoveries]


def matching_changes(scene: bpy.types.Scene, timing: Timing, frames: int, footage_fps: float, size: Sequence[int]) -> list[Message]:
    """What matching a scene to footage would change, beforehand: nothing for what is so already.

    Args:
        frames, footage_fps, size: of the part of the footage to reconstruct; 0 where unknown.
    """
    changes: list[Message] = []
    if timing.is_scene_matched and not np.isclose(scene_fps(scene), timing.fps, rtol=_SAME_RATE):
        text = "Frame rate: {old:.5g} to {new:.5g} fps"
        changes.append(Message("matching-rate", text, old=scene_fps(scene), new=timing.fps))
    if frames > 0 and footage_fps > 0:
        end = timing.first_frame + int(np.ceil((frames - 1) / footage_fps * timing.fps - 1e-3))
        start, end = (timing.first_frame, end) if timing.is_scene_matched else (scene.frame_start, max(scene.frame_end, end))
        first, last = scene.frame_start, scene.frame_end
        if (start, end) != (first, last):
            text = "Frame range: {first}-{last} to {start}-{end}"
            changes.append(Message("matching-range", text, first=first, last=last, start=start, end=end))
    old_size = (scene.render.resolution_x, scene.render.resolution_y)
    if min(size) > 0 and tuple(size) != old_size:
        text = "Resolution: {old_width} x {old_height} to {width} x {height}"
        changes.append(Message("matching-resolution", text, old_width=old_size[0], old_height=old_size[1], width=size[0], height=size[1]))
    if scene.camera is not None and VIEW_PROPERTY not in scene.camera:
        changes.append(Message("matching-camera", "Scene camera: {name} to that of the footage", name=scene.camera.name))
    return changes


def match_timeline(scene: bpy.types.Scene, timing: Timing, end: int) -> None:
    """Give a scene the rate and the range of a result; a scene with its own timing keeps it, and is prolonged to the result's end."""
    if timing.is_scene_matched:
        set_timeline(scene, timing.fps, end, timing.first_frame)
    else:
        scene.frame_end = max(scene.frame_end, end)
        scene.frame_set(timing.first_frame)


def _resampled(recovery: Recovery, timing: Timing) -> Recovery:
    frames = snapped_key_frames(recovery.timestamps - recovery.timestamps[0], timing.fps)
    if np.array_equal(frames, np.round(frames)) and (len(frames) < 2 or np.diff(frames).max() <= 1):
        return recovery
    return resample_recovery(recovery, timing.fps)


def _is_animated(obj: bpy.types.Object) -> bool:
    animation = obj.animation_data
    return animation is not None and (animation.action is not None or any(track.strips for track in animation.nla_tracks))
