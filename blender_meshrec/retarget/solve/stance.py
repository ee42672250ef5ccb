"""How a rig stands at rest, estimated from its bones: heels, balls and toes, and the height of the floor."""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray
from ..rig import SIDES
from .rest_pose import LEG, RestPose

# Distance of the heel behind the ankle, and of the toe's tip before the ball, as fractions of that from the ankle to the ball.
HEEL_RATIO, TOE_RATIO = 0.35, 0.5
# Length of a foot whose bones do not show it, as a fraction of its leg.
FOOT_RATIO = 0.17
# Maximum height of the feet's lowest bones above what they stand on, and maximum depth below it, as fractions of the leg.
MAX_HOVER, MAX_DIP = 0.13, 0.04


@dataclass(frozen=True)
class Foot:
    """One foot at rest, in a RestPose's axes.

    bone, toes: numbers of its first foot bone and its first toe bone, None where there is none. ankle: (3,) m. ball: (3,) m, what it
    rolls over: the toes' joint, or the tip of a foot without toes. heel, tip: (3,) m on the floor.
    """

    bone: int
    toes: int | None
    ankle: FloatArray
    ball: FloatArray
    heel: FloatArray
    tip: FloatArray

    @property
    def forward(self) -> FloatArray:
        """From the heel to the tip, (3,) m."""
        return self.tip - self.heel


@dataclass(frozen=True)
class Stance:
    """How a rig stands at rest: its feet by side, the height of its floor, and the mean height of its ankles above it, m."""

    feet: dict[str, Foot]
    floor: float
    ankle_height: float


@dataclass(frozen=True)
class _FootBones:
    """A foot as its bones show it: bone numbers as of Foot; ankle, ball and tip (3,) m, not yet on the floor."""

    bone: int
    toes: int | None
    ankle: FloatArray
    ball: FloatArray
    tip: FloatArray


def estimate_stance(rest: RestPose, floor: float | None = None) -> Stance:
    """Estimate how a rig stands.

    Args:
        floor: height of the soles at rest, in the same axes, where it is known from the skin; None to estimate it from the bones.
    """
    up = rest.axes[:, 2]
    leg_lengths = [
        rest.segment_length(f"{side}_upper_leg", f"{side}_lower_leg") + rest.segment_length(f"{side}_lower_leg", f"{side}_foot")
        for side in SIDES
    ]
    leg_length = float(np.mean(leg_lengths))
    ankles = float(np.mean([rest.segment_end(f"{side}_lower_leg", f"{side}_foot") @ up for side in SIDES]))
    shapes = {side: bones for side in SIDES if (bones := _find_foot_bones(rest, side, leg_length)) is not None}
    if floor is None:
        floor = _estimate_floor(rest, leg_length, ankles, list(shapes.values()))
    feet = {side: _foot_on_floor(bones, floor, up) for side, bones in shapes.items()}
    return Stance(feet, floor, ankles - floor)


def _foot_on_floor(bones: _FootBones, floor: float, up: FloatArray) -> Foot:
    def on_floor(point: FloatArray) -> FloatArray:
        return point - (point @ up - floor) * up

    ball = bones.ball if bones.toes is not None else on_floor(bones.ball)
    heel = on_floor(bones.ankle - HEEL_RATIO * _horizontal(bones.ball - bones.ankle, up))
    return Foot(bones.bone, bones.toes, bones.ankle, ball, heel, on_floor(bones.tip))


def _find_foot_bones(rest: RestPose, side: str, leg_length: float) -> _FootBones | None:
    """The bones of one foot, None where it has none. Ball and tip are where its bones end if those are as long as feet are."""
    bone, toes = rest.first_bone(f"{side}_{LEG[2]}"), rest.first_bone(f"{side}_toes")
    if bone is None:
        return None
    forward, up = rest.axes[:, 1], rest.axes[:, 2]
    ankle = rest.heads[bone]
    if toes is not None:
        ball = rest.heads[toes]
        flat = _horizontal(ball - ankle, up)
        if np.linalg.norm(flat) > 0.25 * FOOT_RATIO * leg_length:
            return _FootBones(bone, toes, ankle, ball, ball + TOE_RATIO * flat)
    below = [child for child in range(len(rest.heads)) if child != bone and bone in rest.chain_to_root(child)]
    points = [rest.tails[bone], *rest.heads[below], *rest.tails[below]]
    ahead = [(point - ankle) @ forward for point in points]
    flat = _horizontal(points[int(np.argmax(ahead))] - ankle, up)
    if not 0.5 * FOOT_RATIO * leg_length < flat @ forward < 3 * FOOT_RATIO * leg_length:
        flat = 1.2 * FOOT_RATIO * leg_length * forward
    ball = ankle + flat if toes is None else rest.heads[toes]
    return _FootBones(bone, toes, ankle, ball, ankle + flat)


def _horizontal(vector: FloatArray, up: FloatArray) -> FloatArray:
    return vector - (vector @ up) * up


def _estimate_floor(rest: RestPose, leg_length: float, ankles: float, feet: list[_FootBones]) -> float:
    """The height of the floor, m: the object's own where the feet stand there, else a little below their lowest bones."""
    up = rest.axes[:, 2]
    lowest = ankles
    for foot in feet:
        bones = [child for child in range(len(rest.heads)) if foot.bone in rest.chain_to_root(child)]
        lowest = min(lowest, float((rest.heads[bones] @ up).min()))
        if foot.toes is not None:
            tail = float(rest.tails[foot.toes] @ up)
            lowest = min(lowest, tail) if lowest - tail < MAX_HOVER * leg_length else lowest
    for level in (0.0, float(-rest.origin[2]) if abs(rest.axes[2, 2]) > 1 - 1e-9 else 0.0):
        if -MAX_DIP * leg_length < lowest - level < MAX_HOVER * leg_length:
            return level
    balls = [float(foot.ball @ up) for foot in feet if foot.toes is not None]
    return min(lowest, float(np.mean(balls)) - 0.5 * (ankles - float(np.mean(balls)))) if balls else lowest
