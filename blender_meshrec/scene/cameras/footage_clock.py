"""Which frame of the footage lies on which frame of the timeline, and through which camera it was seen: stored with each take."""

from typing import NamedTuple

import bpy
import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.cameras import project, transform_points
from ...core.records import Camera, Recovery
from ..corrections.edited_contacts import TIMES_PROPERTY, result_action
from ..takes.played_take import played_action, timeline_shift

FIRST_PROPERTY, FOOTAGE_TIMES_PROPERTY = "meshrec_footage_first", "meshrec_footage_times"  # of an armature object: number, (N,) s
CAMERA_PROPERTY = "meshrec_seen_by"  # of an action: intrinsics (9), image size (2), camera_from_world (12) of one row or of all


class FootageClock(NamedTuple):
    """The rows of a result: frames (F,) of the timeline, times (F,) s, and the frames (F,) of the footage that they show."""

    timeline: FloatArray
    times: FloatArray
    footage: IntArray

    def footage_frame(self, frame: float) -> int:
        """The frame of the footage at a frame of the timeline."""
        return int(self.footage[int(np.argmin(np.abs(self.timeline - frame)))])

    def timeline_frame(self, frame: int) -> float:
        """The frame of the timeline that shows a frame of the footage."""
        return float(self.timeline[int(np.argmin(np.abs(self.footage - frame)))])


def store_footage_times(armature_object: bpy.types.Object, first_frame: int, timestamps: FloatArray) -> None:
    """Store the times (N,) s of the footage's frames, from the frame `first_frame` of the file on."""
    armature_object[FIRST_PROPERTY] = first_frame
    armature_object[FOOTAGE_TIMES_PROPERTY] = np.asarray(timestamps, float).tolist()


def footage_clock(armature_object: bpy.types.Object) -> FootageClock:
    """The clock of a result.

    Raises:
        InputError: the armature's action is not that of a result.
    """
    action, frames = result_action(armature_object)
    timeline = frames + timeline_shift(armature_object)
    times = np.array(action[TIMES_PROPERTY])
    known = np.array(armature_object.get(FOOTAGE_TIMES_PROPERTY, times))
    after = np.clip(np.searchsorted(known, times), 1, max(len(known) - 1, 1))
    if len(known) > 1:
        nearest = np.where(times - known[after - 1] < known[after] - times, after - 1, after)
    else:
        nearest = np.zeros(len(times), int)
    return FootageClock(timeline, times, int(armature_object.get(FIRST_PROPERTY, 0)) + nearest)


def store_camera(action: bpy.types.Action, recovery: Recovery) -> None:
    """Store the camera of a Recovery with its action."""
    path = recovery.camera_from_world
    rows = path[:1] if np.abs(path - path[:1]).max(initial=0.0) < 1e-9 else path
    action[CAMERA_PROPERTY] = {
        "intrinsics": recovery.camera_intrinsics.ravel().tolist(),
        "image_size": [int(side) for side in recovery.image_size],
        "camera_from_world": rows[:, :3].ravel().tolist(),
    }


def read_camera(armature_object: bpy.types.Object) -> Camera | None:
    """The camera that a person's action was seen by, one row a row of the action; None if it was not stored."""
    action = played_action(armature_object)
    if action is None or CAMERA_PROPERTY not in action:
        return None
    stored, count = action[CAMERA_PROPERTY], len(action[TIMES_PROPERTY])
    rows = np.array(stored["camera_from_world"]).reshape(-1, 3, 4)
    path = np.tile(np.eye(4), (count, 1, 1))
    path[:, :3] = rows if len(rows) == count else rows[:1]
    return Camera(np.array(stored["intrinsics"]).reshape(3, 3), path, np.array(stored["image_size"]))


def seen_at(camera: Camera, row: int, points: FloatArray) -> FloatArray:
    """Points (N,3) m of the armature's axes as the camera sees them in a row: pixel x, y and depth m, (N,3)."""
    seen = transform_points(camera.camera_from_world[row], points)
    return np.concatenate([project(seen, camera.intrinsics), seen[:, 2:]], -1)
