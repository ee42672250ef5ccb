"""Decide which joints of a chain are hip, knee and ankle, or shoulder, elbow and wrist.

Every choice of three joints is scored by how far its bends and proportions are from those of a limb; the choice with the lowest
cost is taken. A cost of 1 is a deviation of one width, as given at each term.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from .bone_tree import BoneTree
from .limbs import ARM, LEG

# The cost of a limb that ends with its shin or forearm, as most have feet and hands, and of every joint that would be left over.
_MISSING_END_COST, _LEFTOVER_JOINT_COST = 2.0, 4.0
_WRIST_OFF_HAND_COST = 6.0  # for every joint between the wrist and where the fingers fan out
_FIT_PER_COST = 0.08  # fit = exp(-_FIT_PER_COST * cost)
_BEND_WIDTH = 15.0  # degrees
_MAX_JOINTS_BEFORE_ARM = 3


@dataclass(frozen=True)
class LegFit:
    """The numbers of the joints along a chain at which the parts of a leg begin, None for parts it lacks. fit: 0..1."""

    upper_leg: int
    lower_leg: int
    foot: int | None
    toes: int | None
    fit: float

    def part_starts(self) -> dict[str, int]:
        """Part -> number of its first joint, in the order of the chain."""
        return _part_starts(LEG, (self.upper_leg, self.lower_leg, self.foot, self.toes))


@dataclass(frozen=True)
class ArmFit:
    """The same for an arm. length: of upper arm and forearm together, in the unit of the joints."""

    clavicle: int | None
    upper_arm: int
    lower_arm: int
    hand: int | None
    length: float
    fit: float

    def part_starts(self) -> dict[str, int]:
        """Part -> number of its first joint, in the order of the chain."""
        return _part_starts(ARM, (self.clavicle, self.upper_arm, self.lower_arm, self.hand))


def _part_starts(parts: tuple[str, ...], joints: tuple[int | None, ...]) -> dict[str, int]:
    return {part: joint for part, joint in zip(parts, joints, strict=True) if joint is not None}


# --- cost terms ----------------------------------------------------------------------------------------------------------


def _log_ratio_cost(value: float, expected: float, width: float) -> float:
    return ((np.log(max(value, 1e-6)) - np.log(expected)) / width) ** 2


def _excess_cost(excess: float, width: float) -> float:
    """The cost of exceeding a limit by `excess`; 0 within the limit."""
    return (max(0.0, excess) / width) ** 2


def _bend_cost(points: FloatArray) -> float:
    """The cost of the largest bend inside a part of the chain: a long bone that is split in several is straight."""
    steps, whole = np.diff(points, axis=0), points[-1] - points[0]
    lengths = np.linalg.norm(steps, axis=1) * np.linalg.norm(whole)
    cosines = np.divide(steps @ whole, lengths, out=np.ones(len(steps)), where=lengths > 0)
    return float((np.arccos(np.clip(cosines.min(), -1, 1)) / np.radians(_BEND_WIDTH)) ** 2)


# --- legs ----------------------------------------------------------------------------------------------------------------


def fit_leg(points: FloatArray, up: FloatArray) -> LegFit | None:
    """Find hip, knee, ankle and ball of the foot along a chain of joints.

    Args:
        points: (2,N,3) the joints of two mirrored legs, in any unit. up: (3,) unit.

    Returns:
        None if no choice of joints is possible.
    """
    chain = _LegChain(points, up)
    count = chain.num_joints
    best: tuple[float, int, int, int] | None = None
    for hip, knee in combinations(range(count), 2):
        if chain.length(hip, knee) <= 0 or chain.height(hip) <= 0:
            continue
        thigh_cost = chain.thigh_cost(hip, knee)
        for ankle in range(knee + 1, count + 1):
            if ankle < count and chain.length(knee, ankle) <= 0:
                continue
            cost = thigh_cost + chain.shin_cost(hip, knee, ankle) + chain.foot_cost(ankle) + chain.connection_cost(hip, knee, ankle)
            if best is None or cost < best[0]:
                best = (cost, hip, knee, ankle)
    if best is None:
        return None
    cost, hip, knee, ankle = best
    foot, toes = (joint if joint < count else None for joint in (ankle, ankle + 1))
    return LegFit(hip, knee, foot, toes, float(np.exp(-_FIT_PER_COST * cost)))


class _LegChain:
    """The joints of a possible leg with the costs of taking them for hip, knee and ankle.

    Joints are numbered from the body on; an ankle of `num_joints` means that the chain ends with the shin.
    """

    def __init__(self, points: FloatArray, up: FloatArray) -> None:
        self.points, self.up = points[0], up
        self.num_joints = points.shape[1]
        heights = points.mean(0) @ up  # of a leg midway between the two
        self.heights = heights - heights.min()
        self.steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self.total_length = self.steps.sum() or 1.0
        self.widths = np.linalg.norm(points[0] - points[1], axis=1)  # between the two legs

    def height(self, joint: int) -> float:
        """Height above the lowest joint."""
        return float(self.heights[joint])

    def length(self, joint: int, other: int) -> float:
        """Distance between two joints."""
        return float(np.linalg.norm(self.points[other] - self.points[joint]))

    def _upward_cosine(self, joint: int, other: int) -> float:
        """1 if the chain goes straight up from one joint to the other, -1 if straight down."""
        return float(unit_vector(self.points[other] - self.points[joint]) @ self.up)

    def _shin_length(self, hip: int, knee: int, ankle: int) -> float:
        """Length of the shin; that of the thigh if the chain ends with the shin."""
        return self.length(hip, knee) if ankle == self.num_joints else self.length(knee, ankle)

    def thigh_cost(self, hip: int, knee: int) -> float:
        """A thigh is straight, points down and does not begin on the midline of the body."""
        cost = _bend_cost(self.points[hip : knee + 1])
        cost += _excess_cost(0.8 + self._upward_cosine(hip, knee), 0.2)
        cost += 2.0 * float(self.widths[hip] < 0.3 * self.widths[knee])
        return cost

    def shin_cost(self, hip: int, knee: int, ankle: int) -> float:
        """A shin is straight, about as long as the thigh, points down, ends near the floor, and leaves little of the leg over."""
        if ankle == self.num_joints:
            return _MISSING_END_COST + _LEFTOVER_JOINT_COST * (ankle - 1 - knee)
        thigh_length, shin_length = self.length(hip, knee), self.length(knee, ankle)
        cost = _bend_cost(self.points[knee : ankle + 1]) + _log_ratio_cost(thigh_length / shin_length, 1.05, 0.3)
        cost += _excess_cost(self.height(ankle) / self.height(hip) - 0.09, 0.12)
        cost += _excess_cost(0.5 - (thigh_length + shin_length) / self.total_length, 0.1)
        cost += _excess_cost(0.9 + self._upward_cosine(knee, ankle), 0.15)
        return cost

    def foot_cost(self, ankle: int) -> float:
        """A foot points forward, less down than a shin."""
        if ankle + 1 >= self.num_joints:
            return 0.0
        return 2 * max(0.0, -self._upward_cosine(ankle, ankle + 1) - 0.75) / 0.25

    def connection_cost(self, hip: int, knee: int, ankle: int) -> float:
        """Bones before the hip joint connect it with the midline: they are short unless they widen toward the hip."""
        if self.widths[0] <= 0.6 * self.widths[hip]:
            return 0.0
        leg_length = self.length(hip, knee) + self._shin_length(hip, knee, ankle)
        return float((self.steps[:hip].sum() / leg_length / 0.25) ** 2)


# --- arms ----------------------------------------------------------------------------------------------------------------


def fit_arm(tree: BoneTree, chains: tuple[list[int], list[int]], points: FloatArray) -> ArmFit | None:
    """Find shoulder, elbow and wrist along a chain of joints; a joint before the shoulder is the clavicle.

    Args:
        chains: the bones of two mirrored arms. points: (2,N,3) their joints, in any unit.

    Returns:
        None if no choice of joints is possible.
    """
    chain = _ArmChain(points, _find_hand(tree, chains[0]))
    count = chain.num_joints
    best: tuple[float, int, int, int] | None = None
    for shoulder, elbow in combinations(range(count), 2):
        if shoulder > _MAX_JOINTS_BEFORE_ARM:
            break
        for wrist in range(elbow + 1, count + 1):
            if min(chain.lengths(shoulder, elbow, wrist)[1:3]) <= 0:
                continue
            cost = chain.cost(shoulder, elbow, wrist)
            if best is None or cost < best[0]:
                best = (cost, shoulder, elbow, wrist)
    if best is None:
        return None
    cost, shoulder, elbow, wrist = best
    _, upper, lower, _ = chain.lengths(shoulder, elbow, wrist)
    return ArmFit(
        clavicle=shoulder - 1 if shoulder else None,
        upper_arm=shoulder,
        lower_arm=elbow,
        hand=wrist if wrist < count else None,
        length=upper + lower,
        fit=float(np.exp(-_FIT_PER_COST * cost)),
    )


def _find_hand(tree: BoneTree, chain: list[int]) -> int | None:
    """The first joint that may be a wrist and from which at least three chains go on, as fingers do; None if there is none."""
    for joint, bone in enumerate(chain):
        num_chains = sum(tree.subtree_sizes[child] >= 2 for child in tree.children[bone])
        if joint >= 2 and num_chains >= 3:
            return joint
    return None


class _ArmChain:
    """The joints of a possible arm with the cost of taking three of them for shoulder, elbow and wrist.

    A wrist of `num_joints` means that the chain ends with the forearm. hand: the joint where fingers fan out, if any.
    """

    def __init__(self, points: FloatArray, hand: int | None) -> None:
        self.points, self.hand = points[0], hand
        self.num_joints = points.shape[1]
        self.steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self.root_width = float(np.linalg.norm(points[0, 0] - points[1, 0]))  # between the first joints of the two arms

    def lengths(self, shoulder: int, elbow: int, wrist: int) -> tuple[float, float, float, float]:
        """Lengths along the chain: before the shoulder, upper arm, forearm, after the wrist."""
        before, upper, lower, after = (float(steps.sum()) for steps in np.split(self.steps, (shoulder, elbow, wrist)))
        return before, upper, upper if wrist == self.num_joints else lower, after

    def cost(self, shoulder: int, elbow: int, wrist: int) -> float:
        """An arm has straight bones of common proportions, begins at the side of the body and ends where the fingers begin."""
        before, upper, lower, _ = self.lengths(shoulder, elbow, wrist)
        cost = _bend_cost(self.points[shoulder : elbow + 1]) + self._forearm_cost(shoulder, elbow, wrist)
        cost += _excess_cost(before / (upper + lower) - 0.3, 0.12)
        if shoulder == 0:
            cost += _excess_cost(0.35 - self.root_width / (upper + lower), 0.12)
        if self.hand is not None:
            cost += _WRIST_OFF_HAND_COST * abs(wrist - self.hand)
        return cost

    def _forearm_cost(self, shoulder: int, elbow: int, wrist: int) -> float:
        """A forearm is straight, nearly as long as the upper arm, and longer than the hand, which has some length itself."""
        if wrist == self.num_joints:
            return _MISSING_END_COST + _LEFTOVER_JOINT_COST * (wrist - 1 - elbow)
        _, upper, lower, after = self.lengths(shoulder, elbow, wrist)
        cost = _bend_cost(self.points[elbow : wrist + 1]) + _log_ratio_cost(upper / lower, 1.1, 0.25)
        cost += _excess_cost(after / lower - 0.8, 0.25)
        if wrist + 1 < self.num_joints:
            cost += _excess_cost(0.22 - after / lower, 0.15)
        return cost
