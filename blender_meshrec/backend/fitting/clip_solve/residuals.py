"""What the residuals of the whole-clip solve share.

Each is a sum of squares in units of its sigma (weights.py), and adds its derivatives to `Equations`.

Robust losses weigh a residual r (in sigmas) by its own size, which is solved by reweighting (Holland and Welsch 1977):
Geman-McClure r^2 / (1 + r^2/k^2), Cauchy k^2 log(1 + r^2/k^2).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....core.array_types import FloatArray
from ....core.rotations import rotmat_from_rotvec
from .body_points import PosedPoints
from .equations import FLOOR, LEAN, LENS, NUM_VIEW, PATH, UP, VIEW_LEAN, VIEW_LENS, VIEW_SHIFT, VIEW_TURN, Equations, view_columns


@dataclass(frozen=True)
class ViewPlace:
    """Where a further view's camera is.

    rotmat: (3,3) and transl: (3,) m take points from the first view's axes to this one's. zoom: as the World's. lean: (3,) rad, of its
    lifter.
    """

    rotmat: FloatArray
    transl: FloatArray
    zoom: float
    lean: FloatArray

    def moved(self, step: FloatArray) -> "ViewPlace":
        """After a step (10,) in the order of equations.py: the camera turns about its own place."""
        turn = rotmat_from_rotvec(step[VIEW_TURN])
        zoom = self.zoom + float(step[VIEW_LENS][0])
        return ViewPlace(turn @ self.rotmat, turn @ self.transl + step[VIEW_SHIFT], zoom, self.lean + step[VIEW_LEAN])


@dataclass(frozen=True)
class World:
    """What the frames share.

    up: (3,), a unit vector in camera axes. floor: m; a point's height is up . x + floor. lean: (3,) rad, of the lifter. zoom: the
    logarithm of the focal length over the assumed one. growth: the logarithm of the size of the camera's path over the assumed one.
    views: the further views.
    """

    up: FloatArray
    floor: float
    lean: FloatArray
    zoom: float = 0.0
    growth: float = 0.0
    views: tuple[ViewPlace, ...] = ()

    @property
    def up_basis(self) -> FloatArray:
        """Two unit vectors (2,3) across up, in which it changes."""
        return np.linalg.svd(self.up[None])[2][1:]

    def moved(self, step: FloatArray) -> "World":
        """After a step (W,) in the order of equations.py."""
        up = self.up + step[UP] @ self.up_basis
        floor, zoom, growth = (float(step[part][0]) for part in (FLOOR, LENS, PATH))
        views = tuple(place.moved(step[view_columns(view, slice(0, NUM_VIEW))]) for view, place in enumerate(self.views))
        return World(up / np.linalg.norm(up), self.floor + floor, self.lean + step[LEAN], self.zoom + zoom, self.growth + growth, views)


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
