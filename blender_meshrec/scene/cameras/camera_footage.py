"""Footage as the background of the view through a camera."""

import math
from pathlib import Path

import bpy

from ...core.array_types import IntArray
from ...core.conventions import FIRST_BLENDER_FRAME
from ...core.files.natural_order import natural_key
from ...core.messages import Message
from ...core.records import Recovery
from ..context import camera_data, expect_type

MADE_PROPERTY = "meshrec_made"  # of a movie clip or an image
RATE_NOTE = "camera-footage-rate-differs"  # name of a message
_RATE_TOLERANCE = 2e-3  # a frame in 500
_ROTATES_VIDEOS_SINCE = (4, 5, 0)  # Blender 4.5, 5.0 and 5.2 apply a video's rotation; 4.2 and 4.3 do not


def add_footage(
    camera_object: bpy.types.Object, recovery: Recovery, fps: float, scene: bpy.types.Scene, first_frame: int = FIRST_BLENDER_FRAME
) -> Message | None:
    """Show a Recovery's footage behind the view through the camera, its row 0 at a frame of the timeline.

    Args:
        fps: of the timeline. scene: the picture is fitted to its render size.

    Returns:
        A sentence if the footage is not shown, or plays at another rate.
    """
    footage = recovery.footage
    media_file = _first_media_file(Path(footage).absolute()) if footage else None
    if media_file is None:
        return _missing_footage_note(footage)
    camera = camera_data(camera_object)
    background = camera.background_images.new()
    is_image = Path(footage).is_file() and _is_image(media_file)
    width, height = (
        _load_image(background, media_file) if is_image else _load_clip(background, media_file, recovery.first_frame, first_frame)
    )
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.rotation = math.radians(_remaining_rotation(background, (width, height), recovery))
    background.use_flip_x = recovery.footage_mirrored  # of the picture, before it is rotated
    fit_footage(camera_object, recovery.image_size, scene)
    _straighten(background, recovery)
    camera.show_background_images = True
    if min(width, height) <= 0:
        return Message("camera-footage-unreadable", "The camera has no footage behind it: Blender cannot read {path}.", path=footage)
    if is_image and len(recovery) > 1:
        return Message("camera-footage-still", "The footage behind the camera stands still: Blender does not play {path}.", path=footage)
    return _rate_note(background, fps, recovery.footage_speed)


def _straighten(background: bpy.types.CameraBackgroundImage, recovery: Recovery) -> None:
    """Have Blender take the lens's distortion out of the footage, so that it lies below what a camera without any sees."""
    tracking = None if background.clip is None else background.clip.tracking
    if recovery.camera_distortion is None or tracking is None:
        return
    lens = expect_type(tracking.camera, bpy.types.MovieTrackingCamera)
    lens.distortion_model = "POLYNOMIAL"
    lens.units, lens.sensor_width = "PIXELS", 36.0
    lens.focal_length_pixels = float(recovery.camera_intrinsics[0, 0])
    lens.k1, lens.k2, lens.k3 = (float(value) for value in recovery.camera_distortion)
    background.clip_user.proxy_render_size = "FULL"
    background.clip_user.use_render_undistorted = True


def remove_footage(camera_object: bpy.types.Object) -> None:
    """Remove the footage that `add_footage` has shown; an artist's own background pictures stay."""
    images = camera_data(camera_object).background_images
    remove_retiming(camera_data(camera_object))
    for background in list(images):
        block = background.clip if background.source == "MOVIE_CLIP" else background.image
        if block is not None and MADE_PROPERTY in block:
            background.clip = background.image = None  # removing alone would leave the block with a user
            images.remove(background)
            if block.users == 0:
                bpy.data.batch_remove([block])


def remove_retiming(camera: bpy.types.Camera) -> None:
    """Remove the drivers with which footage_retiming.py lets footage play at another rate than its own."""
    animation = camera.animation_data
    for curve in list(animation.drivers) if animation is not None else ():
        if curve.data_path.startswith("background_images[") and curve.data_path.endswith("image_user.frame_offset"):
            camera.driver_remove(curve.data_path)


def _load_image(background: bpy.types.CameraBackgroundImage, file: Path) -> tuple[int, int]:
    """Set a still image; returns its stored (width, height) px."""
    image = bpy.data.images.load(str(file), check_existing=True)
    image[MADE_PROPERTY] = True
    background.source = "IMAGE"
    background.image = image
    return image.size[0], image.size[1]


def _load_clip(background: bpy.types.CameraBackgroundImage, file: Path, offset: int, start: int) -> tuple[int, int]:
    """Set a video or image sequence, its frame `offset` at the timeline's frame `start`; returns its stored (width, height) px."""
    clip = bpy.data.movieclips.load(str(file))
    clip.frame_start = start
    clip.frame_offset = offset
    clip[MADE_PROPERTY] = True
    background.source = "MOVIE_CLIP"
    background.clip = clip
    return clip.size[0], clip.size[1]


def _remaining_rotation(background: bpy.types.CameraBackgroundImage, stored_size: tuple[int, int], recovery: Recovery) -> int:
    """Degrees clockwise by which the picture that Blender shows still has to be rotated to be upright, once it is mirrored if need be."""
    rotation = recovery.footage_rotation
    if rotation in (90, 270):
        is_rotated = (stored_size[0] > stored_size[1]) == (recovery.image_size[0] > recovery.image_size[1])
    else:
        is_rotated = _is_video(background) and bpy.app.version >= _ROTATES_VIDEOS_SINCE
    if not is_rotated:
        return rotation
    # Blender takes a mirrored video for one that is rotated by half a turn more, and rotates before we mirror, which turns it back.
    return (2 * rotation + 180) % 360 if recovery.footage_mirrored else 0


def _is_video(background: bpy.types.CameraBackgroundImage) -> bool:
    return background.clip is not None and background.clip.source == "MOVIE"


def fit_footage(camera_object: bpy.types.Object, image_size: IntArray, scene: bpy.types.Scene) -> None:
    """Fit the footage to the frame's width, which the focal length refers to, at any render height.

    Args:
        image_size: (width, height) px of the upright footage.
    """
    render = scene.render
    frame_aspect = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    for background in camera_data(camera_object).background_images:
        width, height = image_size
        if abs(math.sin(background.rotation)) > 0.5:  # stored sideways, and Blender fits the stored picture
            background.scale = height / width
            width, height = height, width
        background.frame_method = "CROP" if frame_aspect > width / height + 1e-3 else "FIT"


def _rate_note(background: bpy.types.CameraBackgroundImage, fps: float, speed: float) -> Message | None:
    rate = speed * background.clip.fps if background.clip is not None and _is_video(background) else fps
    if abs(rate - fps) <= _RATE_TOLERANCE * fps:
        return None
    return Message(
        RATE_NOTE,
        "The footage behind the camera plays at {rate:.5g} frames a second and the result at {fps:.5g}: they part over time.",
        rate=rate,
        fps=fps,
    )


def _missing_footage_note(footage: str) -> Message:
    if not footage:
        return Message("camera-without-footage", "The camera has no footage behind it: the motion names none.")
    if not Path(footage).exists():
        return Message("camera-footage-missing", "The camera has no footage behind it: {path} is not there.", path=footage)
    text = "The camera has no footage behind it: {path} is neither a video nor an image that Blender reads."
    return Message("camera-footage-of-another-kind", text, path=footage)


def _first_media_file(path: Path) -> Path | None:
    """A path itself if it is a video or an image; the first image of a folder."""
    if path.is_file():
        return path if _is_image(path) or _is_movie(path) else None
    if path.is_dir():
        images = [file for file in path.iterdir() if _is_image(file) and not file.name.startswith(".")]
        return min(images, key=lambda file: natural_key(file.name), default=None)
    return None


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in bpy.path.extensions_image  # pyrefly: ignore[missing-attribute]  the stub lacks it


def _is_movie(file: Path) -> bool:
    return file.suffix.lower() in bpy.path.extensions_movie  # pyrefly: ignore[missing-attribute]  the stub lacks it
