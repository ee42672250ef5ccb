"""A keypoint belongs to one person: where two people's joints coincide, and where one person hides another.

A detector that looks at one person is easily drawn to a hand of another, and guesses the joints that somebody in front hides. Both come
with a confidence that only a whole frame, and the frames around it, can put right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.records import Observations
from ...core.skeletons import KEYPOINT_SETS, LIMB_JOINTS
from ...core.time_series import interpolate_over_time
from ..detection.detections import CONFIDENCE_THRESHOLD, body_size

# Joints of one kind of two people coincide within this, body sizes.
COINCIDENT = 0.07
NEARLY = 0.05  # of a box's height: boxes that are nearer to each other may share a hand
# A joint that is this much farther from where its person's motion has it than the other's is not its person's, body sizes; and a person
# who may be touching has it within this.
CLEARLY_FARTHER, EXPECTED = 0.12, 0.15
STOLEN_CONFIDENCE = 0.05  # of a keypoint that is somebody else's: it does not count
HIDDEN_CONFIDENCE = 0.25  # at most, of a joint behind somebody else: the lifter takes it for missing, the solve hardly counts it
# Somebody stands in front if their feet are this much lower in the picture, body sizes.
IN_FRONT = 0.08
# A landmark network fits a whole body into what somebody in front leaves of it: if that is shorter than this share of the person's own
# length in the picture in the frames apart, all joints are wrong, by a quarter of a limb's length in the middle (the rendered people of
# docs/people.md; those who are seen keep 0.87 at least).
SQUEEZED = 0.86
BETWEEN_APART = 3.0  # s at most between the frames apart: until then, people who walk away shrink nearly evenly
# Radii of trunk and limbs, in body sizes: half of what they are, since a silhouette's rim is not certain.
TRUNK_RADIUS, LIMB_RADIUS = 0.09, 0.045
LIMBS = (
    *((f"{side}_{a}", f"{side}_{b}", LIMB_RADIUS) for side in ("left", "right") for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))),
    *((f"{side}_shoulder", f"{side}_hip", TRUNK_RADIUS) for side in ("left", "right")),
    ("left_shoulder", "right_hip", TRUNK_RADIUS), ("right_shoulder", "left_hip", TRUNK_RADIUS),
)  # fmt: skip
# The points that follow a joint: if a wrist is somebody else's, so is the hand.
FOLLOWERS = {"wrist": ("pinky", "index", "thumb"), "ankle": ("heel", "big_toe", "small_toe", "foot_index")}


def give_keypoints_to_owners(people: Sequence[Observations], timestamps: Sequence[float] | FloatArray) -> tuple[Observations, ...]:
    """Observations whose keypoints have little confidence where they are another person's, or behind another person."""
    if len(people) < 2:
        return tuple(people)
    times, confidence = np.asarray(timestamps, float), [np.array(person.keypoints[..., 2]) for person in people]
    for one, other in permutations(range(len(people)), 2):
        rows = _rows_together(people[one], people[other])
        if not len(rows):
            continue
        mine, theirs = _Limbs.of(people[one], times), _Limbs.of(people[other], times)
        _take_stolen(confidence[one], mine, theirs, rows)
        behind, apart = _rows_behind(mine, theirs, rows), mine.visible.copy()
        apart[rows] = False
        _lower_hidden(confidence[one], mine, theirs, behind)
        _lower_squeezed(confidence[one], mine, behind, apart)
    return tuple(
        replace(person, keypoints=np.concatenate([person.keypoints[..., :2], own[..., None]], -1).astype(person.keypoints.dtype))
        for person, own in zip(people, confidence, strict=True)
    )


@dataclass(frozen=True)
class _Limbs:
    """The limb joints of one person: points (F,12,3) px and confidence; sizes (F,) px; expected (F,12,2) px, by the frames around; columns:
    the keypoint of each joint, and followers: the keypoints that follow it. visible: (F,)."""

    points: FloatArray
    sizes: FloatArray
    visible: BoolArray
    columns: IntArray
    followers: list[list[int]]
    times: FloatArray

    @classmethod
    def of(cls, person: Observations, times: FloatArray) -> "_Limbs":
        index = KEYPOINT_SETS[person.keypoint_set].index
        columns = np.array([index[name] for name in LIMB_JOINTS])
        followers: list[list[int]] = []
        for name in LIMB_JOINTS:
            side, joint = name.split("_")
            followers.append([index[f"{side}_{point}"] for point in FOLLOWERS.get(joint, ()) if f"{side}_{point}" in index])
        sizes = np.array([body_size(box) for box in person.boxes])
        return cls(person.keypoints[:, columns].astype(float), sizes, np.asarray(person.visible, bool), columns, followers, times)

    def expected(self, joint: int, doubtful: BoolArray) -> FloatArray:
        """Where a joint is by the frames around those that are doubtful (F,), relative to the trunk: (F,2) px."""
        known = self.visible & ~doubtful & (self.points[:, joint, 2] > CONFIDENCE_THRESHOLD)
        trunk = self.points[:, _TRUNK, :2].mean(1)
        if not known.any():
            return np.full((len(trunk), 2), np.nan)
        return trunk + interpolate_over_time(self.times, self.times[known], self.points[known, joint, :2] - trunk[known])

    def lengths(self) -> FloatArray:
        """The lengths (F,) px of all limbs and the sides of the trunk in the picture, added up."""
        return np.sum([np.linalg.norm(self.points[:, a, :2] - self.points[:, b, :2], axis=-1) for a, b, _radius in _OUTLINE], axis=0)

    def lower(self, confidence: FloatArray, rows: IntArray, joint: int, limit: float) -> None:
        """Limit the confidence (F,K) of a joint, and of what follows it, in some rows."""
        for column in (self.columns[joint], *self.followers[joint]):
            confidence[rows, column] = np.minimum(confidence[rows, column], limit)


_TRUNK = [LIMB_JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("shoulder", "hip")]
_FEET = [LIMB_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
_ENDS = [number for number, name in enumerate(LIMB_JOINTS) if name.split("_")[1] in ("elbow", "wrist", "knee", "ankle")]
_SEGMENTS = [(LIMB_JOINTS.index(a), LIMB_JOINTS.index(b), radius) for a, b, radius in LIMBS]
_OUTLINE = _SEGMENTS[:-2]  # without the diagonals of the trunk


def _rows_together(one: Observations, other: Observations) -> IntArray:
    """The rows in which the boxes of two people meet, or nearly."""
    both = np.flatnonzero(one.visible & other.visible)
    grown = [
        person.boxes[both] + NEARLY * np.array([[-1, -1, 1, 1]]) * np.ptp(person.boxes[both, 1::2], axis=1)[:, None]
        for person in (one, other)
    ]
    meet = (grown[0][:, :2] < grown[1][:, 2:]).all(1) & (grown[1][:, :2] < grown[0][:, 2:]).all(1)
    return both[meet]


def _take_stolen(confidence: FloatArray, mine: _Limbs, theirs: _Limbs, rows: IntArray) -> None:
    """Lower the confidence (F,K) of joints that coincide with another's of the same kind, and fit the other's motion better, in place."""
    together = np.zeros(len(mine.visible), bool)
    together[rows] = True
    size = np.minimum(mine.sizes, theirs.sizes)
    for joint in _ENDS:
        kind = LIMB_JOINTS[joint].split("_")[1]
        for rival in (number for number in _ENDS if LIMB_JOINTS[number].endswith(kind)):
            apart = np.linalg.norm(mine.points[:, joint, :2] - theirs.points[:, rival, :2], axis=-1)
            coincide = together & (apart < COINCIDENT * size)
            if not coincide.any():
                continue
            off, rival_off = (
                np.linalg.norm(limbs.points[:, number, :2] - limbs.expected(number, coincide), axis=-1) / size
                for limbs, number in ((mine, joint), (theirs, rival))
            )
            # Where both expect it there, they touch, or pass each other.
            with np.errstate(invalid="ignore"):
                stolen = coincide & (off > EXPECTED) & (off > rival_off + CLEARLY_FARTHER)
                unsure = coincide & np.isnan(off) & (mine.points[:, joint, 2] < theirs.points[:, rival, 2])
            mine.lower(confidence, np.flatnonzero(stolen | unsure), joint, STOLEN_CONFIDENCE)


def _rows_behind(mine: _Limbs, theirs: _Limbs, rows: IntArray) -> IntArray:
    """Those of some rows in which the other stands in front: their feet are seen lower in the picture."""
    own, other = mine.points[rows][:, _FEET], theirs.points[rows][:, _FEET]
    lowest = np.where(other[..., 2] > CONFIDENCE_THRESHOLD, other[..., 1], -np.inf).max(1)
    return rows[lowest > own[..., 1].max(1) + IN_FRONT * theirs.sizes[rows]]


def _lower_hidden(confidence: FloatArray, mine: _Limbs, theirs: _Limbs, rows: IntArray) -> None:
    """Limit the confidence (F,K) of joints that lie within the figure of somebody in front in some rows, in place."""
    for joint in range(len(LIMB_JOINTS)):
        inside = _is_inside(mine.points[rows, joint, :2], theirs.points[rows], theirs.sizes[rows])
        mine.lower(confidence, rows[inside], joint, HIDDEN_CONFIDENCE)


def _lower_squeezed(confidence: FloatArray, mine: _Limbs, rows: IntArray, apart: BoolArray) -> None:
    """Lower the confidence (F,K) of all keypoints in the rows behind somebody who leaves so little of a body that its skeleton is squeezed.

    apart: (F,), the rows in which nobody is near.
    """
    if not apart.any() or not len(rows):
        return
    lengths, times = mine.lengths(), mine.times[apart]
    after = np.searchsorted(times, mine.times[rows])
    padded = np.concatenate([[-np.inf], times, [np.inf]])
    is_between = padded[after + 1] - padded[after] <= BETWEEN_APART
    own = np.interp(mine.times[rows], times, lengths[apart])
    squeezed = rows[is_between & (lengths[rows] < SQUEEZED * own)]
    confidence[squeezed] = np.minimum(confidence[squeezed], STOLEN_CONFIDENCE)


def _is_inside(points: FloatArray, figure: FloatArray, sizes: FloatArray) -> BoolArray:
    """Whether points (N,2) px lie within a figure's limbs (N,12,3) px and confidence; sizes (N,) px of it."""
    inside = np.zeros(len(points), bool)
    for start, end, radius in _SEGMENTS:
        a, b = figure[:, start, :2], figure[:, end, :2]
        along = b - a
        share = np.clip(((points - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
        near = np.linalg.norm(points - a - share[:, None] * along, axis=-1) < radius * sizes
        inside |= near & (figure[:, [start, end], 2].min(1) > CONFIDENCE_THRESHOLD)
    return inside
