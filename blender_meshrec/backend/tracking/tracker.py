"""Following people through time: which of this frame's poses is whom.

A person is known by where they should be now and by the colours of their clothes. Who is out of sight is expected to
come out where they were heading, and is recognised later by clothes alone.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...core.records import Observations
from ...core.silhouettes import Silhouettes, spread_out
from ...core.skeletons import KEYPOINT_SETS
from ..detection.detections import CONFIDENT, SPREAD, Pose, body_size, joint, overlap, person_box, same_clothes, similarity, torso
from .assignment import assign

# How long somebody out of sight is looked for where they were heading, s, and at least how many frames.
COAST, COAST_FRAMES = 1.0, 3
# People walk on while unseen, but not for ever the same way.
HEADING_HOLDS = 0.4
# How much farther from the expected place a pose may lie a second since the last sight, as a share of the person's size.
DRIFT = 0.5
# How fast a person's middle may stray from where it was heading, in sizes a second.
REACH = 3.0
# A match below this is somebody else.
LEAST_MATCH = 0.2
# Clothes are the same above this, and above the second where the place speaks against it; and they must be so by a margin
# over anybody else's, to recognise somebody by them alone.
RECOGNISED, RECOGNISED_AFAR, MARGIN = 0.88, 0.93, 0.03
# After this long, s, somebody may be as far off as they get; and below this size, px, clothes are too small to tell by.
LONG_GONE, LEGIBLE = 1.5, 80.0
# Clothes that may be the same, seen from another side or blurred.
NOT_DIFFERENT = 0.7
# Somebody who crouches stands up again: the expected box remembers their size for this long, s.
SIZE_MEMORY = 1.5
# A frame shows a person badly whose score is less than this share of their usual one.
WELL_SEEN = 0.8
# People seen for less time than this, and for less than half of the range, are taken for false finds.
LEAST_TIME, LEAST_FRAMES = 0.6, 3


class Expected(NamedTuple):
    """Where somebody should be: box (4,) px, how many quarter turns counterclockwise stand them upright, frames they were missed."""

    box: np.ndarray
    quarter_turns: int = 0
    missed: int = 0


class Sight(NamedTuple):
    """A pose of this frame with its box (4,) px and the middle of its trunk (2,) px."""

    pose: Pose
    box: np.ndarray
    middle: np.ndarray


@dataclass(eq=False)
class Track:
    """One person while being followed: box (4,) px, middle of the trunk (2,) px, velocity px/s, size px as last seen."""

    rows: list = field(default_factory=list)
    poses: list = field(default_factory=list)
    box: np.ndarray = None
    middle: np.ndarray = None
    time: float = 0.0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    look: np.ndarray | None = None
    extent: np.ndarray = None
    size: float = 0.0

    def add(self, row, time, sight, alone=True):
        """See the person again; `alone` says nobody else is so close that clothes may be mixed up."""
        pose, box, middle = sight
        extent = box[2:] - box[:2]
        if self.rows:
            gap = max(time - self.time, 1e-3)
            velocity = (middle - self.middle) / gap
            self.velocity = 0.5 * self.velocity + 0.5 * velocity if gap < COAST else np.zeros(2)
            self.extent = np.maximum(extent, self.extent * np.exp(-gap / SIZE_MEMORY))
            self.size = 0.7 * self.size + 0.3 * body_size(box)
        else:
            self.extent, self.size = extent, body_size(box)
        if pose.look is not None and (alone or self.look is None):
            self.look = pose.look if self.look is None else 0.9 * self.look + 0.1 * pose.look
        self.rows.append(row)
        self.poses.append(pose)
        self.box, self.middle, self.time = box, middle, time

    def shift(self, time):
        """How far the person should have moved since last seen, (2,) px."""
        gap = max(0.0, time - self.time)
        return self.velocity * HEADING_HOLDS * (1 - np.exp(-gap / HEADING_HOLDS))

    def strayed(self, time, middle):
        """How far, in sizes, a place (2,) px is from where the person was heading, or from where they last were if that is nearer."""
        off = middle - self.middle
        return min(np.linalg.norm(off), np.linalg.norm(off - self.shift(time))) / self.size

    def expected_box(self, time):
        """Where to look for the person, (4,) px: wider the longer they are unseen."""
        gap = max(0.0, time - self.time)
        half = self.extent / 2 * (1 + 0.5 * min(gap, 1.0))
        centre = (self.box[:2] + self.box[2:]) / 2 + self.shift(time)
        return np.concatenate([centre - half, centre + half])

    def expected_keypoints(self, time):
        keypoints = self.poses[-1].keypoints.copy()
        keypoints[:, :2] += self.shift(time)
        return keypoints


class Tracker:
    """Sorts poses, frame by frame, into people. Call `step` once a frame, in order; then `people`."""

    def __init__(self, keypoint_set):
        self._set = keypoint_set
        self._tracks = []
        # People whose identity the detector knows.
        self._named = {}
        self._times = []

    def expected(self, time):
        """Where people who are in sight, or were a moment ago, should be at a time: a list of Expected."""
        coasting = self._coasting(time)
        followed = [track for track in self._tracks if time - track.time <= coasting]
        return [
            Expected(track.expected_box(time), quarter_turns(track.poses[-1].keypoints, self._set), len(self._times) - 1 - track.rows[-1])
            for track in followed
        ]

    def step(self, row, time, poses):
        """Give each pose of a frame to the person it shows, or to a newcomer."""
        sights = [Sight(pose, person_box(pose.keypoints, self._set), torso(pose.keypoints, self._set)) for pose in poses]
        coasting = self._coasting(time)
        self._times.append(time)
        known = [sight for sight in sights if sight.pose.identity is not None]
        for sight in known:
            self._named.setdefault(sight.pose.identity, Track()).add(row, time, sight)
        free = [sight for sight in sights if sight.pose.identity is None]
        present = [track for track in self._tracks if time - track.time <= coasting]
        away = [track for track in self._tracks if time - track.time > coasting]
        for tracks, worth in ((present, self._match), (away, self._recognise), (present, self._must_be)):
            tracks = [track for track in tracks if track.time < time]
            values = np.zeros((len(tracks), len(free)))
            for t, track in enumerate(tracks):
                values[t] = [worth(track, time, sight) for sight in free]
            pairs = [(tracks[t], free[i]) for t, i in assign(unmistakable(values) if worth == self._recognise else values, LEAST_MATCH)]
            for track, sight in pairs:
                alone = all(overlap(sight.box, other.box) < 0.15 for other in sights if other is not sight)
                track.add(row, time, sight, alone)
            free = [sight for sight in free if not any(sight is taken for _track, taken in pairs)]
        for sight in free:
            newcomer = Track()
            newcomer.add(row, time, sight)
            self._tracks.append(newcomer)

    def people(self):
        """One Observations a person over every frame stepped through, the largest first; false finds are left out."""
        frames = len(self._times)
        real = [track for track in self._tracks if self._lasting(track) or 2 * len(track.rows) >= frames]
        people = [self._observations(track, frames) for track in (*real, *self._named.values())]
        return tuple(sorted(people, key=lambda person: -person.median_area))

    def _observations(self, track, frames):
        points = len(KEYPOINT_SETS[self._set])
        boxes, keypoints = np.zeros((frames, 4)), np.zeros((frames, points, 3))
        visible = np.zeros(frames, bool)
        in_metres = all(pose.keypoints_3d is not None for pose in track.poses)
        keypoints_3d = np.zeros((frames, points, 3)) if in_metres else None
        for row, pose in zip(track.rows, track.poses):
            boxes[row] = person_box(pose.keypoints, self._set)
            keypoints[row], visible[row] = pose.keypoints, True
            if in_metres:
                keypoints_3d[row] = pose.keypoints_3d
        return Observations(self._set, boxes, keypoints, visible, keypoints_3d, silhouettes_of(track), self._portrait_of(track))

    def _portrait_of(self, track):
        """The picture in which the person is seen best: surely and large. None where there is none."""
        pictured = [pose for pose in track.poses if pose.portrait is not None]
        return max(pictured, key=lambda pose: pose.score * body_size(person_box(pose.keypoints, self._set))).portrait if pictured else None

    def _coasting(self, time):
        """For how long, s, somebody is still looked for; low frame rates need longer."""
        step = (time - self._times[0]) / len(self._times) if self._times else 0.0
        return max(COAST, COAST_FRAMES * step * 1.01)

    def _match(self, track, time, sight):
        """How well a pose fits somebody who is, or was a moment ago, in sight: place first, then clothes."""
        gap = max(0.0, time - track.time)
        ratio = body_size(sight.box) / track.size
        if not 0.33 < ratio < 3:
            return 0.0
        spread = SPREAD + DRIFT * min(gap, 1.0)
        near = similarity(track.expected_keypoints(time), sight.pose.keypoints, track.size, self._set, spread)
        # A somersault or a fall changes every joint in a moment; the person is still about where they were.
        near = max(near, 0.6 * np.exp(-0.5 * (track.strayed(time, sight.middle) / (0.2 + REACH * min(gap, 1.0))) ** 2))
        clothes = same_clothes(track.look, sight.pose.look)
        # Below 0.5 clothes differ as day and night, above 0.9 they are the same in another light.
        return near * (0.8 if clothes is None else 0.3 + 0.7 * np.clip((clothes - 0.5) / 0.4, 0, 1))

    def _must_be(self, track, time, sight):
        """How well a pose that nobody else explains fits somebody who should be about here but was not seen this frame."""
        within_reach = track.strayed(time, sight.middle) < 0.7 + REACH * min(time - track.time, 1.0)
        ratio = body_size(sight.box) / track.size
        clothes = same_clothes(track.look, sight.pose.look)
        alike = 0.33 < ratio < 3 and (clothes is None or clothes > NOT_DIFFERENT)
        return (clothes or NOT_DIFFERENT) if within_reach and alike else 0.0

    def _recognise(self, track, time, sight):
        """How surely a pose is somebody who has been away: by their clothes, the more so the farther off they turn up."""
        ratio = body_size(sight.box) / track.size
        clothes = same_clothes(track.look, sight.pose.look)
        if clothes is None or not 0.3 < ratio < 3 or not self._lasting(track):
            return 0.0
        nearby = track.strayed(time, sight.middle) < 1 + REACH * min(time - track.time, LONG_GONE)
        if not nearby and min(track.size, body_size(sight.box)) < LEGIBLE:
            return 0.0
        return clothes if clothes > (RECOGNISED if nearby else RECOGNISED_AFAR) else 0.0

    def _lasting(self, track):
        """Whether somebody was seen long enough to be no false find."""
        seconds = len(track.rows) * (self._times[-1] - self._times[0]) / max(1, len(self._times) - 1)
        return len(track.rows) >= LEAST_FRAMES and seconds >= LEAST_TIME


def silhouettes_of(track):
    """The Silhouettes of a Track, spread over it, less those of frames that show the person badly; None where there are none."""
    cut_out = [(row, pose) for row, pose in zip(track.rows, track.poses) if pose.silhouette is not None]
    if not cut_out:
        return None
    usual = np.median([pose.score for _row, pose in cut_out])
    cut_out = [(row, pose) for row, pose in cut_out if pose.score >= WELL_SEEN * usual]
    chosen = [cut_out[i] for i in spread_out([row for row, _pose in cut_out])]
    return Silhouettes([row for row, _pose in chosen], [pose.square for _row, pose in chosen], [pose.silhouette for _row, pose in chosen])


def quarter_turns(keypoints, keypoint_set):
    """How many quarter turns counterclockwise bring the shoulders of points (K,3) above the hips; 0 for who is about upright or unclear."""
    thorax, hip = (joint(keypoints, keypoint_set, name) for name in ("thorax", "hip"))
    up = thorax[:2] - hip[:2]
    if min(thorax[2], hip[2]) < CONFIDENT or not up.any():
        return 0
    # In the image y points down: upright is (0, -1), lying with the head to the right (1, 0).
    return round(np.degrees(np.arctan2(up[0], -up[1])) / 90) % 4


def unmistakable(values):
    """Only those (R,C) values that beat every other of their row and column by MARGIN; the rest 0."""
    clear = np.array(values, float)
    for (row, column), value in np.ndenumerate(values):
        rivals = np.concatenate([np.delete(values[row], column), np.delete(values[:, column], row)])
        if rivals.size and value < rivals.max() + MARGIN:
            clear[row, column] = 0.0
    return clear
