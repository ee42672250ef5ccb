"""Footage behind a camera at another rate than its own: an image whose frame follows the timeline by a driver.

A movie clip shows one more frame of its file for each frame of the timeline. The frame of a background image can be driven, and Blender
evaluates the expression used here without running Python, so that it also works where scripts may not run.
"""

import re
from pathlib import Path

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ..context import camera_data, expect_type
from .camera_footage import MADE_PROPERTY

_RATE_TOLERANCE = 2e-3  # a frame in 500
_MAX_UNEVENNESS = 1.0  # frames by which footage may deviate from a constant rate
_ENDLESS = 1_000_000  # frames of the timeline; the driver holds the last frame of the footage


def footage_rate(times: FloatArray) -> float | None:
    """The frames a second of footage whose frames lie at times (N,) s; None if there is none, or it varies."""
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    rate = (len(times) - 1) / (times[-1] - times[0])
    deviation = np.abs((times - times[0]) * rate - np.arange(len(times))).max()
    return float(rate) if deviation <= _MAX_UNEVENNESS else None


def file_rate(camera_object: bpy.types.Object, speed: float) -> float | None:
    """The frames a second of the video behind a camera, captured so many times faster than its file plays; None if there is none."""
    clips = [background.clip for background in camera_data(camera_object).background_images if background.clip is not None]
    return next((speed * clip.fps for clip in clips if clip.source == "MOVIE" and MADE_PROPERTY in clip), None)


def retime_footage(camera_object: bpy.types.Object, rate: float | None, fps: float) -> bool:
    """Let the footage behind a camera, as `add_footage` shows it, keep its own speed on a timeline of another rate.

    Args:
        rate: frames a second of the footage; None if unknown. fps: of the timeline.

    Returns:
        Whether the footage is in step now. It cannot be where Blender takes a lens's distortion out of it, which movie clips alone do.
    """
    camera = camera_data(camera_object)
    number, background = next(
        ((k, image) for k, image in enumerate(camera.background_images) if image.clip is not None and MADE_PROPERTY in image.clip),
        (0, None),
    )
    if rate is None or background is None or background.clip_user.use_render_undistorted:
        return False
    if abs(rate - fps) <= _RATE_TOLERANCE * fps:
        return True
    clip = expect_type(background.clip, bpy.types.MovieClip)
    start, first, duration = clip.frame_start, clip.frame_offset, clip.frame_duration
    file = clip.filepath
    image = bpy.data.images.load(file, check_existing=False)
    if clip.source == "SEQUENCE":
        image.source = "SEQUENCE"
    image[MADE_PROPERTY] = True
    background.source, background.image = "IMAGE", image
    background.clip = None
    if clip.users == 0:
        bpy.data.movieclips.remove(clip)
    user = background.image_user
    # Blender limits the frame of the timeline, counted from `frame_start`, to the duration, and then adds the offset.
    user.frame_start, user.frame_duration, user.use_auto_refresh = 1, _ENDLESS, True
    # The name of a sequence's first image has a number, from which Blender counts.
    lowest = _number_in(file) - 1 if image.source == "SEQUENCE" else 0
    _drive_offset(camera, number, (start, first, max(1, duration)), rate / fps, lowest)
    return True


def _drive_offset(camera: bpy.types.Camera, number: int, clip: tuple[int, int, int], ratio: float, lowest: int) -> None:
    """Drive a background image's offset.

    Args:
        clip: frame of the timeline that shows the frame `first` of the footage, counted from 0; `first`; number of frames. lowest: the
            first image's number, less 1.
    """
    start, first, duration = clip
    curve = camera.driver_add(f"background_images[{number}].image_user.frame_offset")
    driver = expect_type(expect_type(curve, bpy.types.FCurve).driver, bpy.types.Driver)
    driver.type = "SCRIPTED"
    shown = f"floor((frame - {start}) * {ratio:.9g} + {first + 0.5})"
    driver.expression = f"min(max({shown}, 0), {duration - 1}) + {lowest + 1} - max(frame, 1)"


def _number_in(file: str) -> int:
    """The last number in a file's name."""
    numbers = re.findall(r"\d+", Path(file).stem)
    return int(numbers[-1]) if numbers else 1
