"""The skin of a rig's feet: what really touches the floor, since bones do not show where shoes end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import FloatArray
from ...core.rotations import rotmat_from_rotvec
from ..rig import SIDES
from .forward_kinematics import Pose
from .rest_pose import RestPose
from .root_placement import leg_length
from .stance import Foot, Stance

# Skin up to this height over the floor, as a fraction of the leg, is the sole.
_SOLE_HEIGHT = 0.05
# A flat foot's sole is at least this fraction as long as its bones show.
_MIN_SOLE_LENGTH = 0.5
# The skin is kept as its farthest points in this many directions.
_NUM_DIRECTIONS = 192
# Of skin that follows several bones, also those in this many directions of poses in which the bones are turned by as much, rad.
_NUM_BLENDED_POSES, _NUM_BLENDED_DIRECTIONS, _BLENDED_TURN = 12, 32, 0.4
_MIN_MIXED = 0.02  # the least weight that makes skin follow a bone beside another one


@dataclass(frozen=True)
class FootSkin:
    """The skin of one foot at rest.

    points: (N,3) m in the world. toe_weights, shin_weights, thigh_weights, body_weights: (N,) 0..1, how much each follows these, or what is
    above the legs, rather than the foot.
    """

    points: FloatArray
    toe_weights: FloatArray
    shin_weights: FloatArray | None = None
    thigh_weights: FloatArray | None = None
    body_weights: FloatArray | None = None

    def in_axes_of(self, rest: RestPose) -> FloatArray:
        """The points (N,3) m in a RestPose's axes."""
        return (self.points - rest.origin) @ np.linalg.inv(rest.stretch).T


@dataclass(frozen=True)
class Sole:
    """The skin of a foot in a RestPose's axes, thinned out.

    points: (N,3) m. toe_weights, shin_weights, thigh_weights, body_weights: (N,). heel, tip: the rows of heel and tip. shin, thigh, body:
    the numbers of these bones, and of that of the hips.
    """

    points: FloatArray
    toe_weights: FloatArray
    shin_weights: FloatArray
    thigh_weights: FloatArray
    body_weights: FloatArray
    heel: int
    tip: int
    shin: int
    thigh: int
    body: int

    @property
    def follows_leg(self) -> bool:
        """Whether some of the skin follows the shin, the thigh or the body."""
        return bool(self.shin_weights.any() or self.thigh_weights.any() or self.body_weights.any())

    def positions(self, pose: Pose, foot: Foot) -> FloatArray:
        """The points (F,N,3) m of a posed rig."""
        by_foot = rigid_positions(pose, foot.bone, self.points)
        placed = by_foot
        for bone, weights in (
            (foot.toes, self.toe_weights),
            (self.shin, self.shin_weights),
            (self.thigh, self.thigh_weights),
            (self.body, self.body_weights),
        ):
            if bone is not None and weights.any():
                placed = placed + weights[:, None] * (rigid_positions(pose, bone, self.points) - by_foot)
        return placed


def find_soles(rest: RestPose, stance: Stance, skins: Mapping[str, FootSkin]) -> dict[str, Sole]:
    """The soles of both feet, by side; empty if a foot or its skin is missing."""
    leg = leg_length(rest)
    soles = {side: _find_sole(rest, stance, side, skins[side], leg) for side in SIDES if side in stance.feet and side in skins}
    return {side: sole for side, sole in soles.items() if sole is not None} if None not in soles.values() and len(soles) == 2 else {}


def fit_stance_to_soles(rest: RestPose, stance: Stance, soles: Mapping[str, Sole]) -> Stance:
    """The stance with heels and tips where the skin touches the floor.

    A foot without toes rolls over the tip of its skin. A sole that is much shorter than the foot's bones show, or ends behind its ball,
    is no flat foot, and the heel and the tip that bones show are kept.
    """
    feet = dict(stance.feet)
    for side, sole in soles.items():
        foot = stance.feet[side]
        forward = _forward(foot)
        heel, tip = (float(sole.points[row] @ forward) for row in (sole.heel, sole.tip))
        ankle = float(foot.ankle @ forward)
        end = ankle if foot.toes is None else max(ankle, float(foot.ball @ forward))
        if tip - heel > _MIN_SOLE_LENGTH * float(np.linalg.norm(foot.forward)) and tip > end:
            middle = foot.ankle - ankle * forward  # heels and tips lie in the foot's own vertical plane
            heel_point, tip_point = (_on_floor(middle + along * forward, rest, stance.floor) for along in (heel, tip))
            feet[side] = replace(foot, heel=heel_point, tip=tip_point, ball=tip_point if foot.toes is None else foot.ball)
    return replace(stance, feet=feet)


def _find_sole(rest: RestPose, stance: Stance, side: str, skin: FootSkin, leg: float) -> Sole | None:
    foot, points = stance.feet[side], skin.in_axes_of(rest)
    low = np.flatnonzero(points @ rest.axes[:, 2] - stance.floor < _SOLE_HEIGHT * leg)
    if not len(low):
        return None
    shin_weights, thigh_weights, body_weights = (
        np.zeros(len(points)) if weights is None else weights for weights in (skin.shin_weights, skin.thigh_weights, skin.body_weights)
    )
    on_foot = low[shin_weights[low] < 0.5]
    low = on_foot if len(on_foot) else low  # heels and tips are those of the foot, wherever trousers end
    along = points[low] @ _forward(foot)
    heel, tip = low[along.argmin()], low[along.argmax()]
    blend = np.stack([skin.toe_weights, shin_weights, thigh_weights, body_weights])
    kept = np.unique([heel, tip, *_extreme_rows(points, skin.toe_weights, shin_weights), *_lowest_rows(points, blend, foot.ankle)])
    return Sole(
        points=points[kept],
        toe_weights=skin.toe_weights[kept],
        shin_weights=shin_weights[kept],
        thigh_weights=thigh_weights[kept],
        body_weights=body_weights[kept],
        heel=int(np.searchsorted(kept, heel)),
        tip=int(np.searchsorted(kept, tip)),
        shin=rest.slots[f"{side}_lower_leg"][-1],
        thigh=rest.slots[f"{side}_upper_leg"][-1],
        body=rest.slots["hips"][-1],
    )


def _extreme_rows(points: FloatArray, toe_weights: FloatArray, shin_weights: FloatArray) -> list[int]:
    """The rows of points (N,3) that are farthest in many directions, of those that follow the foot, the toes and the shin each."""
    directions = np.random.default_rng(0).normal(size=(_NUM_DIRECTIONS, 3))
    follows = np.stack([1 - toe_weights - shin_weights, toe_weights, shin_weights], 1).argmax(1)
    rows: list[int] = []
    for bone in range(3):
        group = np.flatnonzero(follows == bone)
        if len(group):
            rows += group[(points[group] @ directions.T).argmax(0)].tolist()
    return rows


def _lowest_rows(points: FloatArray, blend: FloatArray, ankle: FloatArray) -> list[int]:
    """The rows of points (N,3) that are farthest in some direction where the bones of `blend` (B,N) are turned about the ankle (3,).

    Points that follow several bones move past each other as these turn: other ones are then farthest than at rest.
    """
    mixed = np.flatnonzero(((blend > _MIN_MIXED) & (blend < 1 - _MIN_MIXED)).any(0))
    rng = np.random.default_rng(0)
    rows: set[int] = set()
    for _ in range(_NUM_BLENDED_POSES if len(mixed) else 0):
        turns = rotmat_from_rotvec(rng.normal(scale=_BLENDED_TURN, size=(len(blend), 3)))
        from_ankle = points[mixed] - ankle
        posed = from_ankle + (blend[:, mixed, None] * (from_ankle @ np.swapaxes(turns, 1, 2) - from_ankle)).sum(0)
        directions = rng.normal(size=(_NUM_BLENDED_DIRECTIONS, 3))
        rows |= set(mixed[(posed @ directions.T).argmax(0)].tolist())
    return sorted(rows)


def _forward(foot: Foot) -> FloatArray:
    return foot.forward / max(float(np.linalg.norm(foot.forward)), 1e-9)


def _on_floor(point: FloatArray, rest: RestPose, floor: float) -> FloatArray:
    up = rest.axes[:, 2]
    return point - (point @ up - floor) * up


def rigid_positions(pose: Pose, bone: int, points: FloatArray) -> FloatArray:
    """Positions (F,N,3) m of points (N,3) that are fixed to a bone."""
    local = (points - pose.rest.heads[bone]) @ pose.rest.rotations[bone]
    return pose.heads[bone][:, None] + np.einsum("fij,nj->fni", pose.rotations[bone], local)
