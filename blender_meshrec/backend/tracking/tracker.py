"""Tracking: joining the detections of single frames into people.

Frame by frame, a person is recognised by their predicted position, their pose and the colours of their clothes, so that the detector knows
where to look. At the end the tracks are split wherever they may have changed to somebody else, and joined anew by what the whole clip says
(`tracklets.py`, `joining.py`); then doubles and false detections are taken out (`clean_tracks.py`).
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ...core.records import Observations
from ...core.silhouettes import Silhouettes, evenly_spaced_indices
from ...core.skeletons import KEYPOINT_SETS
from ..detection.detections import Detection, body_size, person_box, upright_quarter_turns
from ..detection.detector import ExpectedPerson
from ..detection.similarity import box_iou
from ..detection.touching import reach_from_hips
from .association import associate, leftover_score, match_score, without
from .clean_tracks import clean_tracks
from .joining import Chain, join_tracklets
from .jump_cuts import jump_rows
from .track import MIN_COAST_FRAMES, MIN_COAST_TIME, Candidate, Track
from .tracklets import split_tracks

# Tracks shorter than this, s, or than this many frames, are false detections unless they cover half of the range.
MIN_TRACK_TIME, MIN_TRACK_FRAMES = 0.6, 3
# For this long, s, the place where a track ended is searched, unless it overlaps somebody who is in view by more than this.
LOST_TIME, MAX_LOST_IOU = 4.0, 0.3
# Somebody who was followed for so long, s, is certainly there, and where they are expected.
KNOWN_TIME = 0.3
REACH_FRAMES = 15  # in which nobody was near, that tell how large somebody is
# People whose boxes overlap more than this may show each other's clothes.
MAX_ISOLATED_IOU = 0.15
# A silhouette is used if the detection's score is at least this fraction of the track's median score.
MIN_RELATIVE_SCORE = 0.8


class Tracker:
    """Assigns detections to people, frame by frame. Call `update` once a frame, in order; then `people`."""

    def __init__(self, keypoint_set: str) -> None:
        self._keypoint_set = keypoint_set
        self._tracks: list[Track] = []
        # Tracks of the people whose identity the detector knows.
        self._identified_tracks: dict[int, Track] = {}
        self._times: list[float] = []
        self._ended: list[Track] = []  # of people who are no longer expected anywhere
        self._cuts: list[int] = []  # first rows of all shots but the first

    def cut(self) -> None:
        """The next frame begins a shot: nobody is where they were."""
        self._cuts.append(len(self._times))
        self._ended += self._tracks
        self._tracks = []

    def predict(self, time: float) -> list[ExpectedPerson]:
        """Where the people who are in view, or were a moment ago, should be at a time."""
        coast_time = self._coast_time(time)
        return [self._expected(track, time) for track in self._tracks if time - track.time <= coast_time]

    def lost(self, time: float) -> list[ExpectedPerson]:
        """Where the tracks of others in this shot ended lately: nobody is expected there, but they may come back."""
        coast_time, known = self._coast_time(time), [each.box for each in self.predict(time)]
        lost: list[ExpectedPerson] = []
        for track in [*self._ended, *self._tracks]:
            is_in_shot = not self._cuts or track.rows[-1] >= self._cuts[-1]
            if coast_time < time - track.time <= LOST_TIME and is_in_shot and len(track.rows) >= MIN_TRACK_FRAMES:
                person = self._expected(track, time)._replace(is_lost=True)
                if all(box_iou(person.box, box) < MAX_LOST_IOU for box in known):
                    lost.append(person)
        return lost

    def _expected(self, track: Track, time: float) -> ExpectedPerson:
        turns = upright_quarter_turns(track.candidates[-1].detection.keypoints, self._keypoint_set)
        missed = len(self._times) - 1 - track.rows[-1]
        if track.times[-1] - track.times[0] < KNOWN_TIME:
            return ExpectedPerson(track.expected_box(time), turns, missed)
        apart = [each.detection for each, isolated in zip(track.candidates, track.isolated) if isolated] or track.detections
        reach = max(reach_from_hips(each.keypoints, self._keypoint_set) for each in apart[-REACH_FRAMES:])
        return ExpectedPerson(track.expected_box(time), turns, missed, keypoints=track.detections[-1].keypoints, reach=reach)

    def update(self, row: int, time: float, detections: list[Detection]) -> None:
        """Add each detection of a frame to the track of the person it shows, or to a new one."""
        candidates = [Candidate.from_detection(detection, self._keypoint_set) for detection in detections]
        coast_time = self._coast_time(time)
        self._times.append(time)
        for candidate in candidates:
            if candidate.detection.identity is not None:
                self._identified_tracks.setdefault(candidate.detection.identity, Track()).add(row, time, candidate)
        free = [candidate for candidate in candidates if candidate.detection.identity is None]
        for track, candidate in self._associate(time, coast_time, free):
            is_isolated = all(box_iou(candidate.box, other.box) < MAX_ISOLATED_IOU for other in candidates if other is not candidate)
            track.add(row, time, candidate, is_isolated)

    def _associate(self, time: float, coast_time: float, candidates: list[Candidate]) -> list[tuple[Track, Candidate]]:
        """Pair every candidate with a track; those that no track matches with new ones."""
        self._ended += [track for track in self._tracks if time - track.time > coast_time]
        self._tracks = [track for track in self._tracks if time - track.time <= coast_time]
        recent = [track for track in self._tracks if track.time < time]
        match = partial(match_score, keypoint_set=self._keypoint_set)
        pairs = associate(((recent, match), (recent, leftover_score)), time, candidates)
        new = [(Track(), candidate) for candidate in without(candidates, [taken for _track, taken in pairs])]
        self._tracks += [track for track, _candidate in new]
        return pairs + new

    def jumps(self, changes: FloatArray) -> list[int]:
        """The first rows after jump cuts, by how much the picture changes in each frame (F,), but those that begin another shot."""
        return [row for row in jump_rows(changes, [*self._ended, *self._tracks]) if row not in self._cuts]

    def people(self, jumps: Sequence[int] = ()) -> tuple[Observations, ...]:
        """The Observations of every person over all frames, the largest first, without false detections; jumps: as of `jumps`."""
        num_frames = len(self._times)
        tracklets = split_tracks([*self._ended, *self._tracks], sorted([*self._cuts, *jumps]))
        chains = join_tracklets(tracklets, self._keypoint_set, lambda chain: self._is_confirmed(_track_of(chain)))
        tracks = clean_tracks([_track_of(chain) for chain in chains], self._keypoint_set)
        confirmed = [track for track in tracks if self._is_confirmed(track) or 2 * len(track.rows) >= num_frames]
        people = [self._to_observations(track, num_frames) for track in (*confirmed, *self._identified_tracks.values())]
        return tuple(sorted(people, key=lambda person: -person.median_area))

    def _to_observations(self, track: Track, num_frames: int) -> Observations:
        num_points = len(KEYPOINT_SETS[self._keypoint_set])
        boxes, keypoints = np.zeros((num_frames, 4)), np.zeros((num_frames, num_points, 3))
        visible = np.zeros(num_frames, bool)
        has_3d = all(detection.keypoints_3d is not None for detection in track.detections)
        keypoints_3d = np.zeros((num_frames, num_points, 3)) if has_3d else None
        for row, detection in zip(track.rows, track.detections):
            boxes[row] = person_box(detection.keypoints, self._keypoint_set)
            keypoints[row], visible[row] = detection.keypoints, True
            if keypoints_3d is not None:
                keypoints_3d[row] = detection.keypoints_3d
        silhouettes, portrait = select_silhouettes(track), self._best_portrait(track)
        regression, second_look = (
            _rows_of(track, num_frames, [getattr(detection, name) for detection in track.detections])
            for name in ("regression", "second_look")
        )
        return Observations(self._keypoint_set, boxes, keypoints, visible, keypoints_3d, silhouettes, portrait, regression, second_look)

    def _best_portrait(self, track: Track) -> ImageArray | None:
        """The portrait of the detection with the greatest product of score and size; None without portraits."""
        with_portrait = [detection for detection in track.detections if detection.portrait is not None]
        if not with_portrait:
            return None

        def quality(detection: Detection) -> float:
            return detection.score * body_size(person_box(detection.keypoints, self._keypoint_set))

        return max(with_portrait, key=quality).portrait

    def _coast_time(self, time: float) -> float:
        """How long, s, a person out of view is looked for; longer at low frame rates."""
        step = (time - self._times[0]) / len(self._times) if self._times else 0.0
        return max(MIN_COAST_TIME, MIN_COAST_FRAMES * step * 1.01)

    def _is_confirmed(self, track: Track) -> bool:
        """Whether a track is long enough to be no false detection."""
        seconds = len(track.rows) * (self._times[-1] - self._times[0]) / max(1, len(self._times) - 1)
        return len(track.rows) >= MIN_TRACK_FRAMES and seconds >= MIN_TRACK_TIME


def _rows_of(track: Track, num_frames: int, values: Sequence[FloatArray | None]) -> FloatArray | None:
    """The values of a track's detections in their frames, (F,...), zero elsewhere; None if no detection has one."""
    known = [(row, value) for row, value in zip(track.rows, values, strict=True) if value is not None]
    if not known:
        return None
    rows, found = zip(*known)
    filled = np.zeros((num_frames, *found[0].shape), np.float32)
    filled[list(rows)] = found
    return filled


def _track_of(chain: Chain) -> Track:
    """The track of a person's tracklets."""
    parts = [Track(each.rows.tolist(), each.times.tolist(), list(each.candidates), each.isolated.tolist()) for each in chain]
    return Track.joined(parts)


def select_silhouettes(track: Track) -> Silhouettes | None:
    """The Silhouettes of a Track, evenly spaced in time, without those of low scores; None if there are none."""
    segmented = [
        (row, detection, detection.square, detection.silhouette)
        for row, detection in zip(track.rows, track.detections)
        if detection.square is not None and detection.silhouette is not None
    ]
    if not segmented:
        return None
    median_score = np.median([detection.score for _row, detection, _square, _mask in segmented])
    usable = [entry for entry in segmented if entry[1].score >= MIN_RELATIVE_SCORE * median_score]
    chosen = [usable[i] for i in evenly_spaced_indices([row for row, *_rest in usable])]
    rows, _detections, squares, masks = zip(*chosen)
    return Silhouettes(np.array(rows), np.array(squares), np.array(masks))
