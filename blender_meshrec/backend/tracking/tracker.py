"""Following people through time: which of this frame's poses is whom.

A person is known by where they should be now and by the colours of their clothes. Who is out of sight is expected to
come out where they were heading, and is recognised later by clothes alone.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...core.records import Observations
from ...core.silhouettes import Silhouettes, evenly_spaced_indices
from ...core.skeletons import KEYPOINT_SETS
from ..detection.detections import CONFIDENCE_THRESHOLD, KEYPOINT_SPREAD, Detection, appearance_similarity, body_size, box_iou, h36m17_joint, keypoint_similarity, person_box, torso_centre
from .assignment import assign

# How long somebody out of sight is looked for where they were heading, s, and at least how many frames.
MIN_COAST_TIME, MIN_COAST_FRAMES = 1.0, 3
# People walk on while unseen, but not for ever the same way.
VELOCITY_DECAY = 0.4
# How much farther from the expected place a pose may lie a second since the last sight, as a share of the person's size.
SPREAD_GROWTH = 0.5
# How fast a person's middle may stray from where it was heading, in sizes a second.
MAX_DEVIATION_SPEED = 3.0
# A match below this is somebody else.
MIN_MATCH_SCORE = 0.2
# Clothes are the same above this, and above the second where the place speaks against it; and they must be so by a margin
# over anybody else's, to recognise somebody by them alone.
MIN_REID_SIMILARITY, MIN_DISTANT_REID_SIMILARITY, REID_MARGIN = 0.88, 0.93, 0.03
# After this long, s, somebody may be as far off as they get; and below this size, px, clothes are too small to tell by.
MAX_REID_GAP, MIN_REID_SIZE = 1.5, 80.0
# Clothes that may be the same, seen from another side or blurred.
MIN_COMPATIBLE_SIMILARITY = 0.7
# Somebody who crouches stands up again: the expected box remembers their size for this long, s.
SIZE_DECAY = 1.5
# A frame shows a person badly whose score is less than this share of their usual one.
MIN_RELATIVE_SCORE = 0.8
# People seen for less time than this, and for less than half of the range, are taken for false finds.
MIN_TRACK_TIME, MIN_TRACK_FRAMES = 0.6, 3


class ExpectedPerson(NamedTuple):
    """Where somebody should be: box (4,) px, how many quarter turns counterclockwise stand them upright, frames they were missed."""

    box: np.ndarray
    quarter_turns: int = 0
    missed: int = 0


class Candidate(NamedTuple):
    """A pose of this frame with its box (4,) px and the middle of its trunk (2,) px."""

    detection: Detection
    box: np.ndarray
    torso_centre: np.ndarray


@dataclass(eq=False)
class Track:
    """One person while being followed: box (4,) px, middle of the trunk (2,) px, velocity px/s, size px as last seen."""

    rows: list = field(default_factory=list)
    detections: list = field(default_factory=list)
    box: np.ndarray = None
    torso_centre: np.ndarray = None
    time: float = 0.0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    appearance: np.ndarray | None = None
    extent: np.ndarray = None
    size: float = 0.0

    def add(self, row, time, candidate, is_isolated=True):
        """See the person again; `is_isolated` says nobody else is so close that clothes may be mixed up."""
        pose, box, middle = candidate
        extent = box[2:] - box[:2]
        if self.rows:
            gap = max(time - self.time, 1e-3)
            velocity = (middle - self.torso_centre) / gap
            self.velocity = 0.5 * self.velocity + 0.5 * velocity if gap < MIN_COAST_TIME else np.zeros(2)
            self.extent = np.maximum(extent, self.extent * np.exp(-gap / SIZE_DECAY))
            self.size = 0.7 * self.size + 0.3 * body_size(box)
        else:
            self.extent, self.size = extent, body_size(box)
        if pose.appearance is not None and (is_isolated or self.appearance is None):
            self.appearance = pose.appearance if self.appearance is None else 0.9 * self.appearance + 0.1 * pose.appearance
        self.rows.append(row)
        self.detections.append(pose)
        self.box, self.torso_centre, self.time = box, middle, time

    def predicted_shift(self, time):
        """How far the person should have moved since last seen, (2,) px."""
        gap = max(0.0, time - self.time)
        return self.velocity * VELOCITY_DECAY * (1 - np.exp(-gap / VELOCITY_DECAY))

    def deviation(self, time, position):
        """How far, in sizes, a place (2,) px is from where the person was heading, or from where they last were if that is nearer."""
        off = position - self.torso_centre
        return min(np.linalg.norm(off), np.linalg.norm(off - self.predicted_shift(time))) / self.size

    def expected_box(self, time):
        """Where to look for the person, (4,) px: wider the longer they are unseen."""
        gap = max(0.0, time - self.time)
        half = self.extent / 2 * (1 + 0.5 * min(gap, 1.0))
        centre = (self.box[:2] + self.box[2:]) / 2 + self.predicted_shift(time)
        return np.concatenate([centre - half, centre + half])

    def expected_keypoints(self, time):
        keypoints = self.detections[-1].keypoints.copy()
        keypoints[:, :2] += self.predicted_shift(time)
        return keypoints


class Tracker:
    """Sorts detections, frame by frame, into people. Call `update` once a frame, in order; then `people`."""

    def __init__(self, keypoint_set):
        self._keypoint_set = keypoint_set
        self._tracks = []
        # People whose identity the detector knows.
        self._identified_tracks = {}
        self._times = []

    def predict(self, time):
        """Where people who are in sight, or were a moment ago, should be at a time: a list of Expected."""
        coasting = self._coast_time(time)
        followed = [track for track in self._tracks if time - track.time <= coasting]
        return [
            ExpectedPerson(
                track.expected_box(time),
                upright_quarter_turns(track.detections[-1].keypoints, self._keypoint_set),
                len(self._times) - 1 - track.rows[-1],
            )
            for track in followed
        ]

    def update(self, row, time, detections):
        """Give each pose of a frame to the person it shows, or to a newcomer."""
        sights = [
            Candidate(pose, person_box(pose.keypoints, self._keypoint_set), torso_centre(pose.keypoints, self._keypoint_set))
            for pose in detections
        ]
        coasting = self._coast_time(time)
        self._times.append(time)
        known = [sight for sight in sights if sight.detection.identity is not None]
        for sight in known:
            self._identified_tracks.setdefault(sight.detection.identity, Track()).add(row, time, sight)
        free = [sight for sight in sights if sight.detection.identity is None]
        present = [track for track in self._tracks if time - track.time <= coasting]
        away = [track for track in self._tracks if time - track.time > coasting]
        for tracks, worth in ((present, self._match_score), (away, self._reid_score), (present, self._leftover_score)):
            tracks = [track for track in tracks if track.time < time]
            values = np.zeros((len(tracks), len(free)))
            for t, track in enumerate(tracks):
                values[t] = [worth(track, time, sight) for sight in free]
            pairs = [
                (tracks[t], free[i])
                for t, i in assign(suppress_ambiguous(values) if worth == self._reid_score else values, MIN_MATCH_SCORE)
            ]
            for track, sight in pairs:
                alone = all(box_iou(sight.box, other.box) < 0.15 for other in sights if other is not sight)
                track.add(row, time, sight, alone)
            free = [sight for sight in free if not any(sight is taken for _track, taken in pairs)]
        for sight in free:
            newcomer = Track()
            newcomer.add(row, time, sight)
            self._tracks.append(newcomer)

    def people(self):
        """One Observations a person over every frame stepped through, the largest first; false finds are left out."""
        frames = len(self._times)
        real = [track for track in self._tracks if self._is_confirmed(track) or 2 * len(track.rows) >= frames]
        people = [self._to_observations(track, frames) for track in (*real, *self._identified_tracks.values())]
        return tuple(sorted(people, key=lambda person: -person.median_area))

    def _to_observations(self, track, frames):
        points = len(KEYPOINT_SETS[self._keypoint_set])
        boxes, keypoints = np.zeros((frames, 4)), np.zeros((frames, points, 3))
        visible = np.zeros(frames, bool)
        in_metres = all(pose.keypoints_3d is not None for pose in track.detections)
        keypoints_3d = np.zeros((frames, points, 3)) if in_metres else None
        for row, pose in zip(track.rows, track.detections):
            boxes[row] = person_box(pose.keypoints, self._keypoint_set)
            keypoints[row], visible[row] = pose.keypoints, True
            if in_metres:
                keypoints_3d[row] = pose.keypoints_3d
        return Observations(
            self._keypoint_set, boxes, keypoints, visible, keypoints_3d, select_silhouettes(track), self._best_portrait(track)
        )

    def _best_portrait(self, track):
        """The picture in which the person is seen best: surely and large. None where there is none."""
        pictured = [pose for pose in track.detections if pose.portrait is not None]
        return (
            max(pictured, key=lambda pose: pose.score * body_size(person_box(pose.keypoints, self._keypoint_set))).portrait
            if pictured
            else None
        )

    def _coast_time(self, time):
        """For how long, s, somebody is still looked for; low frame rates need longer."""
        step = (time - self._times[0]) / len(self._times) if self._times else 0.0
        return max(MIN_COAST_TIME, MIN_COAST_FRAMES * step * 1.01)

    def _match_score(self, track, time, candidate):
        """How well a pose fits somebody who is, or was a moment ago, in candidate: place first, then clothes."""
        gap = max(0.0, time - track.time)
        ratio = body_size(candidate.box) / track.size
        if not 0.33 < ratio < 3:
            return 0.0
        spread = KEYPOINT_SPREAD + SPREAD_GROWTH * min(gap, 1.0)
        near = keypoint_similarity(track.expected_keypoints(time), candidate.detection.keypoints, track.size, self._keypoint_set, spread)
        # A somersault or a fall changes every joint in a moment; the person is still about where they were.
        near = max(
            near, 0.6 * np.exp(-0.5 * (track.deviation(time, candidate.torso_centre) / (0.2 + MAX_DEVIATION_SPEED * min(gap, 1.0))) ** 2)
        )
        clothes = appearance_similarity(track.appearance, candidate.detection.appearance)
        # Below 0.5 clothes differ as day and night, above 0.9 they are the same in another light.
        return near * (0.8 if clothes is None else 0.3 + 0.7 * np.clip((clothes - 0.5) / 0.4, 0, 1))

    def _leftover_score(self, track, time, candidate):
        """How well a pose that nobody else explains fits somebody who should be about here but was not seen this frame."""
        within_reach = track.deviation(time, candidate.torso_centre) < 0.7 + MAX_DEVIATION_SPEED * min(time - track.time, 1.0)
        ratio = body_size(candidate.box) / track.size
        clothes = appearance_similarity(track.appearance, candidate.detection.appearance)
        alike = 0.33 < ratio < 3 and (clothes is None or clothes > MIN_COMPATIBLE_SIMILARITY)
        return (clothes or MIN_COMPATIBLE_SIMILARITY) if within_reach and alike else 0.0

    def _reid_score(self, track, time, candidate):
        """How surely a pose is somebody who has been away: by their clothes, the more so the farther off they turn up."""
        ratio = body_size(candidate.box) / track.size
        clothes = appearance_similarity(track.appearance, candidate.detection.appearance)
        if clothes is None or not 0.3 < ratio < 3 or not self._is_confirmed(track):
            return 0.0
        nearby = track.deviation(time, candidate.torso_centre) < 1 + MAX_DEVIATION_SPEED * min(time - track.time, MAX_REID_GAP)
        if not nearby and min(track.size, body_size(candidate.box)) < MIN_REID_SIZE:
            return 0.0
        return clothes if clothes > (MIN_REID_SIMILARITY if nearby else MIN_DISTANT_REID_SIMILARITY) else 0.0

    def _is_confirmed(self, track):
        """Whether somebody was seen long enough to be no false find."""
        seconds = len(track.rows) * (self._times[-1] - self._times[0]) / max(1, len(self._times) - 1)
        return len(track.rows) >= MIN_TRACK_FRAMES and seconds >= MIN_TRACK_TIME


def select_silhouettes(track):
    """The Silhouettes of a Track, spread over it, less those of frames that show the person badly; None where there are none."""
    cut_out = [(row, pose) for row, pose in zip(track.rows, track.detections) if pose.silhouette is not None]
    if not cut_out:
        return None
    usual = np.median([pose.score for _row, pose in cut_out])
    cut_out = [(row, pose) for row, pose in cut_out if pose.score >= MIN_RELATIVE_SCORE * usual]
    chosen = [cut_out[i] for i in evenly_spaced_indices([row for row, _pose in cut_out])]
    return Silhouettes([row for row, _pose in chosen], [pose.square for _row, pose in chosen], [pose.silhouette for _row, pose in chosen])


def upright_quarter_turns(keypoints, keypoint_set):
    """How many quarter turns counterclockwise bring the shoulders of points (K,3) above the hips; 0 for who is about upright or unclear."""
    thorax, hip = (h36m17_joint(keypoints, keypoint_set, name) for name in ("thorax", "hip"))
    up = thorax[:2] - hip[:2]
    if min(thorax[2], hip[2]) < CONFIDENCE_THRESHOLD or not up.any():
        return 0
    # In the image y points down: upright is (0, -1), lying with the head to the right (1, 0).
    return round(np.degrees(np.arctan2(up[0], -up[1])) / 90) % 4


def suppress_ambiguous(scores):
    """Only those (R,C) values that beat every other of their row and column by REID_MARGIN; the rest 0."""
    clear = np.array(scores, float)
    for (row, column), value in np.ndenumerate(scores):
        rivals = np.concatenate([np.delete(scores[row], column), np.delete(scores[:, column], row)])
        if rivals.size and value < rivals.max() + REID_MARGIN:
            clear[row, column] = 0.0
    return clear
