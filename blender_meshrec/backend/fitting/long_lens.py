"""Whether a clip was filmed through a long lens, from a stand or a roof: by people who stand near and far on one floor.

Through a lens that is too short, whoever is far away seems too near, and so to stand on a slope. What is known of the camera's tilt, of
people's statures, and of edges in perpendicular directions then contradicts the assumed lens, and agrees with a longer one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from .clip_solve.weights import LENS_SIGMA
from .perpendicular_edges import ZOOMS
from .statures_on_floor import StandingPerson, find_shared_floor

# Two kinds of cameras: share, and mean and standard deviation of the logarithms of their focal lengths over the assumed one, which is the
# picture's diagonal. One film in ten is of a long lens: those of broadcasts are two to four times as long.
USUAL, LONG = (0.9, 0.0, LENS_SIGMA), (0.1, 0.8, 0.5)
USUAL_RANGE = 2 * LENS_SIGMA  # of the logarithms of the usual lenses
SURE = 0.95  # the probability of a lens beyond them from which it is taken


class LongLens(NamedTuple):
    """The logarithm of the focal length over the assumed one, and its standard deviation."""

    zoom: float
    sigma: float


def find_long_lens(
    people: Sequence[StandingPerson],
    timestamps: FloatArray,
    camera: FloatArray,
    forward: FloatArray,
    tilt_sigma: FloatArray,
    log_lens: FloatArray | None,
) -> LongLens | None:
    """The long lens without which people do not stand on one floor; None if usual lenses explain them.

    Args:
        people, timestamps, camera, tilt_sigma: as of `find_shared_floor`. forward: (3,), where the camera looks, in the world.
        log_lens: what edges say of ZOOMS, as of PerpendicularEdges, or None.
    """
    if len(people) < 2:
        return None
    density = sum(share / sigma * np.exp(-0.5 * ((ZOOMS - mean) / sigma) ** 2) for share, mean, sigma in (USUAL, LONG))
    log = np.log(density) + (0.0 if log_lens is None else log_lens)
    log -= [find_shared_floor(farther(people, camera, forward, zoom), timestamps, camera, tilt_sigma).cost for zoom in ZOOMS]
    probability = np.exp(log - log.max())
    probability /= probability.sum()
    if probability[ZOOMS > USUAL_RANGE].sum() < SURE:
        return None
    zoom = float(probability @ ZOOMS)
    return LongLens(zoom, max(float(np.sqrt(probability @ (ZOOMS - zoom) ** 2)), float(ZOOMS[1] - ZOOMS[0])))


def farther(people: Sequence[StandingPerson], camera: FloatArray, forward: FloatArray, zoom: float) -> list[StandingPerson]:
    """People as they stand if the lens is exp(zoom) times as long: as large, and so many times as far along the camera's axis."""
    moved: list[StandingPerson] = []
    for person in people:
        depth = np.median((person.soles - camera[:, None]) @ forward, axis=1)[:, None, None]
        moved.append(replace(person, soles=person.soles + np.expm1(zoom) * depth * forward))
    return moved
