"""The first stage: who is in the footage, and where, in one pass over its frames."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...bridge.messages import Progress, ReconstructRequest
from ...core.array_types import FloatArray
from ...core.errors import InputError, ModelError, NobodyFoundError
from ...core.files.model_files import model_file
from ...core.focal_length import given_focal_length
from ...core.messages import Message
from ...core.people_list import PeopleList
from ...core.quality_levels import QUALITY_LEVELS
from ...core.records import FootageInfo, Observations
from ...methods.movenet import WEIGHTS_FILE as MOVENET_FILE
from .. import detection, registry
from ..camera.background_matcher import BackgroundMatcher, small_size
from ..camera.screen_graphics import without_graphics
from ..camera.tracks import CUT, BackgroundTracks, FrameMatches, join_matches
from ..camera.vertical_lines import LineFinder, VerticalLines, join_edges
from ..detection.detections import person_box
from ..detection.detector import Detector
from ..detection.second_look import SecondLook
from ..devices import choose_device
from ..footage.frame_source import Footage
from ..footage.looked_at import LookedAt
from ..footage.thinned import ThinnedFootage
from ..footage.true_time import in_true_time
from ..lifting.crop_regressor import CropRegressor
from ..lifting.image_methods import KEYPOINT_METHODS, is_image_method, request_label
from ..prefetch import prefetch
from .crop_queue import CropQueue, CropReader
from .keypoint_owners import give_keypoints_to_owners
from .new_pictures import found_in_rows, matches_of_rows, observed_in_pictures, rows_of_new_pictures, rows_shown_last
from .observation_cache import ObservationLog, Summary
from .picture_times import times_of_pictures
from .portraits import add_portraits
from .side_swaps import correct_side_swaps
from .thumbnails import Thumbnails, thumbnails_of_tracks
from .tracker import Tracker
from .two_looks import join_looks

STAGE = "Finding people"


@dataclass(frozen=True)
class TrackingResult:
    """The frames and the people in them, the largest first: person N of the interface is people[N - 1].

    seconds: wall time of "start detector" and "find people"; both near zero if the cache has the footage. background: (F,3), its movement
    since the frame before, as of camera/background_matcher.py, and tracks: its matches between frames; None where nobody looked.
    looked_at: which frames of the range these are, and the times of all.
    lines: edges of the background that may be vertical; None where nobody looked.
    thumbnails: of the tracks; numbers: of the people where a list of people gives them, and people_list: that list, or the one in which
    each track is a person. jumps: the first rows after jump cuts, of jump_cuts.py.
    """

    frames: FootageInfo
    looked_at: LookedAt
    people: tuple[Observations, ...]
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    background: FloatArray | None = None
    tracks: BackgroundTracks | None = None
    lines: VerticalLines | None = None
    thumbnails: Thumbnails | None = None
    numbers: tuple[int, ...] = ()
    people_list: PeopleList | None = None
    jumps: tuple[int, ...] = ()

    @property
    def person_numbers(self) -> tuple[int, ...]:
        """The number of each person: those of the list, or else from 1 on."""
        return self.numbers or tuple(range(1, len(self.people) + 1))


def detect_and_track(request: ReconstructRequest, on_progress: Callable[[Progress], None] = lambda progress: None) -> TrackingResult:
    """Find and track everybody in the footage.

    Args:
        request: its source, frames, fps, detector, quality and cache are used.
        on_progress: called with a Progress after every frame; an exception that it raises ends the pass (its detections stay cached).

    Raises:
        InputError: the source cannot be read, or no lens has the given focal length. NobodyFoundError: nobody is in it.
        ModelError: the detector's model is missing.
    """
    begun = time.perf_counter()
    regressor = open_regressor(request)
    detector = registry.DETECTORS.get(choose_detector(request))(request)
    readers: list[CropReader] = [] if regressor is None else [regressor]
    try:
        footage, speed = in_true_time(detector.open(request.source, request.frames, request.fps), request.capture_fps)
        if request.focal is not None:
            given_focal_length(request.focal, request.sensor, footage.size)  # a wrong one is refused before the work
        second_look, notes = open_second_look(request, footage.play_rate)
        readers += [] if second_look is None else [second_look]
        footage, step = thin_footage(footage, request.quality)
        log = ObservationLog.for_footage(request.cache, footage, identity_of_looks(detector, step, readers), request.fps)
        tracker = Tracker(detector.keypoint_set)
        track_logged_frames(log, tracker)
        timestamps = [moment for moment, _detections in log.frames]
        started = time.perf_counter()
        summary = log.summary
        if summary is None:
            if request.known_contacts and request.cache is not None and detector.identity() is not None:
                notes.append(
                    Message("observations-gone", "What was seen in {name} is no longer stored: it was detected again.", name=footage.name)
                )
            try:
                timestamps += detect_new_frames(footage, detector, tracker, log, on_progress, readers, notes.append)
            finally:
                log.flush()
            all_times = footage.all_times if isinstance(footage, ThinnedFootage) else ()
            summary = log.finish(footage.frame_rate(timestamps), footage.warnings, all_times)
    finally:
        detector.close()
        for reader in readers:
            reader.close()
    seconds = {"start detector": started - begun, "find people": time.perf_counter() - started}
    looked = FootagePass(footage, step, speed, np.array(timestamps), summary, log, tracker)
    return result_of_pass(looked, detector.keypoint_set, detector.identity() is None, seconds, notes)


class FootagePass(NamedTuple):
    """The footage pass, done: of one of `step` frames, at `timestamps` (N,) s; speed: as of FootageInfo."""

    footage: Footage
    step: int
    speed: float
    timestamps: FloatArray
    summary: Summary
    log: ObservationLog
    tracker: Tracker


def result_of_pass(
    looked: FootagePass, keypoint_set: str, is_from_file: bool, seconds: dict[str, float], notes: Sequence[str]
) -> TrackingResult:
    """The people of the frames that show a new picture. Raises NobodyFoundError."""
    footage, log, summary = looked.footage, looked.log, looked.summary
    rows = rows_of_new_pictures(log.matches, looked.timestamps)
    shown_last, matches = rows_shown_last(rows, len(looked.timestamps)), matches_of_rows(log.matches, rows)
    found_jumps = looked.tracker.jumps(np.array([found.change.mean for found in log.matches]))
    jumps = np.searchsorted(rows, found_jumps).tolist()
    found = [observed_in_pictures(person, rows) for person in looked.tracker.people(found_jumps)]
    found = [person for person in found if person.visible.any()]
    all_times = np.array(summary.timestamps or looked.timestamps)
    if not found:
        raise nobody_found_error(footage, len(all_times))
    times = looked.timestamps[rows]
    if len(rows) < len(looked.timestamps):
        times = times_of_pictures(times, looked.step / summary.fps, found, breaks_of(matches, jumps))
    people = mended_people(found, times.tolist(), breaks_of(matches, jumps), is_from_file)
    tracks = join_matches(matches, footage.size, small_size(footage.size))
    return TrackingResult(
        info_of_footage(footage, times.tolist(), summary.fps, looked.speed),
        LookedAt(looked.step * rows, all_times, looked.step),
        people,
        (*summary.warnings, *notes),
        seconds,
        np.array(log.background)[rows],
        None if tracks is None else without_graphics(tracks),
        join_edges([log.edges[row] for row in rows], footage.size),
        thumbnails_of_tracks(found_in_rows(log.portraits(), shown_last), people, keypoint_set),
        jumps=tuple(jumps),
    )


def breaks_of(matches: Sequence[FrameMatches], jumps: Sequence[int]) -> list[int]:
    """The first rows after all cuts: of shots but the first, and jump cuts."""
    return sorted([*jumps, *(row for row, found in enumerate(matches) if row and found.link == CUT)])


def say_jumps(tracked: TrackingResult, source: str) -> list[Message]:
    """What to tell the user of jump cuts; frames are those of the footage's range."""
    if not tracked.jumps:
        return []
    text = "Time is cut out of {name}: from these frames on people are elsewhere, and nothing is smoothed across them: {frames}."
    frames = ", ".join(str(tracked.looked_at.rows[row]) for row in tracked.jumps)
    return [Message("time-cut-out", text, name=Path(source).name, frames=frames)]


def mended_people(
    people: Sequence[Observations], timestamps: list[float], cuts: Sequence[int], is_from_file: bool
) -> tuple[Observations, ...]:
    """People whose sides are not swapped, with the keypoints of both networks, which are nobody else's; those of a file are the user's own.

    timestamps: (F,) s. cuts: first rows of shots, and those after jump cuts.
    """
    mended = tuple(join_looks(correct_side_swaps(person, timestamps, cuts), timestamps, cuts) for person in people)
    return mended if is_from_file else give_keypoints_to_owners(mended, timestamps)


def info_of_footage(footage: Footage, timestamps: list[float], fps: float, speed: float) -> FootageInfo:
    """The record of footage that was read."""
    lens = footage.stated_lens
    return FootageInfo(
        footage.source,
        np.array(timestamps),
        fps,
        footage.size,
        footage.first,
        footage.rotation,
        footage.is_mirrored,
        speed,
        lens.focal if lens else None,
        lens.sigma if lens else 0.0,
    )


def thin_footage(footage: Footage, quality: str) -> tuple[Footage, int]:
    """The frames of footage that a quality looks at, and the step between them; 1 is every frame."""
    step = QUALITY_LEVELS[quality].frame_step(footage.play_rate)
    return (footage, 1) if step == 1 else (ThinnedFootage(footage, step), step)


def open_regressor(request: ReconstructRequest) -> CropRegressor | None:
    """What regresses the crops of people, if the request's method looks at pictures. Raises InputError, ModelError."""
    if is_image_method(request.method) and choose_detector(request) == "keypoints":
        if request.method in KEYPOINT_METHODS:
            return None
        raise InputError(
            "image-method-needs-footage",
            "The method {method} looks at the picture, which 2D keypoints do not carry.",
            "Give the footage itself, or choose a method that lifts 2D keypoints to 3D.",
            method=request_label(request),
        )
    return CropRegressor.for_request(request)


def open_second_look(request: ReconstructRequest, play_rate: float) -> tuple[SecondLook | None, list[str]]:
    """The second look at what MediaPipe finds in footage of so many frames a second, if the quality has one, and what to tell the user.

    Raises:
        ModelError: its file is damaged.
    """
    step = QUALITY_LEVELS[request.quality].second_look_step(play_rate)
    if choose_detector(request) != "mediapipe" or not step:
        return None, []
    try:
        return SecondLook(model_file(MOVENET_FILE), choose_device(request.device), step), []
    except ModelError as error:
        if error.name != "model-file-missing":
            raise
    text = "The second look ({name}) is not installed: poses are less exact. In a checkout, install npm and run `python3 build.py setup`."
    return None, [Message("second-look-missing", text, name=MOVENET_FILE)]


def identity_of_looks(detector: Detector, step: int, readers: Sequence[CropReader] = ()) -> str | None:
    """A detector's identity for the cache, with the step between the frames that it looks at, and what looks at crops."""
    identity = detector.identity()
    if identity is None:
        return None
    return " ".join([identity, *([f"every {step}"] if step > 1 else []), *(reader.identity for reader in readers)])


def track_logged_frames(log: ObservationLog, tracker: Tracker) -> None:
    """Track people in the frames that the log has."""
    for row, (moment, detections) in enumerate(log.frames):
        if row and log.matches[row].link == CUT:
            tracker.cut()
        tracker.update(row, moment, detections)


def detect_new_frames(
    footage: Footage,
    detector: Detector,
    tracker: Tracker,
    log: ObservationLog,
    on_progress: Callable[[Progress], None],
    readers: Sequence[CropReader] = (),
    warn: Callable[[str], None] = lambda warning: None,
) -> list[float]:
    """Detect and track in the frames that the log does not have yet; returns their times, s."""
    times: list[float] = []
    num_known = len(log.frames)
    background, lines, crops = BackgroundMatcher(num_known), LineFinder(), CropQueue(readers, log)
    stage, num_people = STAGE, 0
    frames = prefetch(footage.read(decode_from=num_known))
    try:
        for frame in frames:
            if frame.row < num_known:
                continue
            frame = frame._replace(begins_shot=background.seems_cut(frame.image), changes_at_once=background.changes_at_once(frame.image))
            expected = [] if frame.begins_shot else [*tracker.predict(frame.time), *tracker.lost(frame.time)]
            detections = add_portraits(frame, detector.detect(frame, expected), detector.keypoint_set)
            detections = crops.look_at(frame, detections, detector.keypoint_set)
            boxes = [person_box(detection.keypoints, detector.keypoint_set) for detection in detections]
            outlines = [found.outline for found in detections]
            movement, matches = background.update(frame.image, boxes, outlines)
            if frame.row and matches.link == CUT:
                tracker.cut()
            tracker.update(frame.row, frame.time, detections)
            edges = lines.update(frame.image, matches.link == CUT, boxes, outlines)
            crops.append(frame.time, detections, movement, matches, edges)
            times.append(frame.time)
            num_people += len(detections)
            if stage == STAGE and (told := crops.forecast(footage.num_declared_frames, num_people / len(times))):
                stage = told
                warn(told)
            on_progress(Progress(stage, frame.row + 1, max(footage.num_declared_frames, frame.row + 1)))
        crops.finish()
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
