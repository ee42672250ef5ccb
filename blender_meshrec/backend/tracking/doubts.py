"""Doubts that somebody who was tracked is a person of their own.

Statues, posters and coats do not move; a mirror image moves as somebody else does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.messages import Message
from ...core.records import Observations
from ...core.skeletons import KEYPOINT_SETS, limb_indices
from ..detection.detections import CONFIDENCE_THRESHOLD, body_size, mirror_permutation

# Shorter tracks, s, do not show whether somebody moves.
MIN_TIME = 2.0
# Keypoints are averaged over this time, s, which leaves little of the detector's noise.
AVERAGING_TIME = 0.4
# A living person's limbs move by at least this in 2 s, as a fraction of the body's size: the standard deviation of the averaged positions,
# of a joint that moves more than most. In public clips it is 0.02 in a plank and 0.05 in a wall sit.
MIN_MOTION, MOTION_QUANTILE = 0.01, 0.9
# A mirror image moves as the person does, mirrored: this is the correlation of what their limbs do, and the least that they must do.
MIN_MIRROR_CORRELATION, MIN_MIRRORED_MOTION = 0.9, 0.03
# So it does all the time, in each of so many parts of it, and at the same instant: two dancers are some frames apart, so that the
# correlation is higher by more than this with one of them moved in time, s.
MIRROR_PARTS, MIN_PART_CORRELATION = 3, 0.8
MAX_DELAY, DELAY_STEP, DELAY_GAIN = 0.3, 0.033, 0.005
# The line about which they are mirrored stays where it is in the picture, to so much of the smaller one's size (standard deviation).
MAX_LINE_MOTION = 0.12


def find_doubts(people: Sequence[Observations], timestamps: FloatArray) -> tuple[tuple[Message, ...], ...]:
    """For each person the reasons for which they may be nobody; a single person is not doubted.

    timestamps: (F,) s.
    """
    if len(people) < 2:
        return ((),) * len(people)
    return tuple((*_stillness(person, timestamps), *_mirrored(number, people, timestamps)) for number, person in enumerate(people))


def _stillness(person: Observations, timestamps: FloatArray) -> tuple[Message, ...]:
    moved = limb_motion(person, timestamps)
    if moved is None or moved >= MIN_MOTION:
        return ()
    text = "Nothing of the body moves: a statue, a poster, or clothes on a stand."
    return (Message("doubt-still", text),)


def limb_motion(person: Observations, timestamps: FloatArray) -> float | None:
    """How much the limbs move in the body's own frame, as a fraction of its size; None if they are seen for too short a time.

    The place and the size of the body in the picture are taken out, so that a camera that moves or zooms does not make a statue move.
    """
    rows = np.flatnonzero(person.visible)
    if len(rows) < 3 or timestamps[rows[-1]] - timestamps[rows[0]] < MIN_TIME:
        return None
    limbs, known = body_poses(person)
    limbs, known = limbs[rows], known[rows]
    times = timestamps[rows]
    blocks = np.floor((times - times[0]) / AVERAGING_TIME).astype(int)
    spreads: list[float] = []
    for joint in range(limbs.shape[1]):
        seen = known[:, joint]
        means = [limbs[seen & (blocks == block), joint].mean(0) for block in np.unique(blocks[seen])]
        if len(means) >= 4:
            spreads.append(float(np.linalg.norm(np.std(means, axis=0))))
    return float(np.quantile(spreads, MOTION_QUANTILE)) if len(spreads) >= 4 else None


def body_poses(person: Observations) -> tuple[FloatArray, BoolArray]:
    """The limb joints (F,12,2) relative to their mean and to the body's median size, left and right in turn, and which are known (F,12)."""
    indices = limb_indices(KEYPOINT_SETS[person.keypoint_set].points)
    limbs = person.keypoints[:, indices].astype(float)
    known: BoolArray = (limbs[..., 2] > CONFIDENCE_THRESHOLD) & person.visible[:, None]
    sizes = np.array([body_size(box) for box in person.boxes[person.visible]])
    size = np.ones(len(person))
    size[person.visible] = sizes
    weight = np.maximum(known.sum(1), 1)[:, None]
    centre = (limbs[..., :2] * known[..., None]).sum(1) / weight
    return (limbs[..., :2] - centre[:, None]) / np.maximum(size, 1e-6)[:, None, None], known


def _mirrored(number: int, people: Sequence[Observations], timestamps: FloatArray) -> tuple[Message, ...]:
    """The doubt that a person is the mirror image of somebody larger."""
    for other, person in enumerate(people):
        if other != number and person.median_area > people[number].median_area and is_mirrored(person, people[number], timestamps):
            text = "It moves as person {person} does, mirrored: a mirror image."
            return (Message("doubt-mirror", text, person=other + 1),)
    return ()


def is_mirrored(person: Observations, image: Observations, timestamps: FloatArray) -> bool:
    """Whether somebody is the image of a person in a mirror: they move alike, at the same instant, about a line that stays in its place."""
    moves = MirroredMoves.of(person, image)
    if moves is None or moves.correlation() <= MIN_MIRROR_CORRELATION:
        return False
    parts = np.array_split(np.flatnonzero(moves.known.any(1)), MIRROR_PARTS)
    if any(moves.spread(rows) >= MIN_MIRRORED_MOTION and moves.correlation(rows) <= MIN_PART_CORRELATION for rows in parts):
        return False
    return abs(moves.delay(timestamps)) <= 1.5 * DELAY_STEP and line_motion(person, image) < MAX_LINE_MOTION


@dataclass(frozen=True)
class MirroredMoves:
    """The limbs (F,12,2) of two people about their means, body sizes, the second one's mirrored; known: (F,12), in both."""

    one: FloatArray
    other: FloatArray
    known: BoolArray

    @classmethod
    def of(cls, person: Observations, image: Observations) -> "MirroredMoves | None":
        """Of a person and what may be their image; None if they do little, or are not seen together."""
        indices = limb_indices(KEYPOINT_SETS[person.keypoint_set].points)
        order = [int(np.flatnonzero(indices == mirror)[0]) for mirror in mirror_permutation(person.keypoint_set)[indices]]
        (a, known_a), (b, known_b) = body_poses(person), body_poses(image)
        b, known_b = b[:, order] * [-1.0, 1.0], known_b[:, order]
        known = known_a & known_b
        if known.sum() < 12 * len(person) / 4:
            return None
        count = np.maximum(known.sum(0), 1)[:, None]
        means = [(poses * known[..., None]).sum(0) / count for poses in (a, b)]
        moves = cls(a - means[0], b - means[1], known)
        return None if moves.spread() < MIN_MIRRORED_MOTION else moves

    def spread(self, rows: IntArray | slice = slice(None)) -> float:
        """How much the one moves who moves less, in some rows."""
        known = self.known[rows]
        return min(float(np.std(values[rows][known])) for values in (self.one, self.other)) if known.any() else 0.0

    def correlation(self, rows: IntArray | slice = slice(None), other: FloatArray | None = None) -> float:
        """The correlation in some rows; other: (F,12,2) instead of the second one's."""
        known = self.known[rows]
        a, b = self.one[rows][known].ravel(), (self.other if other is None else other)[rows][known].ravel()
        spread = np.std(a) * np.std(b)
        return float(np.mean(a * b) / spread) if spread > 0 else 0.0

    def delay(self, timestamps: FloatArray) -> float:
        """By how much, s, the second one is later than the first; 0 unless that is clearly better."""
        times, flat = np.asarray(timestamps, float), self.other.reshape(len(self.other), -1)
        seen = self.known.any(1)
        best, delay = self.correlation() + DELAY_GAIN, 0.0
        for late in np.arange(-MAX_DELAY, MAX_DELAY + DELAY_STEP / 2, DELAY_STEP):
            moved = np.stack([np.interp(times + late, times[seen], column) for column in flat[seen].T], -1)
            correlation = self.correlation(other=moved.reshape(self.other.shape))
            if correlation > best:
                best, delay = correlation, float(late)
        return delay


def line_motion(person: Observations, image: Observations) -> float:
    """How much the upright line moves in the picture from which two people are as far away as they are large; sizes of the smaller."""
    both = person.visible & image.visible
    middles = [(seen.boxes[both, 0] + seen.boxes[both, 2]) / 2 for seen in (person, image)]
    sizes = [float(np.median([body_size(box) for box in seen.boxes[both]])) for seen in (person, image)]
    line = (middles[0] / sizes[0] + middles[1] / sizes[1]) / (1 / sizes[0] + 1 / sizes[1])
    return float(np.std(line) / max(min(sizes), 1e-6))
