"""Which way is up by vertical edges of the background: the likelihood of a camera's pitch and roll.

An edge and the camera span a plane; if the edge is vertical, up lies in that plane. For a tilt, the edge's deviation is the angle at its
middle between its own direction and the direction to the vertical vanishing point. Edges are a mixture of vertical ones, with a normal
deviation, and of others, with any deviation. Lines on a floor that run away from the camera are others, too: those that do not
reach the horizon of a tilt are less often taken to be vertical. What repeats an edge, in other frames or as its other pieces, is left out.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.interpolate import RectBivariateSpline  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import FloatArray, IntArray
from ...core.cameras import points_on_rays, rays_from_pixels
from ..camera.vertical_lines import VerticalLines

# Pitches and rolls, rad, that cameras may have.
PITCHES, ROLLS = np.radians(np.arange(-60.0, 60.5)), np.radians(np.arange(-30.0, 30.5))
END_SIGMA = 0.7  # px of the image in which edges were found, of their ends
# How far vertical edges are from vertical, and from straight in the picture: of houses and of trees, with their shares.
EDGE_SIGMAS = ((0.7, np.radians(0.6)), (0.3, np.radians(3.0)))
OTHER_RANGE = np.radians(80.0)  # of the deviations of other edges
VERTICAL_SHARE = (0.35, 0.1)  # of the edges that end above and below the horizon
HORIZON_WIDTH = np.radians(2.0)  # of the transition between the two
SAME_EDGE = np.radians(1.0)  # planes within this are those of one edge
VERTICAL_WITHIN = 2.5  # sigma
NEAR = np.radians(1.0)  # steps about a direction that `contradicts` looks at
TELLING, CONTRADICTION = 3.0, 4.0  # logarithms of likelihood ratios from which edges tell up, and tell that something else is not
LENS_STEPS, CERTAIN_LENS = np.arange(-2.0, 2.1), 0.03  # lenses that are tried, in standard deviations; and one that needs no others
# Standard deviation of the pitch that all edges of a clip share: of pictures that were cropped the middle is not where the camera looked.
SHARED_PITCH_SIGMA = np.radians(2.0)
# Weight of what level edges say, beside TEMPER; and what they reach by chance, as of CHANCE: lines of many directions lie on floors.
LEVEL_TEMPER, LEVEL_CHANCE = 0.5, 3.0
LEVEL_STEP = 3  # tilts are as far apart, in steps of PITCHES and ROLLS, for which level edges are looked at
FLOOR_REACH, FLOOR_STEP = 0.28, 0.008  # rad, of the tilts that are tried about a floor's
CHANCE = 1.5  # logarithm of the likelihood ratio that edges reach by chance at some tilt though none is vertical
TEMPER = 0.6  # weight of an edge: neighbouring edges of one object share their error


@dataclass(frozen=True)
class PerpendicularEdges:
    """What edges in three perpendicular directions say (perpendicular_edges.py).

    zoom: the logarithm of the focal length over the assumed one, and zoom_sigma, its standard deviation. level: (P,R), the logarithm of the
    likelihood ratio by which level edges speak for tilts, at every LEVEL_STEP-th of PITCHES and of ROLLS. log_lens: the logarithms of the
    likelihoods of the ZOOMS of perpendicular_edges.py, or None if the lens was known.
    """

    zoom: float
    zoom_sigma: float
    level: FloatArray
    log_lens: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class EdgeEvidence:
    """A clip's edges through each lens that it may have been filmed through.

    planes: of the L lenses, of edges that may be vertical. log_weights: (L,), logarithms of their probabilities. perpendicular: what edges
    in three directions say, or None.
    """

    planes: tuple["EdgePlanes", ...]
    log_weights: FloatArray
    perpendicular: PerpendicularEdges | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no edge."""
        return not len(self.planes[0])

    @cached_property
    def on_grid(self) -> FloatArray:
        """`tilt_likelihood` over PITCHES and ROLLS."""
        return tilt_likelihood(self, PITCHES, ROLLS)


@dataclass(frozen=True)
class EdgePlanes:
    """Edges in the axes in which people are solved.

    middles: (E,3), unit directions of their middles; uppers: of their upper ends. normals: (E,3), of their planes. sigma: (E,) rad, of
    their directions as they were measured.
    """

    middles: FloatArray
    uppers: FloatArray
    normals: FloatArray
    sigma: FloatArray

    def __len__(self) -> int:
        return len(self.sigma)

    def chosen(self, rows: IntArray) -> "EdgePlanes":
        """Those of some rows."""
        return EdgePlanes(self.middles[rows], self.uppers[rows], self.normals[rows], self.sigma[rows])


def edge_evidence(
    lines: VerticalLines,
    intrinsics: FloatArray,
    camera_from_view: FloatArray | None = None,
    lens_sigma: float = 0.0,
    perpendicular: PerpendicularEdges | None = None,
) -> EdgeEvidence:
    """The evidence of edges; lens_sigma: the standard deviation of the logarithm of the focal length; else as of `edge_planes`.

    The tilt at which edges meet depends on the lens, and a wrong one blurs where they meet.
    """
    steps = LENS_STEPS if lens_sigma > CERTAIN_LENS else np.zeros(1)
    factors = np.exp(lens_sigma * steps)
    lines = lines.upright
    planes = [edge_planes(lines, intrinsics * [[factor, 1, 1], [1, factor, 1], [1, 1, 1]], camera_from_view) for factor in factors]
    log_weights = -0.5 * steps**2
    return EdgeEvidence(tuple(planes), log_weights - np.log(np.exp(log_weights).sum()), perpendicular)


def edge_planes(lines: VerticalLines, intrinsics: FloatArray, camera_from_view: FloatArray | None = None) -> EdgePlanes:
    """The planes of edges, one of each edge that is seen; camera_from_view: (F,3,3), how the camera was turned, or None."""
    planes = every_edge_plane(lines, intrinsics, camera_from_view)
    return planes.chosen(different_edges(planes))


def every_edge_plane(lines: VerticalLines, intrinsics: FloatArray, camera_from_view: FloatArray | None = None) -> EdgePlanes:
    """The planes of all edges; as of `edge_planes`."""
    rays = rays_from_pixels(lines.ends.reshape(-1, 2, 2), intrinsics)
    directions = points_on_rays(rays, np.ones(rays.shape[:-1]))
    if camera_from_view is not None:
        directions = directions @ camera_from_view[lines.rows]
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    upper, lower = directions[:, 0], directions[:, 1]
    middles, normals = upper + lower, np.cross(upper, lower)
    middles /= np.linalg.norm(middles, axis=-1, keepdims=True)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    length = np.linalg.norm(lines.ends[:, 2:] - lines.ends[:, :2], axis=-1) / lines.pixel
    return EdgePlanes(middles, upper, normals, np.sqrt(2) * END_SIGMA / length)


def different_edges(planes: EdgePlanes) -> IntArray:
    """The rows of planes that are not those of a longer edge."""
    same = np.abs(planes.normals @ planes.normals.T) > np.cos(SAME_EDGE)
    kept: list[int] = []
    for row in np.argsort(planes.sigma, kind="stable"):
        if not same[row, kept].any():
            kept.append(int(row))
    return np.array(kept, int)


def up_of_tilt(pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """Up (...,3) in the axes of cameras of this pitch and roll, rad."""
    return np.stack([-np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)], -1)


def tilt_of_up(up: FloatArray) -> tuple[float, float]:
    """The pitch and roll, rad, of `up_of_tilt`."""
    return float(np.arcsin(np.clip(-up[2], -1, 1))), float(np.arctan2(-up[0], -up[1]))


def deviations(planes: EdgePlanes, up: FloatArray) -> FloatArray:
    """The angles (N,E) rad of edges from the vertical of up (N,3)."""
    across = np.sqrt(np.maximum(1 - (up @ planes.middles.T) ** 2, 1e-6))
    return np.arcsin(np.clip((up @ planes.normals.T) / across, -1, 1))


def tilt_likelihood(evidence: EdgeEvidence, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """The logarithm of the likelihood (P,R) of pitches (P,) and rolls (R,) rad, over that of edges of which none is vertical.

    Pitches are evenly spaced.
    """
    step = pitch[1] - pitch[0] if len(pitch) > 1 else SHARED_PITCH_SIGMA
    reach = int(np.ceil(2 * SHARED_PITCH_SIGMA / step))
    wider = np.concatenate([pitch[0] - step * np.arange(reach, 0, -1), pitch, pitch[-1] + step * np.arange(1, reach + 1)])
    up = up_of_tilt(*np.meshgrid(wider, roll, indexing="ij")).reshape(-1, 3)
    log = np.logaddexp.reduce(
        [weight + _likelihood(planes, up) for weight, planes in zip(evidence.log_weights, evidence.planes, strict=True)]
    )
    kernel = np.exp(-0.5 * (step * np.arange(-reach, reach + 1) / SHARED_PITCH_SIGMA) ** 2)
    likelihood = sliding_window_view(np.exp(log).reshape(len(wider), len(roll)), len(kernel), axis=0) @ (kernel / kernel.sum())
    log = np.log(likelihood)
    return log if evidence.perpendicular is None else log + _log_level(evidence.perpendicular, pitch, roll)


def level_by_edges(evidence: EdgeEvidence, up: FloatArray, sigma: float) -> tuple[FloatArray, float]:
    """Up (3,) and its standard deviation, rad, from a floor's and vertical edges: floors are not quite level, and maps that are bent a
    little tilt them. Edges that are level say nothing here: they may be those of the floor.
    """
    steps = np.arange(-FLOOR_REACH, FLOOR_REACH + FLOOR_STEP / 2, FLOOR_STEP)
    pitch, roll = (angle + steps for angle in tilt_of_up(up))
    ups = up_of_tilt(*np.meshgrid(pitch, roll, indexing="ij"))
    log = tilt_likelihood(replace(evidence, perpendicular=None), pitch, roll) - (1 - ups @ up) / sigma**2
    share = np.exp(log - log.max())
    share /= share.sum()
    best = ups[np.unravel_index(int(log.argmax()), log.shape)]
    spread = float(np.sqrt((share[..., None] * (ups - best) ** 2).sum((0, 1)).max()))
    return best, float(np.hypot(spread, FLOOR_STEP / 2))


def _log_level(found: PerpendicularEdges, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """The logarithm of the likelihood ratio (P,R) of level edges at pitches (P,) and rolls (R,) rad, between those of `found`."""
    grid = PITCHES[::LEVEL_STEP], ROLLS[::LEVEL_STEP]
    between = RectBivariateSpline(*grid, found.level)
    places = (np.clip(angles, known[0], known[-1]) for angles, known in zip((pitch, roll), grid, strict=True))
    return np.logaddexp(LEVEL_TEMPER * np.asarray(between(*places)) - LEVEL_CHANCE, 0.0)


def _likelihood(planes: EdgePlanes, up: FloatArray) -> FloatArray:
    """The logarithm of the likelihood (N,) of up (N,3) through one lens."""
    rises = 1 / (1 + np.exp(-(up @ planes.uppers.T) / HORIZON_WIDTH))
    share = VERTICAL_SHARE[1] + (VERTICAL_SHARE[0] - VERTICAL_SHARE[1]) * rises
    squared, density = deviations(planes, up) ** 2, np.zeros(share.shape)
    for part, extra in EDGE_SIGMAS:
        variance = planes.sigma**2 + extra**2
        density += part * OTHER_RANGE / np.sqrt(2 * np.pi * variance) * np.exp(-0.5 * squared / variance)
    return np.logaddexp(TEMPER * np.log(1 - share + share * density).sum(1) - CHANCE, 0.0)


def count_telling_edges(evidence: EdgeEvidence, up: FloatArray) -> int:
    """How many edges are vertical if this is up (3,), through the lens that suits them best; 0 if they tell nothing."""
    log, planes = max(((float(_likelihood(each, up[None])[0]), each) for each in evidence.planes), key=lambda item: item[0])
    limit = VERTICAL_WITHIN * np.hypot(planes.sigma, EDGE_SIGMAS[0][1])
    return int((np.abs(deviations(planes, up[None])[0]) < limit).sum()) if log > TELLING else 0


def contradicts(evidence: EdgeEvidence, up: FloatArray, other: FloatArray) -> bool:
    """Whether the edges say that up (3,) is right and `other` (3,), or what is near it, is not."""

    def log(direction: FloatArray) -> float:
        pitch, roll = (angle + np.arange(-2, 3) * NEAR for angle in tilt_of_up(direction))
        return float(tilt_likelihood(evidence, pitch, roll).max())

    return log(up) - log(other) > CONTRADICTION
