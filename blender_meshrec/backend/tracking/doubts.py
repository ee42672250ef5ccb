"""Doubts that somebody who was tracked is a person of their own.

Statues, posters and coats do not move; a mirror image moves as somebody else does.
"""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import BoolArray, FloatArray
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


def find_doubts(people: Sequence[Observations], timestamps: FloatArray) -> tuple[tuple[Message, ...], ...]:
    """For each person the reasons for which they may be nobody; a single person is not doubted.

    timestamps: (F,) s.
    """
    if len(people) < 2:
        return ((),) * len(people)
    return tuple((*_stillness(person, timestamps), *_mirrored(number, people)) for number, person in enumerate(people))


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


def _mirrored(number: int, people: Sequence[Observations]) -> tuple[Message, ...]:
    """The doubt that a person is the mirror image of somebody larger."""
    for other, person in enumerate(people):
        if (
            other != number
            and person.median_area > people[number].median_area
            and mirror_correlation(person, people[number]) > (MIN_MIRROR_CORRELATION)
        ):
            text = "It moves as person {person} does, mirrored: a mirror image."
            return (Message("doubt-mirror", text, person=other + 1),)
    return ()


def mirror_correlation(person: Observations, image: Observations) -> float:
    """The correlation of what two people's limbs do over time if one of them is mirrored; 0 if they do little, or are not seen together."""
    indices = limb_indices(KEYPOINT_SETS[person.keypoint_set].points)
    order = [int(np.flatnonzero(indices == mirror)[0]) for mirror in mirror_permutation(person.keypoint_set)[indices]]
    (a, known_a), (b, known_b) = body_poses(person), body_poses(image)
    b, known_b = b[:, order] * [-1.0, 1.0], known_b[:, order]
    known = known_a & known_b
    if known.sum() < 12 * len(person) / 4:
        return 0.0
    moves: list[FloatArray] = []
    for poses in (a, b):
        values = np.where(known[..., None], poses, np.nan)
        moves.append((values - np.nanmean(values, axis=0))[known].ravel())
    spread = np.std(moves, axis=1)
    if spread.min() < MIN_MIRRORED_MOTION:
        return 0.0
    return float(np.mean(moves[0] * moves[1]) / spread.prod())
