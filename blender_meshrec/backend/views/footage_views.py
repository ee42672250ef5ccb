"""The views of a clip: the footage of each camera, who is seen in it, and its lens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from ...bridge.messages import Progress, ReconstructRequest
from ...core.array_types import FloatArray
from ...core.camera_calibration import CalibratedCamera
from ...core.errors import InputError
from ...core.messages import Message
from ...core.records import Estimate, FootageInfo, Observations
from ..camera.tracks import BackgroundTracks
from ..footage.looked_at import LookedAt
from ..lens import choose_lens
from ..tracking.detect_and_track import TrackingResult, detect_and_track

AUTO = "auto"
SIZE_TOLERANCE = 0.015  # share by which the sides of a picture may be off a calibration's: encoders pad and crop to whole blocks


@dataclass
class View:
    """One camera of several.

    frames: of its footage; looked_at: which of its range these are. people: who is seen, the largest first, without the
    lens's distortion. estimates: of each. intrinsics: (3,3) px. lens_sigma: the standard deviation of the logarithm of its focal length,
    0 if given. camera_from_world: (4,4), of its calibration, or None. view_from_first: (4,4), m. delay: s, its clock minus the first
    view's; clock: what told it. zoom: the logarithm of its focal length over that of `intrinsics`, as the people of a pair of views tell
    it. persons: the index in `people` of each of the clip's people, or several in turn. calibrated: the camera of its calibration, with
    the distortion of its lens, or None.
    """

    frames: FootageInfo
    looked_at: LookedAt
    people: tuple[Observations, ...]
    intrinsics: FloatArray
    lens_sigma: float
    tracks: BackgroundTracks | None = None
    camera_from_world: FloatArray | None = None
    view_from_first: FloatArray = field(default_factory=lambda: np.eye(4))
    delay: float = 0.0
    zoom: float = 0.0
    clock: str = "first"
    estimates: list[Estimate] = field(default_factory=list)
    persons: list[tuple[int, ...]] = field(default_factory=list)
    calibrated: CalibratedCamera | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.frames.source).name

    @property
    def size(self) -> FloatArray:
        """(width, height) px."""
        return np.array(self.frames.size, float)


def open_views(
    request: ReconstructRequest,
    first: TrackingResult,
    cameras: Sequence[CalibratedCamera],
    on_progress: Callable[[Progress], None],
) -> tuple[list[View], list[str]]:
    """All views of a request, the first one's footage being `first`; and warnings.

    Args:
        cameras: of the calibration, empty without one. on_progress: as of `detect_and_track`.

    Raises:
        InputError: a camera has no calibration, or one of another picture. MeshRecError: footage cannot be read, or shows nobody.
    """
    sources = (request.source, *request.views)
    own = cameras_of_views(sources, cameras) if cameras else [None] * len(sources)
    views: list[View] = []
    warnings: list[str] = []
    for number, (source, camera) in enumerate(zip(sources, own, strict=True)):
        tracked = first if number == 0 else detect_and_track(replace(request, source=source, known_contacts=()), on_progress)
        warnings += [warning for warning in tracked.warnings if warning not in warnings and number]
        views.append(_view(request, tracked, camera))
    return views, warnings


def cameras_of_views(sources: Sequence[str], cameras: Sequence[CalibratedCamera]) -> list[CalibratedCamera]:
    """The camera of each source: the one whose name is in the file's name, or else, if there are as many, the one at its place.

    Raises:
        InputError: a source has no camera.
    """
    stems = [Path(source).stem.casefold() for source in sources]
    named = [_named_in(stem, cameras) for stem in stems]
    chosen = [camera for camera in named if camera is not None]
    if len(chosen) == len(sources) and len({camera.name for camera in chosen}) == len(chosen):
        return chosen
    if len(cameras) == len(sources) and not chosen:
        return list(cameras)
    missing = next((Path(source).name for source, camera in zip(sources, named, strict=True) if camera is None), Path(sources[0]).name)
    raise InputError(
        "calibration-without-camera",
        "The calibration does not say which of its cameras filmed {name}: it has {cameras}.",
        "Put the camera's name into the file's name, or give as many files as there are cameras, in their order.",
        name=missing,
        cameras=", ".join(camera.name for camera in cameras),
    )


def _named_in(stem: str, cameras: Sequence[CalibratedCamera]) -> CalibratedCamera | None:
    """The camera with the longest name that a file's name contains."""
    found = [camera for camera in cameras if camera.name and camera.name.casefold() in stem]
    return max(found, key=lambda camera: len(camera.name), default=None)


def _view(request: ReconstructRequest, tracked: TrackingResult, camera: CalibratedCamera | None) -> View:
    if camera is None:
        lens = choose_lens(request, tracked.frames)
        return View(tracked.frames, tracked.looked_at, tracked.people, lens.intrinsics, lens.sigma, tracked.tracks)
    intrinsics = intrinsics_in_picture(camera, tracked.frames)
    people = tuple(undistorted(person, intrinsics, camera) for person in tracked.people)
    return View(tracked.frames, tracked.looked_at, people, intrinsics, 0.0, tracked.tracks, camera.camera_from_world, calibrated=camera)


def intrinsics_in_picture(camera: CalibratedCamera, frames: FootageInfo) -> FloatArray:
    """The intrinsics (3,3) px of a camera in its footage, whose picture may be scaled. Raises InputError: it is of another shape."""
    if camera.image_size is None:
        return camera.intrinsics
    ratios = np.array(frames.size) / camera.image_size
    scale = float(ratios.max())
    if abs(float(ratios.min()) / scale - 1) > SIZE_TOLERANCE:
        raise InputError(
            "calibration-of-other-picture",
            "The camera {camera} was calibrated with pictures of {width:.0f} x {height:.0f}, and {name} has {size}.",
            "Give the calibration of this footage, or footage of the calibrated picture.",
            camera=camera.name,
            width=camera.image_size[0],
            height=camera.image_size[1],
            name=Path(frames.source).name,
            size=f"{frames.size[0]} x {frames.size[1]}",
        )
    # Pictures that are a few columns or rows short were cropped at their ends, not scaled.
    return np.diag([scale, scale, 1.0]) @ camera.intrinsics


def undistorted(person: Observations, intrinsics: FloatArray, camera: CalibratedCamera) -> Observations:
    """A person as a camera without distortion would have seen them."""
    if not camera.distortion.any():
        return person
    keypoints = person.keypoints.astype(float)
    points = keypoints[..., :2].reshape(-1, 1, 2)
    if camera.is_fisheye:
        points = cv2.fisheye.undistortPoints(points, intrinsics, camera.distortion[:4], P=intrinsics)
    else:
        points = cv2.undistortPoints(points, intrinsics, camera.distortion, P=intrinsics)
    keypoints[..., :2] = np.asarray(points).reshape(*keypoints.shape[:2], 2)
    keypoints[~person.visible] = 0
    return replace(person, keypoints=np.nan_to_num(keypoints))


def moving_views(views: Sequence[View], kinds: Sequence[str]) -> list[Message]:
    """A warning for each view whose camera was found to turn or to move."""
    text = "The camera of {name} seems to move: cameras that are joined are taken to stand still."
    return [Message("view-moves", text, name=view.name) for view, kind in zip(views, kinds, strict=True) if kind in ("turning", "moving")]
