"""The solved camera, with the footage behind the result."""

import math
from pathlib import Path

import bpy
import numpy as np

from ..core.cameras import invert_rigid_transform
from ..core.conventions import BLENDER_CAMERA_FROM_OPENCV, FIRST_BLENDER_FRAME
from ..core.files.natural_order import natural_key
from ..core.messages import Message
from ..core.rotations import align_quat_signs, quat_from_rotmat
from .keyframes import vector_curves, write_action

SENSOR_WIDTH = 36.0  # mm
_STATIC_TOLERANCE = 1e-6  # m and matrix entries
_RATE_TOLERANCE = 2e-3  # a frame in 500
_ROTATES_VIDEOS_SINCE = (4, 5, 0)  # seen to turn 4.5, 5.0 and 5.2, and not to turn 4.2 and 4.3


def build_camera(name, camera, frames, collection):
    """Make a camera that sees the world as the footage's did.

    Args:
        camera: a Camera of F frames. Its intrinsics become lens and shift; pixels that are not square need
            `match_resolution` as well.
        frames: (F,) key frames; a camera that does not move is not keyed.
    """
    width, height = (float(side) for side in camera.image_size)
    intrinsics = camera.intrinsics
    lens = bpy.data.cameras.new(name)
    lens.sensor_fit = "HORIZONTAL"
    lens.sensor_width = SENSOR_WIDTH
    lens.lens = SENSOR_WIDTH * intrinsics[0, 0] / width
    # Shifts are shares of the sensor's width on both axes, which in pixels is the height's share times the pixel aspect.
    lens.shift_x = (width / 2 - intrinsics[0, 2]) / width
    lens.shift_y = (intrinsics[1, 2] - height / 2) / width * intrinsics[0, 0] / intrinsics[1, 1]
    lens.clip_start, lens.clip_end = 0.01, 1000.0
    lens.passepartout_alpha = 0.8
    camera_object = bpy.data.objects.new(name, lens)
    collection.objects.link(camera_object)
    _pose_camera(camera_object, camera, frames)
    return camera_object


def _pose_camera(camera_object, camera, frames):
    world_from_camera = invert_rigid_transform(camera.camera_from_world)
    location = world_from_camera[:, :3, 3]
    quat = align_quat_signs(quat_from_rotmat(world_from_camera[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV.T))
    camera_object.rotation_mode = "QUATERNION"
    camera_object.location, camera_object.rotation_quaternion = location[0], quat[0]
    if np.abs(camera.camera_from_world - camera.camera_from_world[:1]).max() > _STATIC_TOLERANCE:
        curves = vector_curves("location", location, "Camera") + vector_curves("rotation_quaternion", quat, "Camera")
        write_action(camera_object.name, camera_object, frames, curves)


def match_resolution(scene, camera):
    """Render at the footage's size; with it the view through the camera has the footage's frame."""
    render = scene.render
    render.resolution_x, render.resolution_y = (int(side) for side in camera.image_size)
    render.resolution_percentage = 100
    aspect = camera.intrinsics[0, 0] / camera.intrinsics[1, 1]
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / aspect), max(1.0, aspect)


def add_footage(camera_object, recovery, fps, scene):
    """Put a Recovery's footage behind the view through the camera, its row 0 at Blender's first frame.

    Args:
        camera_object: the camera object. fps: of the timeline. scene: whose render size the picture is fitted to.

    Returns:
        A sentence to show where the footage cannot be shown as it should, or None.
    """
    footage = recovery.footage
    first = _first_media_file(Path(footage).absolute()) if footage else None
    if first is None:
        return _missing_footage_note(footage)
    background = camera_object.data.background_images.new()
    if Path(footage).is_file() and first.suffix.lower() in bpy.path.extensions_image:
        background.source = "IMAGE"
        background.image = bpy.data.images.load(str(first), check_existing=True)
        size = background.image.size[:]
    else:
        clip = bpy.data.movieclips.load(str(first))
        clip.frame_start = FIRST_BLENDER_FRAME
        clip.frame_offset = recovery.first_frame
        background.source = "MOVIE_CLIP"
        background.clip = clip
        size = clip.size[:]
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.rotation = math.radians(_remaining_rotation(background, size, recovery))
    fit_footage(camera_object, recovery.image_size, scene)
    camera_object.data.show_background_images = True
    if min(size) <= 0:
        return Message("camera-footage-unreadable", "The camera has no footage behind it: Blender cannot read {path}.", path=footage)
    rate = background.clip.fps if background.clip and background.clip.source == "MOVIE" else fps
    if abs(rate - fps) > _RATE_TOLERANCE * fps:
        return Message(
            "camera-footage-rate-differs",
            "The footage behind the camera plays at {rate:.5g} frames a second and the result at {fps:.5g}: they part over time.",
            rate=rate,
            fps=fps,
        )
    return None


def _remaining_rotation(background, size, recovery):
    """Degrees clockwise that Blender leaves to be turned: it follows a video's own note of its rotation only in later releases."""
    turned = recovery.footage_rotation
    if turned in (90, 270):
        lying = (size[0] > size[1]) != (recovery.image_size[0] > recovery.image_size[1])
        return turned if lying else 0
    is_video = background.clip is not None and background.clip.source == "MOVIE"
    return 0 if is_video and bpy.app.version >= _ROTATES_VIDEOS_SINCE else turned


def fit_footage(camera_object, image_size, scene):
    """Fill the frame's width with the footage, for the lens is measured across it, whatever the height a scene renders.

    Args:
        image_size: (width, height) px of the upright footage.
    """
    render = scene.render
    frame_aspect = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    for background in camera_object.data.background_images:
        width, height = image_size
        if abs(math.sin(background.rotation)) > 0.5:  # stored lying on its side, and it is the stored picture that is fitted
            background.scale = height / width
            width, height = height, width
        background.frame_method = "CROP" if frame_aspect > width / height + 1e-3 else "FIT"


def _missing_footage_note(footage):
    if not footage:
        return Message("camera-without-footage", "The camera has no footage behind it: the motion names none.")
    if not Path(footage).exists():
        return Message("camera-footage-missing", "The camera has no footage behind it: {path} is not there.", path=footage)
    text = "The camera has no footage behind it: {path} is neither a video nor an image that Blender reads."
    return Message("camera-footage-of-another-kind", text, path=footage)


def _first_media_file(path):
    """The file that stands for the footage: itself, or a folder's first image."""
    pictures = bpy.path.extensions_image | bpy.path.extensions_movie
    if path.is_file():
        return path if path.suffix.lower() in pictures else None
    if path.is_dir():
        files = [file for file in path.iterdir() if file.suffix.lower() in bpy.path.extensions_image and not file.name.startswith(".")]
        return min(files, key=lambda file: natural_key(file.name), default=None)
    return None
