"""One tracked person: where they were last seen, and where they are expected to be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from ..detection.detections import Detection, body_size, person_box, torso_centre

# A person who is out of view is looked for near their predicted position for at least this long, s, and this many frames.
MIN_COAST_TIME, MIN_COAST_FRAMES = 1.0, 3
# Time constant, s, with which the predicted velocity of a person out of view decays.
VELOCITY_DECAY = 0.4
# Time constant, s, with which the expected box shrinks from an earlier, larger size: a person who crouches stands up again.
SIZE_DECAY = 1.5


class Candidate(NamedTuple):
    """A detection that no track has taken yet, its box (4,) px and its torso's centre (2,) px."""

    detection: Detection
    box: FloatArray
    torso_centre: FloatArray

    @classmethod
    def from_detection(cls, detection: Detection, keypoint_set: str) -> "Candidate":
        """The Candidate of a detection."""
        keypoints = detection.keypoints
        return cls(detection, person_box(keypoints, keypoint_set), torso_centre(keypoints, keypoint_set))


@dataclass(eq=False)
class Track:
    """The detections of one person, and their state when last seen.

    rows, times, candidates: frames of the detections, their times in s, and what was detected; isolated: whether nobody else was so close
    that their clothes may be in the appearance. box (4,) px, torso_centre (2,) px, time s: of the last detection. velocity (2,) px/s, size
    px and extent (2,) px (width and height of the box): smoothed. appearance: smoothed, None while unknown.
    """

    rows: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    isolated: list[bool] = field(default_factory=list)
    box: FloatArray = field(default_factory=lambda: np.zeros(4))
    torso_centre: FloatArray = field(default_factory=lambda: np.zeros(2))
    time: float = 0.0
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))
    appearance: FloatArray | None = None
    extent: FloatArray = field(default_factory=lambda: np.zeros(2))
    size: float = 0.0

    def add(self, row: int, time: float, candidate: Candidate, is_isolated: bool = True) -> None:
        """Append a detection. is_isolated: nobody else is so close that their clothes may be in the appearance."""
        detection, box, torso_centre = candidate
        extent = box[2:] - box[:2]
        if self.rows:
            gap = max(time - self.time, 1e-3)
            velocity = (torso_centre - self.torso_centre) / gap
            self.velocity = 0.5 * self.velocity + 0.5 * velocity if gap < MIN_COAST_TIME else np.zeros(2)
            self.extent = np.maximum(extent, self.extent * np.exp(-gap / SIZE_DECAY))
            self.size = 0.7 * self.size + 0.3 * body_size(box)
        else:
            self.extent, self.size = extent, body_size(box)
        if detection.appearance is not None and (is_isolated or self.appearance is None):
            self.appearance = detection.appearance if self.appearance is None else 0.9 * self.appearance + 0.1 * detection.appearance
        self.rows.append(row)
        self.times.append(time)
        self.candidates.append(candidate)
        self.isolated.append(is_isolated)
        self.box, self.torso_centre, self.time = box, torso_centre, time

    @classmethod
    def joined(cls, tracks: Sequence["Track"]) -> "Track":
        """The detections of several tracks, one after another. Where the person is expected is not known of it."""
        whole = cls()
        for track in tracks:
            whole.rows += track.rows
            whole.times += track.times
            whole.candidates += track.candidates
            whole.isolated += track.isolated
        return whole

    def part(self, indices: Sequence[int]) -> "Track":
        """Some of the detections, in order. Where the person is expected is not known of it."""
        rows, times = [self.rows[index] for index in indices], [self.times[index] for index in indices]
        return Track(rows, times, [self.candidates[index] for index in indices], [self.isolated[index] for index in indices])

    @property
    def detections(self) -> list[Detection]:
        """The detections, in order."""
        return [candidate.detection for candidate in self.candidates]

    def gap(self, time: float) -> float:
        """Seconds since the last detection, at least 0."""
        return max(0.0, time - self.time)

    def predicted_shift(self, time: float) -> FloatArray:
        """The predicted movement since the last detection, (2,) px."""
        return self.velocity * VELOCITY_DECAY * (1 - np.exp(-self.gap(time) / VELOCITY_DECAY))

    def deviation(self, time: float, position: FloatArray) -> float:
        """Distance of a position (2,) px from the predicted or the last torso centre, whichever is nearer, in body sizes."""
        offset = position - self.torso_centre
        return float(min(np.linalg.norm(offset), np.linalg.norm(offset - self.predicted_shift(time))) / self.size)

    def expected_box(self, time: float) -> FloatArray:
        """Where to look for the person, (4,) px: up to 1.5 times larger the longer they are out of view."""
        half = self.extent / 2 * (1 + 0.5 * min(self.gap(time), 1.0))
        centre = (self.box[:2] + self.box[2:]) / 2 + self.predicted_shift(time)
        return np.concatenate([centre - half, centre + half])

    def expected_keypoints(self, time: float) -> FloatArray:
        """The last keypoints (K,3) moved by the predicted shift."""
        keypoints = self.candidates[-1].detection.keypoints.copy()
        keypoints[:, :2] += self.predicted_shift(time)
        return keypoints
