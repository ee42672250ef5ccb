"""The first stage: who is in the footage, and where, in one pass over its frames."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...bridge.messages import Progress, ReconstructRequest
from ...core.array_types import FloatArray
from ...core.errors import NobodyFoundError
from ...core.focal_length import given_focal_length
from ...core.messages import Message
from ...core.records import FootageInfo, Observations
from .. import detection, registry
from ..camera.background_matcher import BackgroundMatcher, small_size
from ..camera.tracks import BackgroundTracks, join_matches
from ..detection.detections import person_box
from ..detection.detector import Detector
from ..footage.frame_source import Footage
from ..footage.prefetch import prefetch
from ..footage.true_time import in_true_time
from .observation_cache import ObservationLog
from .portraits import add_portraits
from .side_swaps import correct_side_swaps
from .tracker import Tracker

STAGE = "Finding people"


@dataclass(frozen=True)
class TrackingResult:
    """The frames and the people in them, the largest first: person N of the interface is people[N - 1].

    seconds: wall time of "start detector" and "find people"; both near zero if the cache has the footage. background: (F,3), its movement
    since the frame before, as of camera/background_matcher.py, and tracks: its matches between frames; None where nobody looked.
    """

    frames: FootageInfo
    people: tuple[Observations, ...]
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    background: FloatArray | None = None
    tracks: BackgroundTracks | None = None


def detect_and_track(request: ReconstructRequest, on_progress: Callable[[Progress], None] = lambda progress: None) -> TrackingResult:
    """Find and track everybody in the footage.

    Args:
        request: its source, frames, fps, detector and cache are used.
        on_progress: called with a Progress after every frame; an exception that it raises ends the pass (its detections stay cached).

    Raises:
        InputError: the source cannot be read, or no lens has the given focal length. NobodyFoundError: nobody is in it.
        ModelError: the detector's model is missing.
    """
    begun = time.perf_counter()
    detector = registry.DETECTORS.get(choose_detector(request))(request)
    try:
        footage, speed = in_true_time(detector.open(request.source, request.frames, request.fps), request.capture_fps)
        if request.focal is not None:
            given_focal_length(request.focal, request.sensor, footage.size)  # a wrong one is refused before the work
        log = ObservationLog.for_footage(request.cache, footage, detector.identity(), request.fps)
        tracker = Tracker(detector.keypoint_set)
        for row, (moment, detections) in enumerate(log.frames):
            tracker.update(row, moment, detections)
        timestamps = [moment for moment, _detections in log.frames]
        started = time.perf_counter()
        summary = log.summary
        notes: list[str] = []
        if summary is None:
            if request.known_contacts and request.cache is not None and detector.identity() is not None:
                notes.append(
                    Message("observations-gone", "What was seen in {name} is no longer stored: it was detected again.", name=footage.name)
                )
            try:
                timestamps += detect_new_frames(footage, detector, tracker, log, on_progress)
            finally:
                log.flush()
            summary = log.finish(footage.frame_rate(timestamps), footage.warnings)
    finally:
        detector.close()
    frames = FootageInfo(
        footage.source,
        np.array(timestamps),
        summary.fps,
        footage.size,
        footage.first,
        footage.rotation,
        footage.is_mirrored,
        speed,
        footage.stated_lens.focal if footage.stated_lens else None,
        footage.stated_lens.sigma if footage.stated_lens else 0.0,
    )
    people = tuple(correct_side_swaps(person, timestamps) for person in tracker.people())
    if not people:
        raise nobody_found_error(footage, len(frames))
    seconds = {"start detector": started - begun, "find people": time.perf_counter() - started}
    tracks = join_matches(log.matches, footage.size, small_size(footage.size))
    return TrackingResult(frames, people, (*summary.warnings, *notes), seconds, np.array(log.background), tracks)


def detect_new_frames(
    footage: Footage, detector: Detector, tracker: Tracker, log: ObservationLog, on_progress: Callable[[Progress], None]
) -> list[float]:
    """Detect and track in the frames that the log does not have yet; returns their times, s."""
    times: list[float] = []
    num_known = len(log.frames)
    background = BackgroundMatcher(num_known)
    frames = prefetch(footage.read(decode_from=num_known))
    try:
        for frame in frames:
            if frame.row < num_known:
                continue
            detections = add_portraits(frame, detector.detect(frame, tracker.predict(frame.time)), detector.keypoint_set)
            tracker.update(frame.row, frame.time, detections)
            boxes = [person_box(detection.keypoints, detector.keypoint_set) for detection in detections]
            log.append(frame.time, detections, *background.update(frame.image, boxes, [found.outline for found in detections]))
            times.append(frame.time)
            on_progress(Progress(STAGE, frame.row + 1, max(footage.num_declared_frames, frame.row + 1)))
    finally:
        frames.close()
    return times


def choose_detector(request: ReconstructRequest) -> str:
    """The detector's name; "auto" is "keypoints" for files of 2D keypoints, else "mediapipe"."""
    if request.detector != "auto":
        return request.detector
    return "keypoints" if detection.keypoints_file.is_keypoints(Path(request.source)) else "mediapipe"


def nobody_found_error(footage: Footage, num_frames: int) -> NobodyFoundError:
    """The error of footage that shows nobody in any of its frames."""
    remedy = "Choose footage in which somebody is seen from head to hips at least, or a range of frames in which they are."
    if num_frames == 1:
        return NobodyFoundError("nobody-in-image", "{name} was read, but no person was found in it.", remedy, name=footage.name)
    problem = "{name} was read, but no person was found in its {frames} frames."
    return NobodyFoundError("nobody-in-footage", problem, remedy, name=footage.name, frames=num_frames)
