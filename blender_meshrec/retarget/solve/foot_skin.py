"""The skin of a rig's feet: what really touches the floor, where shoes are longer than the bones in them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import FloatArray
from ..rig import SIDES
from .forward_kinematics import Pose
from .rest_pose import RestPose
from .root_placement import leg_length
from .stance import Foot, Stance

# Skin that reaches so far beyond the heel or the tip that bones show, or that is so long, as fractions of the leg, is a big shoe. The
# skin of people's feet, and of characters of usual proportions, reaches 0.08 beyond them and is 0.5 long at most.
BIG_SHOE_OVERHANG, BIG_SHOE_LENGTH = 0.1, 0.55
# Skin up to this height over the floor, as a fraction of the leg, is the sole.
_SOLE_HEIGHT = 0.05
# The skin is kept as its farthest points in this many directions.
_NUM_DIRECTIONS = 96


@dataclass(frozen=True)
class FootSkin:
    """The skin of one foot at rest. points: (N,3) m in the world. toe_weights: (N,) 0..1, how much each follows the toes."""

    points: FloatArray
    toe_weights: FloatArray


@dataclass(frozen=True)
class Sole:
    """The skin of a foot in a RestPose's axes, thinned out: points (N,3) m, toe_weights (N,), and the rows of heel and tip."""

    points: FloatArray
    toe_weights: FloatArray
    heel: int
    tip: int

    def positions(self, pose: Pose, foot: Foot) -> FloatArray:
        """The points (F,N,3) m of a posed rig."""
        by_foot = _rigid_positions(pose, foot.bone, self.points)
        if foot.toes is None:
            return by_foot
        return by_foot + self.toe_weights[:, None] * (_rigid_positions(pose, foot.toes, self.points) - by_foot)


def find_soles(rest: RestPose, stance: Stance, skins: Mapping[str, FootSkin]) -> dict[str, Sole]:
    """The soles of both feet, by side; empty if a foot or its skin is missing."""
    leg = leg_length(rest)
    soles = {side: _find_sole(rest, stance, stance.feet[side], skins[side], leg) for side in SIDES if side in stance.feet and side in skins}
    return {side: sole for side, sole in soles.items() if sole is not None} if None not in soles.values() and len(soles) == 2 else {}


def fit_stance_to_soles(rest: RestPose, stance: Stance, soles: Mapping[str, Sole]) -> tuple[Stance, dict[str, Sole]]:
    """Move heels and tips to those of the skin where the shoes are big.

    Returns:
        The stance, and the soles of big shoes, by side, which have to be kept above the floor.
    """
    leg = leg_length(rest)
    feet = dict(stance.feet)
    big: dict[str, Sole] = {}
    for side, sole in soles.items():
        foot = stance.feet[side]
        heel, tip = (_on_floor(sole.points[row], rest, stance.floor) for row in (sole.heel, sole.tip))
        forward = _forward(foot)
        overhang = max((foot.heel - heel) @ forward, (tip - foot.tip) @ forward)
        if overhang > BIG_SHOE_OVERHANG * leg or (tip - heel) @ forward > BIG_SHOE_LENGTH * leg:
            middle = foot.ankle - (foot.ankle @ forward) * forward  # heels and tips lie in the foot's own vertical plane
            heel, tip = (_on_floor(middle + (point @ forward) * forward, rest, stance.floor) for point in (heel, tip))
            feet[side] = replace(foot, heel=heel, tip=tip, ball=foot.ball if foot.toes is not None else tip)
            big[side] = sole
    return replace(stance, feet=feet), big


def _find_sole(rest: RestPose, stance: Stance, foot: Foot, skin: FootSkin, leg: float) -> Sole | None:
    points = (skin.points - rest.origin) @ np.linalg.inv(rest.stretch).T
    low = np.flatnonzero(points @ rest.axes[:, 2] - stance.floor < _SOLE_HEIGHT * leg)
    if not len(low):
        return None
    along = points[low] @ _forward(foot)
    heel, tip = low[along.argmin()], low[along.argmax()]
    kept = np.unique([heel, tip, *_extreme_rows(points, skin.toe_weights)])
    return Sole(points[kept], skin.toe_weights[kept], int(np.searchsorted(kept, heel)), int(np.searchsorted(kept, tip)))


def _extreme_rows(points: FloatArray, toe_weights: FloatArray) -> list[int]:
    """The rows of points (N,3) that are farthest in many directions, of those that follow the foot and of those that follow the toes."""
    directions = np.random.default_rng(0).normal(size=(_NUM_DIRECTIONS, 3))
    rows: list[int] = []
    for group in (np.flatnonzero(toe_weights < 0.5), np.flatnonzero(toe_weights >= 0.5)):
        if len(group):
            rows += group[(points[group] @ directions.T).argmax(0)].tolist()
    return rows


def _forward(foot: Foot) -> FloatArray:
    return foot.forward / max(float(np.linalg.norm(foot.forward)), 1e-9)


def _on_floor(point: FloatArray, rest: RestPose, floor: float) -> FloatArray:
    up = rest.axes[:, 2]
    return point - (point @ up - floor) * up


def _rigid_positions(pose: Pose, bone: int, points: FloatArray) -> FloatArray:
    """Positions (F,N,3) m of points (N,3) that are fixed to a bone."""
    local = (points - pose.rest.heads[bone]) @ pose.rest.rotations[bone]
    return pose.heads[bone][:, None] + np.einsum("fij,nj->fni", pose.rotations[bone], local)
