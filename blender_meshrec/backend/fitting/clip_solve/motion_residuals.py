"""Residuals of motion: accelerations of joints, and of their rotations."""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.rotations import right_jacobian_inverse, rotvec_from_rotmat
from . import weights
from .body_points import MOVING, PosedPoints, point_rows
from .equations import Equations
from .residuals import World, cauchy

ACCELERATING_ROWS = point_rows([
    "pelvis", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot", "spine3", "neck", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
])  # fmt: skip


def second_difference(times: FloatArray) -> FloatArray:
    """Coefficients (F-2,3) of the second derivative at the middle of three samples at times (F,) s."""
    before, after = times[1:-1] - times[:-2], times[2:] - times[1:-1]
    span = (before + after) / 2
    return np.stack([1 / (before * span), -(1 / before + 1 / after) / span, 1 / (after * span)], -1)


@dataclass(frozen=True)
class Acceleration:
    """Joints do not accelerate much. rows: (K,). stencil: (F-2,3), of `second_difference`. weights: (F-2,). sigma: m/s^2."""

    rows: IntArray
    stencil: FloatArray
    weights: FloatArray
    sigma: float

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        path = points.rows[:, self.rows]
        a, b, c = (self.stencil[:, k, None, None] / self.sigma for k in range(3))
        residual = a * path[:-2] + b * path[1:-1] + c * path[2:]
        loss, weight = cauchy((residual**2).sum(-1), weights.ACCELERATION_OUTLIER)
        weight = self.weights[:, None] * weight
        if equations is not None:
            rows, weighted = self.rows, weight[..., None] * residual
            count = len(residual)
            for k, factor in enumerate((a, b, c)):
                equations.gradient[k : count + k, rows] += factor * weighted
                equations.within[k : count + k, rows] += (factor[..., 0] ** 2 * weight)[..., None, None] * np.eye(3)
            a, b, c = a[..., 0], b[..., 0], c[..., 0]
            equations.next[:-1, rows] += a * b * weight
            equations.next[1:, rows] += b * c * weight
            equations.after_next[:, rows] += a * c * weight
        return float((self.weights[:, None] * loss).sum())


@dataclass(frozen=True)
class TurnAcceleration:
    """Joints' rotations about their parents do not accelerate much. durations: (F-1,) s. weights: (F-2,). sigma: rad/s^2."""

    durations: FloatArray
    weights: FloatArray
    sigma: float

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        rotmats = points.state.rotmats[:, list(MOVING)]
        turn = rotvec_from_rotmat(np.swapaxes(rotmats[:-1], -1, -2) @ rotmats[1:])
        velocity = turn / self.durations[:, None, None]
        span = (self.durations[1:] + self.durations[:-1]) / 2 * self.sigma
        residual = (velocity[1:] - velocity[:-1]) / span[:, None, None]
        loss, weight = cauchy((residual**2).sum(-1), weights.TURN_ACCELERATION_OUTLIER)
        weight = self.weights[:, None] * weight
        if equations is not None:
            inverse = right_jacobian_inverse(turn)
            later, earlier = (values / self.durations[:, None, None, None] for values in (inverse, -np.swapaxes(inverse, -1, -2)))
            scale = 1 / span[:, None, None, None]
            # residual = v[t+1] - v[t]; v[t] depends on the rotations of frames t (earlier) and t + 1 (later).
            blocks = (-earlier[:-1] * scale, (earlier[1:] - later[:-1]) * scale, later[1:] * scale)
            _add_turns(equations, blocks, residual, weight)
        return float((self.weights[:, None] * loss).sum())


def _add_turns(equations: Equations, blocks: tuple[FloatArray, FloatArray, FloatArray], residual: FloatArray, weight: FloatArray) -> None:
    """Add a residual (G,K,3) of three frames in a row, with its derivatives (G,K,3,3) by each; weight (G,K)."""
    within, following, after = equations.turns
    count = len(residual)
    weighted = [weight[..., None, None] * np.swapaxes(block, -1, -2) for block in blocks]
    for k in range(3):
        equations.turn_gradient[k : count + k] += (weighted[k] @ residual[..., None])[..., 0]
        within[k : count + k] += weighted[k] @ blocks[k]
    following[:-1] += weighted[0] @ blocks[1]
    following[1:] += weighted[1] @ blocks[2]
    after += weighted[0] @ blocks[2]
