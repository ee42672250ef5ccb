"""The pictures that show a clip's people after the solve: of each camera its footage, its lens and its place in every frame.

F rows of the clip, P people.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...bridge.messages import ReconstructRequest
from ...core.array_types import FloatArray, ImageArray, IntArray
from ...core.records import Observations
from ..clip import Clip
from ..detection.keypoints_file import is_keypoints
from ..footage.frame_source import Footage
from ..footage.true_time import in_true_time
from ..footage.video import open_footage
from .filmed_view import Lens

NEAR_IN_TIME = 0.35  # of the time between two frames, by which another camera's frame may be off the clip's


@dataclass(frozen=True)
class FootageCamera:
    """One camera of a clip.

    source: its footage; first: the frame of the file where the range begins. size: (width, height) px. frames: (R,), the frames of that
    range that were looked at. rows: (F,), which of them shows each row of the clip, -1 for none. intrinsics: (F,3,3) px; distortion:
    (F,D), and is_fisheye, as of `Lens`. camera_from_world: (F,4,4). seen: of each of the clip's people, what was tracked, or None; others:
    of people who are not reconstructed; both in these R frames, and without distortion and zoom, by `ideal`, (3,3) px.
    """

    source: str
    first: int
    size: tuple[int, int]
    frames: IntArray
    rows: IntArray
    intrinsics: FloatArray
    distortion: FloatArray
    is_fisheye: bool
    camera_from_world: FloatArray
    seen: tuple[tuple[Observations, ...], ...]
    others: tuple[Observations, ...]
    ideal: FloatArray

    def lens(self, row: int) -> Lens:
        """The lens in a row of the clip."""
        return Lens(self.intrinsics[row], self.distortion[row], self.is_fisheye)


def cameras_of_clip(clip: Clip) -> list[FootageCamera]:
    """The cameras of a clip whose footage has pictures, the clip's own first."""
    own = clip.people[0].recovery
    if clip.joined is None:
        found = [_own_camera(clip, own.camera_from_world)]
    else:
        found = [_camera_of_view(clip, number, own.camera_from_world) for number in range(len(clip.joined.views))]
    return [camera for camera in found if not is_keypoints(Path(camera.source))]


def _own_camera(clip: Clip, camera_from_world: FloatArray) -> FootageCamera:
    count = len(clip.frames)
    intrinsics = np.tile(clip.intrinsics, (count, 1, 1))
    if clip.zoom is not None:
        intrinsics[:, [0, 1], [0, 1]] *= clip.zoom[:, None]
    parts = [(part.distortion, len(part.frames)) for part in clip.parts] or [(clip.distortion, count)]
    radial = np.concatenate([np.tile(values, (frames, 1)) for values, frames in parts])
    distortion = np.zeros((count, 5))
    distortion[:, [0, 1, 4]] = radial
    chosen = {person.place for person in clip.people}
    others = tuple(seen for place, seen in enumerate(clip.tracked_people) if place not in chosen)
    return FootageCamera(
        clip.frames.source, clip.frames.first, clip.frames.size, clip.looked_at.rows, np.arange(count), intrinsics, distortion, False,
        camera_from_world, tuple((person.observations,) for person in clip.people), others, clip.intrinsics,
    )  # fmt: skip


def _camera_of_view(clip: Clip, number: int, first_from_world: FloatArray) -> FootageCamera:
    view, count = clip.require_views().views[number], len(clip.frames)
    times = view.frames.timestamps
    nearest = np.abs(times[:, None] - (clip.frames.timestamps + view.delay)).argmin(0)
    off = np.abs(times[nearest] - clip.frames.timestamps - view.delay)
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    tracks = [view.persons[person.place] for person in clip.people]
    shown = {track for own in tracks for track in own}
    lens = view.calibrated
    distortion = np.zeros(0) if lens is None else lens.distortion
    return FootageCamera(
        view.frames.source, view.frames.first, view.frames.size, view.looked_at.rows,
        np.where(off < NEAR_IN_TIME * interval, nearest, -1),
        np.tile(view.intrinsics, (count, 1, 1)), np.tile(distortion, (count, 1)), lens is not None and lens.is_fisheye,
        view.view_from_first @ first_from_world, tuple(tuple(view.people[track] for track in own) for own in tracks),
        tuple(seen for track, seen in enumerate(view.people) if track not in shown), view.intrinsics,
    )  # fmt: skip


def read_pictures(camera: FootageCamera, rows: Sequence[int], request: ReconstructRequest) -> Iterator[tuple[int, ImageArray]]:
    """The pictures (H,W,3) uint8 RGB of some rows of a camera's footage, in order, in one pass that ends with the last of them.

    Raises:
        InputError: the footage can no longer be read.
    """
    wanted = {int(camera.frames[row]): row for row in rows}
    footage: Footage = open_footage(camera.source, (camera.first, None), request.fps)
    footage, _speed = in_true_time(footage, request.capture_fps)
    footage.convert_only(wanted)
    for frame in footage.read():
        if frame.row in wanted and frame.image is not None:
            yield wanted[frame.row], frame.image
        if frame.row >= max(wanted):
            return
