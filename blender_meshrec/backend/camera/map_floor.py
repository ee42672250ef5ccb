"""The floor in the map of a camera that moves: a plane on which many points of the background lie, and below which hardly any lie.

Nothing is seen below a floor, so a slanted plane through a wall is none. It tells which way is up; and since it lies as far below the
camera as people's soles do, it tells how many metres a unit of the path has.
"""

from dataclasses import dataclass

import numpy as np

from ...core.array_types import FloatArray
from .seen_depths import SeenDepths

MIN_VIEWS = 3  # frames that see a point
MAX_DEPTH_SIGMA = 0.08  # of the logarithm of a point's distance: others lie anywhere, and below the floor too
# Tilts that are tried, rad from the estimated one: coarsely, then finely about the best.
REACH, STEP, FINE_STEP = 0.28, 0.02, 0.004
# Standard deviation of the estimated tilt beside what it says itself, and of a floor from level, rad.
TILT_SIGMA, SLOPE_SIGMA = 0.09, 0.026
SCALE_SIGMA = 0.1  # of the logarithm of the path's scale, beside what it says itself
# Of the logarithm of a point's distance below the camera over the floor's: its standard deviation on the floor, and the range elsewhere.
HEIGHT_SIGMA, HEIGHT_RANGE = 0.04, 4.0
ON_FLOOR, BELOW = 0.1, 0.02  # share of the points on a floor, and how many seem to lie below it, over those above
TEMPER = 0.5  # weight of a point: neighbouring points share their errors
# Points on a floor, and the logarithm of the likelihood ratio of so many over as many as anywhere between it and the camera, from which
# there is one; and its tilt's standard deviation, rad, up to which it tells up.
MIN_POINTS, MIN_GAIN, MAX_TILT_SIGMA = 8, 6.0, 0.04
MIN_SPREAD = 0.1  # of their distance: standard deviation of the points on a floor across the line that they lie along
BIN, REACH_OF_SCALE, MARGIN = 0.01, 2.0, 0.5  # of logarithms of scales that are tried, and of ratios beyond them
WITHIN = 2.0  # standard deviations, within which a point is on the floor
OVERHEAD = 4.0  # of the logarithm of a point's ratio, from which it is at the camera's height or above


@dataclass(frozen=True)
class MapFloor:
    """up: (3,), perpendicular to it, and tilt_sigma: rad, its standard deviation from the vertical. scale: m, a unit of the path, and
    log_sigma: the standard deviation of its logarithm, apart from people's own size. points: how many lie on it.
    """

    up: FloatArray
    tilt_sigma: float
    scale: float
    log_sigma: float
    points: int


def points_of_map(seen: SeenDepths, camera_from_view: FloatArray, centres: FloatArray, focal: float) -> FloatArray:
    """Places (P,3), units, of points whose distance is known, in the axes of the view and from where the path has its origin.

    Args:
        camera_from_view: (F,3,3). centres: (F,3), the camera's places, units. focal: px.
    """
    ahead = np.column_stack([seen.pixels / focal * seen.depths[:, None], seen.depths])
    sights = (ahead[:, None] @ camera_from_view[seen.frames])[:, 0]
    places = sights + centres[seen.frames]
    order = np.argsort(seen.points, kind="stable")
    _points, firsts = np.unique(seen.points[order], return_index=True)
    rows = [row for row in np.split(order, firsts[1:]) if len(row) >= MIN_VIEWS]
    sights /= np.linalg.norm(sights, axis=1, keepdims=True)
    least = np.sqrt(2) * seen.noise / focal / MAX_DEPTH_SIGMA  # rad, between the outermost of a point's lines of sight
    found = [np.median(places[row], axis=0) for row in rows if np.linalg.norm(np.ptp(sights[row], axis=0)) >= least]
    return np.array(found).reshape(-1, 3)


def find_map_floor(
    points: FloatArray, soles: FloatArray, centres: FloatArray, up: FloatArray, tilt_sigma: float, scale: tuple[float, float]
) -> MapFloor | None:
    """The floor on which people stand, or None if the points show none.

    Args:
        points: (P,3), units, of `points_of_map`. soles: (N,3) m from the camera, on the ground; centres: (N,3), units, its places then.
        up: (3,), as estimated, and tilt_sigma: rad, its standard deviation. scale: of the path, m, and the deviation of its logarithm.
    """
    if len(points) < MIN_POINTS or not len(soles):
        return None
    search = _Search(points, soles, centres, up, float(np.hypot(tilt_sigma, TILT_SIGMA)), scale[0], float(np.hypot(scale[1], SCALE_SIGMA)))
    coarse, fine = np.arange(-REACH, REACH + STEP / 2, STEP), np.arange(-1.5 * STEP, 1.6 * STEP, FINE_STEP)
    best, sigma = search.best(np.stack(np.meshgrid(coarse, coarse), -1).reshape(-1, 2))[:2]
    tilt, fine_sigma, log = search.best(best + np.stack(np.meshgrid(fine, fine), -1).reshape(-1, 2))
    share = _shares(log)
    mean = float(share @ search.log_scales)
    found = _tilted(up, tilt[None])[0]
    off = search.log_ratios(found) - mean
    is_on = np.abs(off) < WITHIN * HEIGHT_SIGMA
    count, expected = int(is_on.sum()), WITHIN * HEIGHT_SIGMA * int((off < OVERHEAD).sum())
    gain = count * np.log(count / expected) - (count - expected) if count > expected > 0 else 0.0
    if count < MIN_POINTS or gain < MIN_GAIN or sigma > MAX_TILT_SIGMA or _spread(points[is_on], centres) < MIN_SPREAD:
        return None
    deviation = float(np.sqrt(share @ (search.log_scales - mean) ** 2))
    return MapFloor(found, float(np.hypot(fine_sigma, SLOPE_SIGMA)), float(np.exp(mean)), float(np.hypot(deviation, HEIGHT_SIGMA)), count)


def _tilted(up: FloatArray, tilts: FloatArray) -> FloatArray:
    """Unit vectors (T,3) that are tilted by (T,2) rad from `up` (3,)."""
    ups = up + tilts @ np.linalg.svd(up[None])[2][1:]
    return np.asarray(ups / np.linalg.norm(ups, axis=1, keepdims=True))


def _spread(points: FloatArray, centres: FloatArray) -> float:
    """The standard deviation of points (N,3) on a plane across the line that they lie along, over their distance from `centres`."""
    distance = float(np.median(np.linalg.norm(points - np.median(centres, axis=0), axis=1)))
    return float(np.linalg.svd(points - points.mean(0), compute_uv=False)[1]) / np.sqrt(len(points)) / max(distance, 1e-9)


def _shares(log: FloatArray) -> FloatArray:
    """What is as likely as exp(log), of all together."""
    share = np.exp(log - log.max())
    return np.asarray(share / share.sum())


@dataclass(frozen=True)
class _Search:
    """As of `find_map_floor`; tilt_sigma, scale_sigma: of what is known beforehand."""

    points: FloatArray
    soles: FloatArray
    centres: FloatArray
    up: FloatArray
    tilt_sigma: float
    scale: float
    scale_sigma: float

    @property
    def log_scales(self) -> FloatArray:
        """(S,) that are tried."""
        return float(np.log(self.scale)) + np.arange(-REACH_OF_SCALE, REACH_OF_SCALE + BIN / 2, BIN)

    def log_ratios(self, up: FloatArray) -> FloatArray:
        """Logarithms (P,) of how far below the camera the soles are, m, over how far the points are, units; large for points above it."""
        stand = max(float(np.median(-self.soles @ up)), 1e-3)
        drop = float(np.median(self.centres @ up)) - self.points @ up
        return np.log(stand / np.maximum(drop, 1e-3 * stand / self.scale))

    def best(self, tilts: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        """The tilt (2,) of those (T,2) that the points speak for most, its standard deviation, rad, and there the logarithm (S,) of the
        likelihood ratio of each scale.
        """
        scales = self.log_scales
        margin = BIN * np.arange(1, round(MARGIN / BIN) + 1)
        bins = np.concatenate([scales[0] - margin[::-1], scales, scales[-1] + margin])
        edges = np.append(bins - BIN / 2, bins[-1] + BIN / 2)
        counts = np.array([np.histogram(np.clip(self.log_ratios(up), bins[0], bins[-1]), edges)[0] for up in _tilted(self.up, tilts)])
        log = TEMPER * counts @ _gain_of(bins[:, None] - scales)
        log -= 0.5 * ((scales - np.log(self.scale)) / self.scale_sigma) ** 2
        log -= 0.5 * (tilts**2).sum(1, keepdims=True) / self.tilt_sigma**2
        best = log.max(1)
        row, share = int(best.argmax()), _shares(best)
        return tilts[row], float(np.sqrt((share @ (tilts - tilts[row]) ** 2).max())), log[row]


def _gain_of(off: FloatArray) -> FloatArray:
    """The logarithm of the likelihood ratio of points whose log_ratio is `off` beyond the floor's: with a floor over without one."""
    on_floor = np.exp(-0.5 * (off / HEIGHT_SIGMA) ** 2) / (HEIGHT_SIGMA * np.sqrt(2 * np.pi))
    elsewhere = np.where(off < -WITHIN * HEIGHT_SIGMA, BELOW, 1.0) / HEIGHT_RANGE
    return np.asarray(np.log((1 - ON_FLOOR) * elsewhere + ON_FLOOR * on_floor) - np.log((1 - ON_FLOOR) / HEIGHT_RANGE))
