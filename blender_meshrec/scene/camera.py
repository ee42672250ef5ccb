"""The solved camera, with the footage behind the result."""

from pathlib import Path

import bpy
import numpy as np

from ..core.cameras import inverse_rigid
from ..core.conventions import BLENDER_CAMERA_FROM_OPENCV, FIRST_BLENDER_FRAME
from ..core.rotations import quat_from_rotmat, short_arc
from .keyframes import vector_curves, write_action

SENSOR_WIDTH = 36.0  # mm
_STATIC = 1e-6  # m and matrix entries
_RATE_TOLERANCE = 2e-3  # a frame in 500


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
    eye = bpy.data.objects.new(name, lens)
    collection.objects.link(eye)
    _place(eye, camera, frames)
    return eye


def _place(eye, camera, frames):
    world_from_camera = inverse_rigid(camera.camera_from_world)
    location = world_from_camera[:, :3, 3]
    quat = short_arc(quat_from_rotmat(world_from_camera[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV.T))
    eye.rotation_mode = "QUATERNION"
    eye.location, eye.rotation_quaternion = location[0], quat[0]
    if np.abs(camera.camera_from_world - camera.camera_from_world[:1]).max() > _STATIC:
        curves = vector_curves("location", location, "Camera") + vector_curves("rotation_quaternion", quat, "Camera")
        write_action(eye.name, eye, frames, curves)


def match_resolution(scene, camera):
    """Render at the footage's size; with it the view through the camera has the footage's frame."""
    render = scene.render
    render.resolution_x, render.resolution_y = (int(side) for side in camera.image_size)
    render.resolution_percentage = 100
    aspect = camera.intrinsics[0, 0] / camera.intrinsics[1, 1]
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / aspect), max(1.0, aspect)


def add_footage(eye, footage, first_frame, image_size, fps, scene):
    """Put footage behind the view through the camera, its frame `first_frame` at Blender's first.

    Args:
        footage: path of a video, an image or a folder of images.
        image_size: (width, height) px of the upright footage. fps: of the timeline.

    Returns:
        A sentence to show where the footage cannot be shown as it should, or None.
    """
    first = _first_picture(Path(footage)) if footage else None
    if first is None:
        return _no_footage(footage)
    background = eye.data.background_images.new()
    if Path(footage).is_file() and first.suffix.lower() in bpy.path.extensions_image:
        background.source = "IMAGE"
        background.image = bpy.data.images.load(str(first), check_existing=True)
        size = background.image.size[:]
    else:
        clip = bpy.data.movieclips.load(str(first))
        clip.frame_start = FIRST_BLENDER_FRAME
        clip.frame_offset = first_frame
        background.source = "MOVIE_CLIP"
        background.clip = clip
        size = clip.size[:]
    background.alpha = 1.0
    background.display_depth = "BACK"
    frame_aspect = scene.render.resolution_x * scene.render.pixel_aspect_x / (scene.render.resolution_y * scene.render.pixel_aspect_y)
    # The lens is measured across the width, so the footage must fill the frame's width whatever the frame's height.
    background.frame_method = "CROP" if frame_aspect > image_size[0] / image_size[1] + 1e-3 else "FIT"
    eye.data.show_background_images = True
    if min(size) <= 0:
        return f"The camera has no footage behind it: Blender cannot read {footage}."
    rate = background.clip.fps if background.clip and background.clip.source == "MOVIE" else fps
    if abs(rate - fps) > _RATE_TOLERANCE * fps:
        return f"The footage behind the camera plays at {rate:.5g} frames a second and the result at {fps:.5g}: they part over time."
    return None


def _no_footage(footage):
    if not footage:
        return "The camera has no footage behind it: the motion names none."
    why = "is neither a video nor an image that Blender reads" if Path(footage).exists() else "is not there"
    return f"The camera has no footage behind it: {footage} {why}."


def _first_picture(path):
    """The file that stands for the footage: itself, or a folder's first image."""
    pictures = bpy.path.extensions_image | bpy.path.extensions_movie
    if path.is_file():
        return path if path.suffix.lower() in pictures else None
    if path.is_dir():
        return next((file for file in sorted(path.iterdir()) if file.suffix.lower() in bpy.path.extensions_image), None)
    return None
