"""Cameras in Blender with OpenCV intrinsics and extrinsics."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import invert_rigid_transform
from ...core.conventions import BLENDER_CAMERA_FROM_OPENCV
from ...core.records import Camera
from ...core.rotations import align_quat_signs, quat_from_rotmat
from ..context import assigned_action, camera_data
from ..motion.keyframes import Curve, action_fcurves, vector_curves, write_action
from ..takes.takes import assign_action

SENSOR_WIDTH = 36.0  # mm
_STATIC_TOLERANCE = 1e-6  # m and matrix entries
VIEW_PROPERTY = "meshrec_view"  # of a camera object: the numbers of the view that it was given


def build_camera(
    name: str, camera: Camera, frames: FloatArray, collection: bpy.types.Collection, metres_per_unit: float = 1.0
) -> bpy.types.Object:
    """Make a camera object with the view of the footage's camera.

    Args:
        camera: a Camera of F frames. Its intrinsics become focal length and shift; pixels that are not square need
            `match_resolution` as well.
        frames: (F,) key frames; a static camera is not keyed. metres_per_unit: of the scene.
    """
    blender_camera = bpy.data.cameras.new(name)
    blender_camera.clip_start, blender_camera.clip_end = 0.01 / metres_per_unit, 1000.0 / metres_per_unit
    blender_camera.passepartout_alpha = 0.8
    camera_object = bpy.data.objects.new(name, blender_camera)
    collection.objects.link(camera_object)
    set_camera_view(camera_object, camera, frames, metres_per_unit)
    return camera_object


def set_camera_view(camera_object: bpy.types.Object, camera: Camera, frames: FloatArray, metres_per_unit: float = 1.0) -> None:
    """Give a camera object the lens and the path of a Camera of F frames, keyed at `frames` (F,) if it moves."""
    width, height = (float(side) for side in camera.image_size)
    intrinsics, blender_camera = camera.intrinsics, camera_data(camera_object)
    blender_camera.sensor_fit = "HORIZONTAL"
    blender_camera.sensor_width = SENSOR_WIDTH
    blender_camera.lens = SENSOR_WIDTH * intrinsics[0, 0] / width
    # Both shifts are fractions of the sensor's width; vertically, a pixel is fx / fy times as high as it is wide.
    blender_camera.shift_x = (width / 2 - intrinsics[0, 2]) / width
    blender_camera.shift_y = (intrinsics[1, 2] - height / 2) / width * intrinsics[0, 0] / intrinsics[1, 1]
    _key_lens(camera_object, camera, frames)
    _pose_camera(camera_object, camera, frames, metres_per_unit)


def _key_lens(camera_object: bpy.types.Object, camera: Camera, frames: FloatArray) -> None:
    """Key the focal length of a camera that zooms; the keys of an earlier view go."""
    blender_camera = camera_data(camera_object)
    action = assigned_action(blender_camera)
    if action is not None and VIEW_PROPERTY in camera_object:
        assign_action(blender_camera, None)
        if blender_camera.animation_data is not None and not blender_camera.animation_data.drivers:
            blender_camera.animation_data_clear()
        if action.users == 0:
            bpy.data.actions.remove(action)
    if camera.zoom is not None and np.ptp(camera.zoom) > _STATIC_TOLERANCE:
        lens = blender_camera.lens * camera.zoom
        blender_camera.lens = lens[0]
        write_action(f"{blender_camera.name} lens", blender_camera, frames, [Curve("lens", 0, lens, "Lens")])


def _pose_camera(camera_object: bpy.types.Object, camera: Camera, frames: FloatArray, metres_per_unit: float) -> None:
    _remove_own_action(camera_object)
    world_from_camera = invert_rigid_transform(camera.camera_from_world)
    location = world_from_camera[:, :3, 3] / metres_per_unit
    quat = align_quat_signs(quat_from_rotmat(world_from_camera[:, :3, :3] @ BLENDER_CAMERA_FROM_OPENCV.T))
    camera_object.rotation_mode = "QUATERNION"
    camera_object.location, camera_object.rotation_quaternion = location[0], quat[0]
    if np.abs(camera.camera_from_world - camera.camera_from_world[:1]).max() > _STATIC_TOLERANCE:
        curves = vector_curves("location", location, "Camera") + vector_curves("rotation_quaternion", quat, "Camera")
        write_action(camera_object.name, camera_object, frames, curves)
    camera_object[VIEW_PROPERTY] = [float(value) for value in _view_values(camera_object)]


def is_view_untouched(camera_object: bpy.types.Object) -> bool:
    """Whether a camera has the lens, the place and the keys that `set_camera_view` gave it, and hangs on nothing else."""
    stored, current = camera_object.get(VIEW_PROPERTY), _view_values(camera_object)
    is_free = camera_object.parent is None and not camera_object.constraints
    return is_free and stored is not None and len(stored) == len(current) and bool(np.allclose(stored, current, atol=1e-6))


def _view_values(camera_object: bpy.types.Object) -> list[float]:
    """The lens and the place of a camera; of one that moves, its keys in place of its place."""
    camera, action = camera_data(camera_object), assigned_action(camera_object)
    zoom = assigned_action(camera)
    lens = (
        [camera.lens]
        if zoom is None
        else [value for curve in action_fcurves(zoom, camera) for key in curve.keyframe_points for value in key.co]
    )
    values = [*lens, camera.sensor_width, camera.shift_x, camera.shift_y]
    if action is None:
        return [*values, *np.array(camera_object.location), *np.array(camera_object.rotation_quaternion)]
    curves = action_fcurves(action, camera_object)
    return [*values, *(value for curve in curves for key in curve.keyframe_points for value in key.co)]


def _remove_own_action(camera_object: bpy.types.Object) -> None:
    """Remove the action of an earlier view."""
    action = assigned_action(camera_object)
    if action is not None and VIEW_PROPERTY in camera_object:
        assign_action(camera_object, None)
        if action.users == 0:
            bpy.data.actions.remove(action)


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
