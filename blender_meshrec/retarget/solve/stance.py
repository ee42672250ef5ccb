"""Where a rig's feet touch the floor, told from its bones at rest: heels, balls and toes, and how high the floor is."""

from dataclasses import dataclass

import numpy as np

from ..rig import SIDES
from .rest_pose import LEG

# A heel lies this far behind the ankle, as a share of the way from the ankle to the ball of the foot; a toe's tip as far before it.
HEEL_RATIO, TOE_RATIO = 0.35, 0.5
# A foot whose bones do not say how long it is, as a share of its leg.
FOOT_RATIO = 0.17
# Feet's lowest bones hover at most this far above what they stand on, and dip at most this far into it, as shares of the leg.
MAX_HOVER, MAX_DIP = 0.13, 0.04


@dataclass(frozen=True)
class Foot:
    """One foot at rest, in a RestPose's axes: numbers of its first foot bone and its first toe bone (None where there is none).

    ankle: (3,). ball: (3,) what it rolls over: the toes' joint, or the tip of a foot without toes. heel, tip: (3,) on the floor. m.
    """

    bone: int
    toes: int | None
    ankle: np.ndarray
    ball: np.ndarray
    heel: np.ndarray
    tip: np.ndarray

    @property
    def forward(self):
        """From the heel to the tip, (3,) m."""
        return self.tip - self.heel


@dataclass(frozen=True)
class Stance:
    """How a rig stands at rest: its feet by side, the height of its floor, and of its ankles over it (their mean), m."""

    feet: dict
    floor: float
    ankle_height: float


def estimate_stance(rest, floor=None):
    """The Stance of a RestPose.

    floor: the height of the soles at rest, in the same axes, where somebody knows it (from the skin's lowest point); else it
    is told from the feet's bones.
    """
    up, forward = rest.axes[:, 2], rest.axes[:, 1]
    height = lambda points: np.asarray(points) @ up  # noqa: E731
    legs = [
        rest.segment_length(f"{side}_upper_leg", f"{side}_lower_leg") + rest.segment_length(f"{side}_lower_leg", f"{side}_foot")
        for side in SIDES
    ]
    leg = float(np.mean(legs))
    ends = [rest.segment_end(f"{side}_lower_leg", f"{side}_foot") for side in SIDES]
    shapes = {side: _foot_shape(rest, side, leg, forward, up) for side in SIDES if rest.first_bone(f"{side}_foot") is not None}
    if floor is None:
        floor = _estimate_floor(rest, leg, float(np.mean(height(ends))), shapes, height)
    feet = {}
    for side, (bone, toes, ankle, ball, tip) in shapes.items():
        along = ball - ankle
        along = along - (along @ up) * up

        def on_floor(point):
            return point - (point @ up - floor) * up

        feet[side] = Foot(
            bone, toes, ankle, ball if toes is not None else on_floor(ball), on_floor(ankle - HEEL_RATIO * along), on_floor(tip)
        )
    return Stance(feet, floor, float(np.mean(height(ends))) - floor)


def _foot_shape(rest, side, leg, forward, up):
    """Foot bone, toe bone, ankle, ball and tip of one foot."""
    bone, toes = rest.first_bone(f"{side}_{LEG[2]}"), rest.first_bone(f"{side}_toes")
    ankle = rest.heads[bone]
    if toes is not None:
        ball = rest.heads[toes]
        flat = ball - ankle
        flat = flat - (flat @ up) * up
        if np.linalg.norm(flat) > 0.25 * FOOT_RATIO * leg:
            return bone, toes, ankle, ball, ball + TOE_RATIO * flat
    below = [child for child in range(len(rest.heads)) if child != bone and bone in rest.chain_to_root(child)]
    points = [rest.tails[bone], *rest.heads[below], *rest.tails[below]]
    ahead = [(point - ankle) @ forward for point in points]
    flat = points[int(np.argmax(ahead))] - ankle
    flat = flat - (flat @ up) * up
    if not 0.5 * FOOT_RATIO * leg < flat @ forward < 3 * FOOT_RATIO * leg:
        flat = 1.2 * FOOT_RATIO * leg * forward
    if toes is not None:
        return bone, toes, ankle, rest.heads[toes], ankle + flat
    return bone, None, ankle, ankle + flat, ankle + flat


def _estimate_floor(rest, leg, ankles, shapes, height):
    """The height of the floor: the object's own, where the feet stand there, else a little below their lowest bones."""
    low = ankles
    for bone, toes, *_ in shapes.values():
        numbers = [child for child in range(len(rest.heads)) if bone in rest.chain_to_root(child)]
        low = min(low, float(height(rest.heads[numbers]).min()))
        if toes is not None:
            tail = float(height(rest.tails[toes]))
            low = min(low, tail) if low - tail < MAX_HOVER * leg else low
    for level in (0.0, float(-rest.origin[2]) if abs(rest.axes[2, 2]) > 1 - 1e-9 else 0.0):
        if -MAX_DIP * leg < low - level < MAX_HOVER * leg:
            return level
    balls = [float(height(ball)) for _, toes, _, ball, _ in shapes.values() if toes is not None]
    return min(low, np.mean(balls) - 0.5 * (ankles - np.mean(balls))) if balls else low
