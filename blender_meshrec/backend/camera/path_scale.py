"""How many metres a unit of a camera's path has, from feet that stand still while the camera moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.contacts import WEIGHT_BEARING_THRESHOLD, contact_runs, weight_bearing
from .map_floor import MapFloor

# The background, which is a unit away, is so many times as far away as people are, and the standard deviation of its logarithm.
BACKGROUND_DISTANCE, BACKGROUND_SIGMA = 1.5, 0.7
RANGE, STEPS = 3.0, 401  # standard deviations to either side that are tried
# m: how far feet in contact seem to move, across and along the line of sight; errors of frames this close together, s, are one.
FOOT_SIGMA, FOOT_DEPTH_SIGMA, ERROR_TIME = 0.03, 0.12, 0.3
OUTLIER = 3.0  # standard deviations, from which a foot does not stand still
CONTACT = 0.5  # probability from which a foot is in contact
MIN_RUN = 3  # frames
# Of the logarithm of the distance of a point of the floor beside a foot, and of people's own size; how many of such points are on the
# floor; and as how many all of them count at most, since they share errors.
FLOOR_SIGMA, SIZE_SIGMA, ON_FLOOR, MOST_POINTS = 0.12, 0.05, 0.5, 8
TOLD = 0.35  # standard deviation of the scale's logarithm below which feet told it
ROUNDS = 3


@dataclass(frozen=True)
class Feet:
    """One person's feet over F frames.

    soles: (F,4,3) m, from the camera, in axes that do not turn. contacts: (F,4) 0..1, or None if nobody knows. visible: (F,).
    """

    soles: FloatArray
    contacts: FloatArray | None
    visible: BoolArray


@dataclass(frozen=True)
class PathScale:
    """scale: m, a unit of the path. log_sigma: the standard deviation of its logarithm. contact_seconds: for which feet stood.

    floor_points: of the background beside them. other_sigma: log_sigma without what feet in contact tell. is_on_floor: whether people
    stand on a floor in the camera's map, as of `on_floor`.
    """

    scale: float
    log_sigma: float
    contact_seconds: float
    floor_points: int = 0
    other_sigma: float = 0.0
    is_on_floor: bool = False

    @property
    def solve_sigma(self) -> float:
        """How free the scale is in the whole-clip solve, which has the contacts of feet itself: they do not count twice.

        0 where a floor tells it: strides in depth, which are lifted too short in all frames alike, would shorten it.
        """
        return 0.0 if self.is_on_floor else max(self.log_sigma, self.other_sigma)

    @property
    def is_told(self) -> bool:
        """Whether feet tell it; else it is a guess from people's distance."""
        return self.log_sigma < TOLD

    def on_floor(self, floor: MapFloor) -> "PathScale":
        """The scale with which people stand on a floor."""
        sigma = float(np.hypot(floor.log_sigma, SIZE_SIGMA))
        return replace(self, scale=floor.scale, log_sigma=sigma, floor_points=floor.points, is_on_floor=True)


def scale_from_feet(
    people: Sequence[Feet], centres: FloatArray, timestamps: FloatArray, beside_feet: FloatArray | Sequence[float] = ()
) -> PathScale:
    """The scale with which feet in contact stand still best, and are as far away as the floor beside them.

    Args:
        centres: (F,3), the camera's places, in the axes of the soles; the background is about 1 away. timestamps: (F,) s.
        beside_feet: (P,), of `ratios_beside_feet`.

    A sole lies at its place from the camera plus scale times the camera's place. All scales that are plausible are tried; what is not known
    of a foot in contact is where it stands, so that its mean over the contact does not count.
    """
    distance = np.median(np.concatenate([np.linalg.norm(person.soles[person.visible], axis=-1).ravel() for person in people]))
    steps = np.linspace(-RANGE, RANGE, STEPS)
    scales = BACKGROUND_DISTANCE * float(distance) * np.exp(BACKGROUND_SIGMA * steps)
    found, told, seconds = scales[STEPS // 2], steps**2, 0.0
    start = steps**2 + _cost_of_floor(np.asarray(beside_feet, float), np.log(scales))
    for _ in range(ROUNDS):
        energy, seconds = start, 0.0
        for person in people:
            cost, lasted = _cost_of_person(person, centres, timestamps, scales, found)
            energy, seconds = energy + cost, seconds + lasted
        told = energy
        found = scales[int(energy.argmin())]
        if all(person.contacts is not None for person in people):
            break
    (mean, sigma), (_mean, other) = (_mean_and_deviation(energy, np.log(scales)) for energy in (told, start))
    return PathScale(float(np.exp(mean)), max(sigma, SIZE_SIGMA), seconds, len(beside_feet), max(other, SIZE_SIGMA))


def _mean_and_deviation(energy: FloatArray, values: FloatArray) -> tuple[float, float]:
    """Of values (S,) that are as likely as exp(-energy / 2)."""
    share = np.exp(-0.5 * (energy - energy.min()))
    share /= share.sum()
    mean = float(share @ values)
    return mean, float(np.sqrt(share @ (values - mean) ** 2))


def _cost_of_floor(ratios: FloatArray, log_scales: FloatArray) -> FloatArray:
    """How unlikely (S,) each scale makes points beside feet, of logarithms (P,): they are on the floor, or stand anywhere."""
    off = (ratios[:, None] - log_scales) / FLOOR_SIGMA
    on_floor = ON_FLOOR * np.exp(-0.5 * off**2) / (FLOOR_SIGMA * np.sqrt(2 * np.pi))
    anywhere = (1 - ON_FLOOR) / (2 * RANGE * BACKGROUND_SIGMA)
    return np.asarray(-2 * np.log(on_floor + anywhere).sum(0) * min(1.0, MOST_POINTS / max(len(ratios), 1)))


def _cost_of_person(
    person: Feet, centres: FloatArray, timestamps: FloatArray, scales: FloatArray, found: float
) -> tuple[FloatArray, float]:
    """How far the person's feet in contact seem to move (S,), in variances, for each of the scales, and for how long they stood, s."""
    contacts, enough = person.contacts, CONTACT
    if contacts is None:
        upright = (person.soles + found * centres[:, None]) @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
        contacts, enough = weight_bearing(upright, timestamps, person.visible), WEIGHT_BEARING_THRESHOLD
    touching = (np.asarray(contacts) > enough) & person.visible[:, None]
    frame = np.gradient(timestamps) if len(timestamps) > 1 else np.ones(1)
    cost, seconds = np.zeros(len(scales)), 0.0
    for k in range(touching.shape[1]):
        for first, last in contact_runs(touching[:, k]):
            if last - first < MIN_RUN:
                continue
            soles, path = person.soles[first:last, k], centres[first:last]
            sight = soles.mean(0) / max(float(np.linalg.norm(soles.mean(0))), 1e-9)
            moved = (soles - np.median(soles, 0)) + scales[:, None, None] * (path - np.median(path, 0))
            moved = moved - moved.mean(1, keepdims=True)
            along = moved @ sight
            across = (moved**2).sum(-1) - along**2
            square = across / FOOT_SIGMA**2 + (along / FOOT_DEPTH_SIGMA) ** 2
            robust = square / (1 + square / OUTLIER**2)
            cost += (robust * np.minimum(frame[first:last] / ERROR_TIME, 1.0)).sum(1) / 2  # heel and toe are one foot
            seconds += float(frame[first:last].sum()) / 2
    return cost, seconds
