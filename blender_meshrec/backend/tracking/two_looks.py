"""What two networks report of a person, joined into one set of keypoints.

The errors of both are not quite alike (their correlation is 0.7 on rendered bodies), so that their mean is better than either, and the
second network's confidence tells how far off both are: 3 % of the body's height where it is above 0.5, 9 to 12 % where it is below 0.2.
Between two looks of the second network its keypoints are interpolated, and go along with what all of the detector's do together: that is as
exact as a look at every frame, and trembles less.

Measured by scripts/evaluate/two_networks.py.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.records import Observations
from ...core.skeletons import COCO17, KEYPOINT_SETS
from ..detection.detections import person_box

# The share of the second network's keypoints in the mean: none at the first confidence or below, SECOND_SHARE at the second or above.
SECOND_SHARE, LEAST_CONFIDENCE, FULL_CONFIDENCE = 0.7, 0.05, 0.4
CONFIDENCE_SCALE = 2.0  # of the second network's confidence to the detector's: keypoints that are as far off have half as much of it
# Keypoints that the second network does not have move with the joint that they hang on.
FOLLOWERS = {"ankle": ("heel", "big_toe", "small_toe"), "wrist": ("pinky", "index", "thumb")}
LIMBS = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
SIDES = ("left", "right")
# The second look's sides are exchanged where its limbs then lie closer to the detector's by this, on average, in the person's size.
CLEARLY_CLOSER = 0.01
MAX_DISTANCE = 0.3  # of the person's size, to which a distance counts
LONGEST_BETWEEN = 0.15  # s from a frame to one in which the second network looked


def join_looks(observations: Observations, timestamps: FloatArray | list[float], cuts: Sequence[int] = ()) -> Observations:
    """Observations whose keypoints are those of both networks, with the detector's sides.

    timestamps: (F,) s. cuts: the first rows of all shots but the first, across which nothing is interpolated.
    """
    if observations.second_look is None:
        return observations
    names = KEYPOINT_SETS[observations.keypoint_set].index
    shared = [name for name in COCO17 if name in names]
    first, second = np.array(observations.keypoints, float), np.array(observations.second_look, float)
    sizes = np.maximum((observations.boxes[:, 2:] - observations.boxes[:, :2]).max(1), 1.0).astype(float)
    second = with_sides_of(first, second, sizes, observations.keypoint_set)[:, [COCO17.index(name) for name in shared]]
    own = first[:, [names[name] for name in shared]]
    share = SECOND_SHARE * np.clip((second[..., 2] - LEAST_CONFIDENCE) / (FULL_CONFIDENCE - LEAST_CONFIDENCE), 0, 1)[..., None]
    looked = observations.visible & (second[..., 2] > 0).any(1)
    shots = np.searchsorted(np.asarray(cuts, int), np.arange(len(first)), side="right")
    looks = looks_around(looked, np.asarray(timestamps, float), shots)
    # Between two looks all keypoints may go astray together: the camera shakes, or the person leaps.
    together = np.median(own[..., :2] - looks.mix(own[..., :2]), axis=1)[:, None]
    shift = looks.mix(share * second[..., :2]) - looks.mix(share) * (own[..., :2] - together)
    after_the_last = looks.mix(share * (second[..., :2] - own[..., :2]))
    shift = np.where(looks.is_one_sided[:, None, None], after_the_last, shift) * looks.is_known[:, None, None]
    joined = (own[..., 2] + np.minimum(CONFIDENCE_SCALE * looks.mix(second[..., 2]), 1)) / 2
    confidence = np.where(looks.is_known[:, None], joined, own[..., 2])
    for number, name in enumerate(shared):
        side, _, joint = name.partition("_")
        first[:, names[name], 2] = confidence[:, number]
        for moved in (name, *(f"{side}_{follower}" for follower in FOLLOWERS.get(joint, ()))):
            if moved in names:
                first[:, names[moved], :2] += shift[:, number]
    first *= observations.visible[:, None, None]
    boxes = np.array([person_box(points, observations.keypoint_set) for points in first]) * observations.visible[:, None]
    return replace(observations, keypoints=first, boxes=boxes, second_look=None)


class LooksAround(NamedTuple):
    """Of each frame, (F,): the frames before and after it in which the second network looked, the weight of the one before, whether either
    is near enough, and whether only one is, and not the frame itself."""

    before: IntArray
    after: IntArray
    weight: FloatArray
    is_known: BoolArray
    is_one_sided: BoolArray

    def mix(self, values: FloatArray) -> FloatArray:
        """Values (F,...) of the looks, interpolated in every frame."""
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return weight * values[self.before] + (1 - weight) * values[self.after]


def looks_around(looked: BoolArray, timestamps: FloatArray, shots: IntArray) -> LooksAround:
    """The looks around each frame, in its own shot and up to LONGEST_BETWEEN away.

    Args:
        looked: (F,). timestamps: (F,) s. shots: (F,), the number of each frame's shot.
    """
    rows, frames = np.flatnonzero(looked), np.arange(len(looked))
    if not len(rows):
        return LooksAround(frames, frames, np.ones(len(frames)), looked, looked)
    before = rows[np.maximum(np.searchsorted(rows, frames, side="right") - 1, 0)]
    after = rows[np.minimum(np.searchsorted(rows, frames), len(rows) - 1)]
    gaps = [np.abs(timestamps - timestamps[others]) for others in (before, after)]
    is_near = [(gap <= LONGEST_BETWEEN) & (shots == shots[others]) for gap, others in zip(gaps, (before, after), strict=True)]
    between = np.divide(gaps[1], gaps[0] + gaps[1], out=np.ones(len(frames)), where=gaps[0] + gaps[1] > 0)
    weight = np.where(is_near[0] & is_near[1], between, is_near[0])
    is_one_sided = ~looked & ((is_near[0] != is_near[1]) | (before == after))
    return LooksAround(before, after, weight, is_near[0] | is_near[1], is_one_sided)


def with_sides_of(first: FloatArray, second: FloatArray, sizes: FloatArray, keypoint_set: str) -> FloatArray:
    """The second look (F,17,3) with left and right of arms and legs exchanged where that brings them to the detector's keypoints (F,K,3).

    sizes: (F,) px, the person's.
    """
    names, mended = KEYPOINT_SETS[keypoint_set].index, second.copy()
    for joints in LIMBS:
        straight, exchanged = ([f"{side}_{joint}" for side in sides for joint in joints] for sides in (SIDES, SIDES[::-1]))
        columns, theirs = ([COCO17.index(name) for name in order] for order in (straight, exchanged))
        own = first[:, [names[name] for name in straight], :2]
        far, near = (
            np.minimum(np.linalg.norm(second[:, order, :2] - own, axis=-1) / sizes[:, None], MAX_DISTANCE).mean(1)
            for order in (columns, theirs)
        )
        rows = near < far - CLEARLY_CLOSER
        mended[np.ix_(rows, columns)] = second[np.ix_(rows, theirs)]
    return mended
