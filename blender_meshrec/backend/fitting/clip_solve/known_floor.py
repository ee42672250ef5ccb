"""The floor where it is known beforehand, and with it the size of people who stand on it."""

from dataclasses import dataclass

from . import weights
from .body_points import PosedPoints
from .equations import FLOOR, Equations
from .residuals import World


@dataclass(frozen=True)
class KnownFloor:
    """The floor is where it is known to be. floor: m; a point's height is up . x + floor."""

    floor: float

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = (world.floor - self.floor) / weights.KNOWN_FLOOR_SIGMA
        if equations is not None:
            equations.world_gradient[FLOOR] += residual / weights.KNOWN_FLOOR_SIGMA
            equations.world_within[FLOOR, FLOOR] += 1 / weights.KNOWN_FLOOR_SIGMA**2
        return residual**2
