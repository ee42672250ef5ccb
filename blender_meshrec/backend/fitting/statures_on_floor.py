"""How large people are who stand on one floor: one view shows each of them at a size and a distance that go together.

All of them together say more: a person who is too small stands above the floor of the others. Statures, the height of the camera above
the floor and its tilt are chosen at once, so that they are the likeliest ones: most people are adults, some are children, of any size, and
some stand on something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rigid_transform
from ...core.contacts import WEIGHT_BEARING_THRESHOLD, weight_bearing
from ...core.rotations import rotmat_from_rotvec

# Adults: the mean statures of women and men, m, and the standard deviation of their logarithms, 4 %, with 3.5 % by which a view errs.
ADULT_STATURES, ADULT_SIGMA = np.array([1.63, 1.76]), 0.053
# Children are as likely with one stature as with another, down to this, m; so many of all people are children.
SMALLEST_STATURE, SHARE_OF_CHILDREN = 0.75, 0.1
# What it costs that somebody stands on something else, in the same units: as an adult of 2.1 m costs.
ELSEWHERE_COST = 6.0
KNOWN_SIGMA = 0.01  # of the logarithm of a stature that the user gives
MIN_CAMERA_HEIGHT = 0.5  # m; a camera lower above the floor does not show sizes
TILTS = np.linspace(-2.5, 2.5, 13)  # standard deviations of the camera's tilt that are tried
HEIGHTS = 400  # heights of the camera that are tried


@dataclass(frozen=True)
class StandingPerson:
    """One person: soles (F,4,3) m in the world, z up, as large as `stature` m; visible (F,). is_known: the stature is."""

    soles: FloatArray
    visible: BoolArray
    stature: float
    is_known: bool = False


@dataclass(frozen=True)
class SizeOnFloor:
    """The factor by which a person is larger than assumed, and whether they stand on the floor that others stand on."""

    scale: float = 1.0
    stands_with_others: bool = False


@dataclass(frozen=True)
class SharedFloor:
    """What people who stand together say: their sizes; how far the camera looks down more and is turned clockwise more than assumed, (2,)
    rad, and the standard deviations of its pitch and roll then; and its height above the floor, m. None of it if nobody stands together.
    cost: the negative logarithm of how likely their statures and the tilt are.
    """

    sizes: list[SizeOnFloor]
    tilt: FloatArray
    tilt_sigma: FloatArray
    height: float | None = None
    cost: float = 0.0


def find_shared_floor(people: Sequence[StandingPerson], timestamps: FloatArray, camera: FloatArray, tilt_sigma: FloatArray) -> SharedFloor:
    """The likeliest sizes of people who share a floor, and the floor.

    Args:
        timestamps: (F,) s. camera: (F,3) m, its places in the world. tilt_sigma: (2,) rad, how well its pitch and roll are known.

    The scale is 1 where nothing is said: of somebody who never stands, or alone.
    """
    below = [_footholds(person, timestamps, camera) for person in people]
    standing = [number for number, places in enumerate(below) if len(places) and np.median(-places[:, 2]) > MIN_CAMERA_HEIGHT]
    # Whoever stands, but not below the camera, stands on something else.
    elsewhere = ELSEWHERE_COST * (sum(len(places) > 0 for places in below) - len(standing))
    nothing = SharedFloor([SizeOnFloor() for _ in people], np.zeros(2), tilt_sigma, cost=elsewhere)
    if len(standing) < 2:
        return nothing
    tilts = np.stack(np.meshgrid(TILTS, TILTS, indexing="ij"), -1).reshape(-1, 2)
    drops = _drops([below[number] for number in standing], tilts * tilt_sigma)
    tilts, drops = tilts[(drops > MIN_CAMERA_HEIGHT).all(1)], drops[(drops > MIN_CAMERA_HEIGHT).all(1)]
    logs = np.log(drops)
    known = np.array([people[number].is_known for number in standing])
    statures = np.log([people[number].stature for number in standing])
    heights = np.linspace(logs.min() - 0.4, logs.max() + 0.4, HEIGHTS)
    # The logarithm of everybody's scale for each height of the camera and tilt: (H,T,N).
    scales = heights[:, None, None] - logs
    on_floor = np.where(known, (scales / KNOWN_SIGMA) ** 2 / 2, stature_cost(statures + scales))
    cost = np.minimum(on_floor, ELSEWHERE_COST).sum(-1) + (tilts**2).sum(-1) / 2
    height, tilt = np.unravel_index(cost.argmin(), cost.shape)
    together = on_floor[height, tilt] < ELSEWHERE_COST
    if together.sum() < 2:
        return replace(nothing, cost=elsewhere + float(cost.min()))
    sizes = nothing.sizes
    for row in np.flatnonzero(together):
        sizes[standing[row]] = SizeOnFloor(1.0 if known[row] else float(np.exp(scales[height, tilt, row])), True)
    likely = np.exp(cost.min() - cost).sum(0)
    spread = np.sqrt((likely[:, None] * (tilts - tilts[tilt]) ** 2).sum(0) / likely.sum())
    return SharedFloor(
        sizes, tilts[tilt] * tilt_sigma, np.minimum(spread, 1.0) * tilt_sigma, float(np.exp(heights[height])), elsewhere + float(cost.min())
    )


def level_world(world_from_camera: FloatArray, floor: SharedFloor) -> FloatArray:
    """world_from_camera (4,4) of a still camera with the tilt and the height that a floor says."""
    if floor.height is None:
        return world_from_camera
    pitch, roll = floor.tilt
    rotation = rotmat_from_rotvec([pitch, -roll, 0.0]) @ world_from_camera[:3, :3]
    return rigid_transform(rotation, [*world_from_camera[:2, 3], floor.height])


def stature_cost(log_stature: FloatArray) -> FloatArray:
    """The negative logarithm of how likely a stature is, up to a constant that makes it 0 for an average adult; of its logarithm."""
    average = float(np.log(ADULT_STATURES).mean())
    return _surprise(log_stature) - _surprise(np.array(average))


def _surprise(log_stature: FloatArray) -> FloatArray:
    """The negative logarithm of the density of statures, of their logarithms: women, men and children."""
    away = (log_stature[..., None] - np.log(ADULT_STATURES)) / ADULT_SIGMA
    adults = np.log((1 - SHARE_OF_CHILDREN) / 2 / ADULT_SIGMA / np.sqrt(2 * np.pi)) + np.logaddexp.reduce(-(away**2) / 2, -1)
    lowest, highest = np.log([SMALLEST_STATURE, ADULT_STATURES[0]])
    is_child = (log_stature > lowest) & (log_stature < highest)
    return -np.logaddexp(adults, np.where(is_child, np.log(SHARE_OF_CHILDREN / (highest - lowest)), -np.inf))


def _footholds(person: StandingPerson, timestamps: FloatArray, camera: FloatArray) -> FloatArray:
    """Where soles bear weight, (N,3) m from the camera."""
    bearing = weight_bearing(person.soles - camera[0], timestamps, person.visible) > WEIGHT_BEARING_THRESHOLD
    return (person.soles - camera[:, None])[bearing]


def _drops(below: Sequence[FloatArray], tilts: FloatArray) -> FloatArray:
    """How far (T,N) m people's footholds are below the camera, with tilts (T,2) rad: the median of each person's."""
    pitch, roll = tilts.T[:, :, None]
    drops = [np.median(-(places[:, 2] + places[:, 1] * pitch + places[:, 0] * roll), -1) for places in below]
    return np.stack(drops, -1)
