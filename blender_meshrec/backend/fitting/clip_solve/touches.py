"""Contact between people, kept where the user asks for it: hand in hand, a hand on a shoulder, a hug.

One view shows that a hand is before or behind somebody, and hardly how far. Where a hand of one person stays at a part of another in the
picture, and about as far away, they are taken to touch, and both are drawn to the middle between them. In every phase the middle is a new
one, so that people's equations stay apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ....core.array_types import BoolArray, FloatArray, IntArray
from ....core.contacts import contact_runs
from . import weights
from .body_points import PosedPoints, point_rows
from .equations import Equations
from .residuals import World

# What touches, and the distances of its joints from the skin, m.
HANDS = {"left_hand": 0.03, "right_hand": 0.03}
PARTS = HANDS | {
    "left_elbow": 0.05, "right_elbow": 0.05, "left_shoulder": 0.07, "right_shoulder": 0.07, "neck": 0.07, "head": 0.10, "spine3": 0.13,
    "spine2": 0.12, "spine1": 0.12, "pelvis": 0.13, "left_knee": 0.06, "right_knee": 0.06,
}  # fmt: skip
HAND_ROWS, PART_ROWS = point_rows(tuple(HANDS)), point_rows(tuple(PARTS))
RADII = np.array(list(PARTS.values()))
# Across the line of sight, skins are within this, m, and along it within this; for so long, s, at a relative speed below this, m/s.
NEAR_ACROSS, NEAR_ALONG = 0.06, 0.35
MIN_TIME, MAX_SPEED = 0.25, 0.6


@dataclass(frozen=True)
class Meeting:
    """Where points of a person meet those of others, in the F frames with the person.

    rows: (K,). places: (F,K,3) m, camera axes. weights: (F,K).
    """

    rows: IntArray
    places: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = (points.rows[:, self.rows] - self.places) / weights.TOUCH_SIGMA
        if equations is not None:
            pull = self.weights / weights.TOUCH_SIGMA
            for k, row in enumerate(self.rows):  # one point may meet several
                equations.gradient[:, row] += pull[:, k, None] * residual[:, k]
                equations.within[:, row] += (pull[:, k] / weights.TOUCH_SIGMA)[:, None, None] * np.eye(3)
        return float((self.weights * (residual**2).sum(-1)).sum())


def find_meetings(people: Sequence[PosedPoints], visible: Sequence[BoolArray], times: FloatArray) -> list[list[Meeting]]:
    """The Meetings of each person at a state of the solve.

    Args:
        people: each one's points in the frames with them. visible: (F,) of each. times: (F,) s.
    """
    found: list[list[Meeting]] = [[] for _ in people]
    for one, other in permutations(range(len(people)), 2):
        both = visible[one] & visible[other]
        if both.sum() < 2:
            continue
        mine, theirs = (people[k].rows[both[visible[k]]] for k in (one, other))
        for hand, hand_row in enumerate(HAND_ROWS):
            for part, touching in _parts_at_hand(mine[:, hand_row], theirs[:, PART_ROWS], RADII[hand], times[both]):
                if part < len(HAND_ROWS) and one > other:
                    continue  # two hands meet once
                places = _meeting_places(mine[:, hand_row], theirs[:, PART_ROWS[part]], RADII[hand] + RADII[part])
                for person, row, place in zip((one, other), (hand_row, PART_ROWS[part]), places, strict=True):
                    found[person].append(_meeting(row, place, touching, both[visible[person]]))
    return found


def _parts_at_hand(hand: FloatArray, parts: FloatArray, radius: float, times: FloatArray) -> list[tuple[int, FloatArray]]:
    """The parts of PARTS that a hand touches, and when, weights (F,); hand (F,3) m and parts (F,P,3) m, camera axes; times (F,) s."""
    depth = (hand[:, None, 2] + parts[..., 2]) / 2
    across = np.linalg.norm(hand[:, None, :2] / hand[:, None, 2:] - parts[..., :2] / parts[..., 2:], axis=-1) * depth
    skins = across - radius - RADII
    speed = np.abs(np.gradient(across, times, axis=0)) if len(times) > 1 else np.zeros_like(across)
    near = (skins < NEAR_ACROSS) & (np.abs(hand[:, None, 2] - parts[..., 2]) < NEAR_ALONG + RADII) & (speed < MAX_SPEED)
    nearest = np.where(near, skins, np.inf).argmin(1)
    found: list[tuple[int, FloatArray]] = []
    for part in range(len(RADII)):
        touching = np.zeros(len(times))
        for first, last in contact_runs(near[:, part] & (nearest == part)):
            if times[last - 1] - times[first] >= MIN_TIME:
                touching[first:last] = 1.0
        if touching.any():
            found.append((part, touching))
    return found


def _meeting_places(one: FloatArray, other: FloatArray, distance: float) -> tuple[FloatArray, FloatArray]:
    """Where two points (F,3) m go so that they are at most so far from each other, m: both by the same way."""
    middle, between = (one + other) / 2, one - other
    length = np.linalg.norm(between, axis=-1, keepdims=True)
    half = between * np.minimum(distance / np.maximum(length, 1e-9), 1.0) / 2
    return middle + half, middle - half


def _meeting(row: int, places: FloatArray, touching: FloatArray, is_both: BoolArray) -> Meeting:
    """A Meeting in all frames with a person, of which `is_both` are those with the other too."""
    all_places, all_weights = np.zeros((len(is_both), 1, 3)), np.zeros((len(is_both), 1))
    all_places[is_both, 0], all_weights[is_both, 0] = places, touching
    return Meeting(np.array([row]), all_places, all_weights)
