"""The cameras of further views of a clip, each with its footage behind it: of a result that joins several cameras."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from ...core.records import Camera, Recovery
from ..context import active_scene
from ..free_names import free_name
from .camera import build_camera, is_view_untouched, set_camera_view
from .camera_footage import add_footage, remove_footage
from .footage_retiming import file_rate, retime_footage

VIEW_OF_PROPERTY = "meshrec_view_of"  # of a camera object: the path of the view's footage


def make_view_cameras(
    collection: bpy.types.Collection,
    views: Sequence[Mapping[str, Any]],
    recovery: Recovery,
    fps: float,
    first_frame: int,
    metres_per_unit: float = 1.0,
) -> list[bpy.types.Object]:
    """Make the cameras of all views but the first, which the result has; those that are there and untouched get their new view.

    Args:
        collection: of the clip. views: of the report. recovery: of a person. fps, first_frame: of the timeline, at which the motion begins.
    """
    cameras: list[bpy.types.Object] = []
    for number, view in enumerate(views[1:], 2):
        if "intrinsics" not in view:  # a report of an earlier version
            continue
        camera = Camera(np.array(view["intrinsics"], float), np.array([view["camera_from_world"]], float), np.array(view["image_size"]))
        found = _find_camera(collection, view["input"])
        if found is None:
            name = free_name(f"{collection.name} camera {number}", bpy.data.objects)
            found = build_camera(name, camera, np.array([float(first_frame)]), collection, metres_per_unit)
            found[VIEW_OF_PROPERTY] = view["input"]
        else:
            set_camera_view(found, camera, np.array([float(first_frame)]), metres_per_unit)
            remove_footage(found)
        _show_footage(found, view, camera, recovery, fps, first_frame)
        cameras.append(found)
    return cameras


def _find_camera(collection: bpy.types.Collection, footage: str) -> bpy.types.Object | None:
    """The camera that an earlier result has made for a view, unless an artist has changed it."""
    cameras = [obj for obj in collection.objects if obj.type == "CAMERA" and obj.get(VIEW_OF_PROPERTY) == footage]
    return next((camera for camera in cameras if is_view_untouched(camera)), None)


def _show_footage(
    camera_object: bpy.types.Object, view: Mapping[str, Any], camera: Camera, recovery: Recovery, fps: float, first_frame: int
) -> None:
    """Show a view's footage behind its camera, in step with the first view's."""
    clock = float(recovery.timestamps[0]) + float(view["delay_s"])
    rate = float(view["fps"])
    shown = replace(
        recovery,
        footage=view["input"],
        footage_rotation=view["rotation"],
        footage_mirrored=view["is_mirrored"],
        footage_speed=view["speed"],
        first_frame=int(view["first_frame"]) + round(clock * rate),
        image_size=camera.image_size,
        camera_distortion=None,
    )
    add_footage(camera_object, shown, fps, active_scene(), first_frame)
    retime_footage(camera_object, file_rate(camera_object, shown.footage_speed) or rate, fps)
