"""What the residuals of the whole-clip solve share.

Each is a sum of squares in units of its sigma (weights.py), and adds its derivatives to `Equations`.

Robust losses weigh a residual r (in sigmas) by its own size, which is solved by reweighting (Holland and Welsch 1977):
Geman-McClure r^2 / (1 + r^2/k^2), Cauchy k^2 log(1 + r^2/k^2).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....core.array_types import FloatArray
from .body_points import PosedPoints
from .equations import FLOOR, LEAN, LENS, PATH, UP, Equations


@dataclass(frozen=True)
class World:
    """What the frames share.

    up: (3,), a unit vector in camera axes. floor: m; a point's height is up . x + floor. lean: (3,) rad, of the lifter. zoom: the
    logarithm of the focal length over the assumed one. growth: the logarithm of the size of the camera's path over the assumed one.
    """

    up: FloatArray
    floor: float
    lean: FloatArray
    zoom: float = 0.0
    growth: float = 0.0

    @property
    def up_basis(self) -> FloatArray:
        """Two unit vectors (2,3) across up, in which it changes."""
        return np.linalg.svd(self.up[None])[2][1:]

    def moved(self, step: FloatArray) -> "World":
        """After a step (8,) in the order of equations.py."""
        up = self.up + step[UP] @ self.up_basis
        floor, zoom, growth = (float(step[part][0]) for part in (FLOOR, LENS, PATH))
        return World(up / np.linalg.norm(up), self.floor + floor, self.lean + step[LEAN], self.zoom + zoom, self.growth + growth)


class Residual(Protocol):
    """A term of the energy of one person's clip."""

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        """The term's energy; its derivatives are added to `equations` unless None."""
        ...


def geman_mcclure(squared: FloatArray, scale: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Loss and weight of squared residuals."""
    ratio = 1 / (1 + squared / scale**2)
    return squared * ratio, ratio**2


def cauchy(squared: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Loss and weight of squared residuals."""
    return scale**2 * np.log1p(squared / scale**2), 1 / (1 + squared / scale**2)
