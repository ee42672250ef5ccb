"""Looking at footage: who is in it, and where, in one pass."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from ...bridge.messages import Progress
from ...core.errors import NobodyFoundError
from ...core.messages import message_from_json, message_to_json
from ...core.records import FootageInfo
from .. import detection, registry
from ..footage.prefetch import prefetch
from .observation_cache import ObservationLog
from .portraits import add_portraits
from .side_swaps import correct_side_swaps
from .tracker import Tracker

STAGE = "Finding people"


@dataclass(frozen=True)
class TrackingResult:
    """What was seen: the frames, and the people, the largest first: person N of the interface is people[N - 1].

    seconds: wall time of "start detector" and "find people"; both near zero when the cache knew the footage.
    """

    frames: FootageInfo
    people: tuple
    warnings: tuple = ()
    seconds: dict = field(default_factory=dict)


def detect_and_track(request, on_progress=lambda progress: None):
    """Find and follow everybody in a piece of footage.

    Args:
        request: a ReconstructRequest; source, frames, detector and cache count here.
        on_progress: called with a Progress after every frame; what it raises ends the look (frames seen stay cached).

    Raises:
        InputError: the source cannot be read. NobodyFoundError: nobody is in it. ModelError: the detector lacks its model.
    """
    begun = time.perf_counter()
    detector = registry.DETECTORS.get(choose_detector(request))(request)
    try:
        footage = detector.open(request.source, request.frames, request.fps)
        log = ObservationLog.for_footage(request.cache, footage, detector.identity(), request.fps)
        tracker = Tracker(detector.keypoint_set)
        for row, (moment, poses) in enumerate(log.frames):
            tracker.update(row, moment, poses)
        timestamps = [moment for moment, _poses in log.frames]
        started = time.perf_counter()
        if log.summary is None:
            try:
                timestamps += detect_new_frames(footage, detector, tracker, log, on_progress)
            finally:
                log.flush()
            log.finish({"fps": footage.frame_rate(timestamps), "warnings": list(map(message_to_json, footage.warnings))})
        fps, warnings = footage.frame_rate(timestamps), footage.warnings
        if log.summary:
            fps, warnings = log.summary["fps"], map(message_from_json, log.summary["warnings"])
    finally:
        detector.close()
    frames = FootageInfo(footage.source, timestamps, fps, footage.size, footage.first, footage.rotation)
    people = tuple(correct_side_swaps(person, timestamps) for person in tracker.people())
    if not people:
        raise nobody_found_error(footage, len(frames))
    seconds = {"start detector": started - begun, "find people": time.perf_counter() - started}
    return TrackingResult(frames, people, tuple(warnings), seconds)


def detect_new_frames(footage, detector, tracker, log, on_progress):
    """Look at the frames that the log does not have yet; returns their times, s."""
    times = []
    known = len(log.frames)
    reader = prefetch(footage.read(decode_from=known))
    try:
        for frame in reader:
            if frame.row < known:
                continue
            poses = add_portraits(frame, detector.detect(frame, tracker.predict(frame.time)), detector.keypoint_set)
            tracker.update(frame.row, frame.time, poses)
            log.append(frame.time, poses)
            times.append(frame.time)
            on_progress(Progress(STAGE, frame.row + 1, max(footage.num_declared_frames, frame.row + 1)))
    finally:
        reader.close()
    return times


def choose_detector(request):
    """The detector that "auto" stands for: keypoints files are read, everything else is looked at."""
    if request.detector != "auto":
        return request.detector
    return "keypoints" if detection.keypoints_file.is_keypoints(Path(request.source)) else "mediapipe"


def nobody_found_error(footage, frames):
    """The error of footage in which, in so many frames, there is nobody."""
    remedy = "Choose footage in which somebody is seen from head to hips at least, or a range of frames in which they are."
    if frames == 1:
        return NobodyFoundError("nobody-in-image", "{name} was read, but no person was found in it.", remedy, name=footage.name)
    problem = "{name} was read, but no person was found in its {frames} frames."
    return NobodyFoundError("nobody-in-footage", problem, remedy, name=footage.name, frames=frames)
