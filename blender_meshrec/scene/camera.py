"""Cameras in Blender with OpenCV intrinsics and extrinsics."""

import bpy
import numpy as np

from ..core.array_types import FloatArray
from ..core.cameras import invert_rigid_transform
from ..core.conventions import BLENDER_CAMERA_FROM_OPENCV
from ..core.records import Camera
from ..core.rotations import align_quat_signs, quat_from_rotmat
from .context import camera_data
from .keyframes import vector_curves, write_action

SENSOR_WIDTH = 36.0  # mm
_STATIC_TOLERANCE = 1e-6  # m and matrix entries


def build_camera(name: str, camera: Camera, frames: FloatArray, collection: bpy.types.Collection) -> bpy.types.Object:
    """Make a camera object with the view of the footage's camera.

    Args:
        camera: a Camera of F frames. Its intrinsics become focal length and shift; pixels that are not square need
            `match_resolution` as well.
        frames: (F,) key frames; a static camera is not keyed.
    """
    blender_camera = bpy.data.cameras.new(name)
    blender_camera.clip_start, blender_camera.clip_end = 0.01, 1000.0
    blender_camera.passepartout_alpha = 0.8
    camera_object = bpy.data.objects.new(name, blender_camera)
    collection.objects.link(camera_object)
    set_camera_view(camera_object, camera, frames)
    return camera_object


def set_camera_view(camera_object: bpy.types.Object, camera: Camera, frames: FloatArray) -> None:
    """Give a camera object the lens and the path of a Camera of F frames, keyed at `frames` (F,) if it moves."""
    width, height = (float(side) for side in camera.image_size)
    intrinsics, blender_camera = camera.intrinsics, camera_data(camera_object)
    blender_camera.sensor_fit = "HORIZONTAL"
    blender_camera.sensor_width = SENSOR_WIDTH
    blender_camera.lens = SENSOR_WIDTH * intrinsics[0, 0] / width
    # Both shifts are fractions of the sensor's width; vertically, a pixel is fx / fy times as high as it is wide.
    blender_camera.shift_x = (width / 2 - intrinsics[0, 2]) / width
    blender_camera.shift_y = (intrinsics[1, 2] - height / 2) / width * intrinsics[0, 0] / intrinsics[1, 1]
    _pose_camera(camera_object, camera, frames)


def _pose_camera(camera_object: bpy.types.Object, camera: Camera, frames: FloatArray) -> None:
    world_from_camera = invert_rigid_transform(camera.camera_from_world)
    location = world_from_camera[:, :3, 3]
    quat = align_quat_signs(quat_from_rotmat(world_from_camera[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV.T))
    camera_object.rotation_mode = "QUATERNION"
    camera_object.location, camera_object.rotation_quaternion = location[0], quat[0]
    if np.abs(camera.camera_from_world - camera.camera_from_world[:1]).max() > _STATIC_TOLERANCE:
        curves = vector_curves("location", location, "Camera") + vector_curves("rotation_quaternion", quat, "Camera")
        write_action(camera_object.name, camera_object, frames, curves)


def match_resolution(scene: bpy.types.Scene, camera: Camera) -> None:
    """Render at the footage's size and pixel aspect, so that the camera's frame is the footage's."""
    render = scene.render
    render.resolution_x, render.resolution_y = (int(side) for side in camera.image_size)
    render.resolution_percentage = 100
    aspect = camera.intrinsics[0, 0] / camera.intrinsics[1, 1]
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1 / aspect), max(1.0, aspect)


def camera_intrinsics(camera: bpy.types.Camera, render: bpy.types.RenderSettings) -> FloatArray:
    """The intrinsics (3,3) px of a Blender camera at a scene's resolution; the inverse of `build_camera`."""
    width, height = render.resolution_x, render.resolution_y
    aspect = render.pixel_aspect_y / render.pixel_aspect_x  # fx / fy, as `match_resolution` sets it
    focal_length = camera.lens / camera.sensor_width * width
    center_x, center_y = width / 2 - camera.shift_x * width, height / 2 + camera.shift_y * width / aspect
    return np.array([[focal_length, 0, center_x], [0, focal_length / aspect, center_y], [0, 0, 1]])
