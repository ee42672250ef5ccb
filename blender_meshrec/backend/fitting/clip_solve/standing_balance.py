"""Somebody who stands still on both feet is balanced above them: one view hardly shows how far a whole body leans towards it.

The centre of mass lies above the middle of the feet (STANCE of each), or nearer to one of them. In every phase it is drawn there from
where it is, by the same way for all the joints that carry it, so that each stays an equation of its own.
"""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray
from ....core.contacts import point_speeds
from ..body_masses import SMPL_MASSES, SMPL_SHARES, STANCE
from . import weights
from .body_points import SOLE_ROWS, PosedPoints, point_rows
from .equations import Equations
from .residuals import World, cauchy

MASS_ROWS = point_rows(list(SMPL_MASSES))
_LEGS = np.array([point_rows([f"{side}_{joint}" for joint in ("hip", "knee", "ankle")]) for side in ("left", "right")])
# How high hips are above ankles, as a share of the legs' length, from where people begin to stand to where they do: who sits is held by
# a seat, and who lies by the ground.
STANDING = (0.8, 0.9)


@dataclass(frozen=True)
class StandingBalance:
    """MASS_ROWS where the body is balanced. places: (F,4,3) m, camera axes. whitening: (F,3,3) 1/m, symmetric: turns the way to them
    into sigmas, and leaves its height out. weights: (F,)."""

    places: FloatArray
    whitening: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = (points.rows[:, MASS_ROWS] - self.places) @ self.whitening
        loss, weight = cauchy((residual**2).sum(-1) @ SMPL_SHARES, weights.BALANCE_OUTLIER)
        if equations is not None:
            share = (self.weights * weight)[:, None] * SMPL_SHARES
            equations.gradient[:, MASS_ROWS] += share[..., None] * (residual @ self.whitening)
            equations.within[:, MASS_ROWS] += share[..., None, None] * (self.whitening @ self.whitening)[:, None]
        return float((self.weights * loss).sum())


def find_balance(
    points: PosedPoints, up: FloatArray, touching: FloatArray, times: FloatArray, frame_weights: FloatArray
) -> StandingBalance:
    """The StandingBalance of a person as they are.

    Args:
        up: (3,), camera axes. touching: (F,K) 0..1, of GROUND_ROWS, soles first. times: (F,) s.
        frame_weights: (F,).
    """
    rows, level = points.rows, np.eye(3) - np.outer(up, up)
    soles = touching[:, : len(SOLE_ROWS), None].reshape(-1, 2, 2, 1)
    bearing = soles * STANCE[:, None]
    feet = (bearing * rows[:, SOLE_ROWS].reshape(-1, 2, 2, 3)).sum(2) / np.maximum(bearing.sum(2), 1e-6)
    apart = (feet[:, 1] - feet[:, 0]) @ level
    distance = np.linalg.norm(apart, axis=-1)
    between = apart / np.maximum(distance, 1e-6)[:, None]
    along = 1 / np.hypot(weights.BALANCE_SIGMA, weights.STANCE_SHARE * distance) - 1 / weights.BALANCE_SIGMA
    whitening = level / weights.BALANCE_SIGMA + along[:, None, None] * between[..., :, None] * between[..., None, :]
    masses = rows[:, MASS_ROWS]
    way = feet.mean(1) - np.einsum("k,fkc->fc", SMPL_SHARES, masses)
    speed = point_speeds(masses[:, :1], times, camera=np.zeros(3))[:, 0]
    still = np.exp(-((speed / weights.BALANCED_SPEED) ** 2))
    on_both = soles.max((2, 3)).min(1)
    return StandingBalance(masses + way[:, None], whitening, frame_weights * on_both * still * _stands(rows, up))


def _stands(rows: FloatArray, up: FloatArray) -> FloatArray:
    """How certainly somebody stands on both legs, (F,) 0..1."""
    hip, knee, ankle = (rows[:, _LEGS[:, joint]] for joint in range(3))
    length = np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)
    height = ((hip - ankle) @ up / length).min(1)
    return np.clip((height - STANDING[0]) / (STANDING[1] - STANDING[0]), 0.0, 1.0)
