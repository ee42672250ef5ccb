"""The phases of the whole-clip solve: what is settled in each, and how far points in contact may be from the ground."""

from typing import NamedTuple

from . import weights


class Phase(NamedTuple):
    """At most so many steps.

    is_final: gravity is settled, and so is people's size; finds_sizes: gravity alone is settled. approaches: what hovers over the ground is
    drawn to it. is_on_skin: skin touches the ground, on whichever side is down.
    """

    steps: int
    is_final: bool = False
    finds_sizes: bool = False
    approaches: bool = False
    is_on_skin: bool = False


PHASES = (Phase(5), Phase(5), Phase(8, is_final=True))
SIZE_PHASE, TOUCH_PHASE = Phase(4, finds_sizes=True), Phase(6, is_final=True)
APPROACH_PHASES = (Phase(5, is_final=True, approaches=True, is_on_skin=True), Phase(6, is_final=True, is_on_skin=True))
# On a floor that is known, so is gravity, and resting places follow the size that is found.
KNOWN_FLOOR_PHASES = (Phase(5), Phase(5, is_final=True), Phase(5, is_final=True))


def height_sigmas(phase: Phase, finds_sizes: bool, camera_height: float) -> tuple[float, float]:
    """Sigmas, m, of points in contact from the ground, and of points below it."""
    if phase.is_final:
        return weights.APPROACH_SIGMA if phase.approaches else weights.SOLE_HEIGHT_SIGMA, weights.PENETRATION_SIGMA
    foothold = weights.FOOTHOLD_DEPTH_SIGMA * camera_height * weights.FOOTHOLD_FRAMES**0.5
    return (weights.SIZE_HEIGHT_SIGMA, weights.SIZE_HEIGHT_SIGMA) if finds_sizes else (foothold, foothold)
