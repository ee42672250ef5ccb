"""3D views that show a person: through the camera of their footage, or from where the view stands, as large as fits."""

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ..context import active_view_layer, expect_type, pose_bones

_SENSOR = 72.0  # mm; Blender's 3D view shows twice the width of a camera with the lens of the view
_MARGIN = 1.25  # of the person's size, which the view's shorter side shows


def person_bounds(armature_object: bpy.types.Object) -> tuple[FloatArray, float]:
    """The centre (3,) and the radius of an armature at the current frame, in units of the scene."""
    active_view_layer().update()
    matrix = np.array(armature_object.matrix_world)
    ends = np.array([point for bone in pose_bones(armature_object) for point in (bone.head, bone.tail)])
    points = ends @ matrix[:3, :3].T + matrix[:3, 3]
    lowest, highest = points.min(0), points.max(0)
    return (lowest + highest) / 2, float(np.linalg.norm(highest - lowest) / 2)


def frame_person(space: bpy.types.SpaceView3D, armature_object: bpy.types.Object) -> None:
    """Let a 3D view show a person from its present direction."""
    centre, radius = person_bounds(armature_object)
    view = _view_of(space)
    if view.view_perspective == "CAMERA":
        view.view_perspective = "PERSP"
    view.view_location = centre.tolist()
    view.view_distance = _MARGIN * radius * 2 * space.lens / _SENSOR * 2
    space.clip_end = max(space.clip_end, 100 * radius)


def frame_person_in_views(armature_object: bpy.types.Object) -> None:
    """Frame a person in every 3D view of the open windows that does not look through a camera."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager is not None else ():
        for area in window.screen.areas if window.screen is not None else ():
            space = area.spaces.active
            if (
                isinstance(space, bpy.types.SpaceView3D)
                and expect_type(space.region_3d, bpy.types.RegionView3D).view_perspective != "CAMERA"
            ):
                frame_person(space, armature_object)


def view_through_camera(scene: bpy.types.Scene, space: bpy.types.SpaceView3D, camera: bpy.types.Object) -> None:
    """Let a 3D view, and the scene, look through a camera."""
    scene.camera = camera
    _view_of(space).view_perspective = "CAMERA"


def _view_of(space: bpy.types.SpaceView3D) -> bpy.types.RegionView3D:
    return expect_type(space.region_3d, bpy.types.RegionView3D)
