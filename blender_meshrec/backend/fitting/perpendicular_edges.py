"""The lens and the tilt of a camera by edges in three perpendicular directions, as rooms, houses and furniture have them.

Edges that are parallel in space meet in the picture, in a vanishing point, and vanishing points of perpendicular directions tell the focal
length: only through the right lens are the directions perpendicular. An edge is vertical, or level in one of two perpendicular directions,
or neither, with shares of each. For each lens the likeliest turn of the three directions is sought.

Source: Coughlan and Yuille 1999, "Manhattan World"; the focal length with it: Schindler and Dellaert 2004, "Atlanta World".
"""

from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ..camera.vertical_lines import VerticalLines
from .tilt_from_lines import (
    EDGE_SIGMAS,
    LEVEL_STEP,
    PITCHES,
    ROLLS,
    TEMPER,
    EdgePlanes,
    PerpendicularEdges,
    deviations,
    different_edges,
    every_edge_plane,
    up_of_tilt,
)

# Focal lengths that are tried, as logarithms over the assumed one.
ZOOMS = np.arange(-0.7, 1.51, 0.1)
SHARES = (0.25, 0.15, 0.15)  # of the edges that are vertical, and level in either direction
OTHER_RANGE = np.pi  # of the deviations of other edges, rad
# How much the edges' say on the lens weighs: furniture that stands askew agrees with some lens, too. And how well they tell it at best.
LENS_TEMPER, LEAST_LENS_SIGMA = 0.7, 0.03
CAMERAS_SIGMA = 0.3  # of the logarithms of the focal lengths of cameras: telephones have shorter ones than the assumed one
LEAST_EDGES, MOST_EDGES = 30, 160  # that can tell three directions, and that are looked at: the longest
# The first search, over degrees of pitch, roll and yaw, where edges deviate by so much more; how many of its modes are refined, in which
# steps.
FIRST_PITCHES, FIRST_ROLLS, FIRST_YAWS = np.arange(-40.0, 61.0, 4.0), np.arange(-32.0, 33.0, 4.0), np.arange(0.0, 90.0, 4.0)
FIRST_SIGMA, MODES, MODE_DISTANCE, STEPS = np.radians(2.0), 4, 8.0, (2.0, 1.0, 0.5, 0.25)
MAX_MOVES = 8  # in steps of one size
# Tilts, headings, degrees, and lenses, standard deviations, for which level edges are looked at, where edges deviate by so much more.
TILT_PITCHES, TILT_ROLLS, TILT_YAWS = (np.degrees(PITCHES[::LEVEL_STEP]), np.degrees(ROLLS[::LEVEL_STEP]), np.arange(0.0, 90.0, 3.0))
TILT_LENSES, TILT_BLUR = np.array([-1.0, 0.0, 1.0]), np.radians(1.5)
_CORNERS = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3, indexing="ij"), -1).reshape(-1, 3)
_FIRST = np.stack(np.meshgrid(FIRST_PITCHES, FIRST_ROLLS, FIRST_YAWS, indexing="ij"), -1).reshape(-1, 3)


class Turn(NamedTuple):
    """angles: (3,) degrees, pitch, roll and yaw of the three directions. log: the logarithm of the likelihood of the edges, over that of
    edges in any direction."""

    angles: FloatArray
    log: float


def find_perpendicular_edges(
    lines: VerticalLines, intrinsics: FloatArray, camera_from_view: FloatArray | None, lens_sigma: float, is_lens_open: bool = True
) -> PerpendicularEdges | None:
    """What edges in three perpendicular directions say of the lens and the tilt; None if there are too few.

    Args:
        camera_from_view: (F,3,3), how the camera was turned, or None. lens_sigma: the standard deviation of the logarithm of the focal
            length. is_lens_open: whether nothing but people tells the lens; else it stays.
    """
    rows = different_edges(every_edge_plane(lines, intrinsics, camera_from_view))[:MOST_EDGES]
    if len(rows) < LEAST_EDGES:
        return None
    zoom, sigma, log_lens = 0.0, lens_sigma, None
    if is_lens_open and lens_sigma > LEAST_LENS_SIGMA:
        log_lens = log_of_lenses(lines, intrinsics, camera_from_view, rows)
        found, found_sigma = lens_of_edges(log_lens)
        # Edges that tell less than what is assumed leave it as it is.
        zoom, sigma = (found, found_sigma) if found_sigma < lens_sigma else (zoom, sigma)
    return PerpendicularEdges(zoom, sigma, level_gain(lines, zoomed(intrinsics, zoom), camera_from_view, sigma, rows), log_lens)


def log_of_lenses(lines: VerticalLines, intrinsics: FloatArray, camera_from_view: FloatArray | None, rows: IntArray) -> FloatArray:
    """The logarithms of the likelihoods of ZOOMS, of the edges of some rows, over that of the likeliest."""
    logs = np.array([
        likeliest_turn(every_edge_plane(lines, zoomed(intrinsics, zoom), camera_from_view).chosen(rows)).log for zoom in ZOOMS
    ])  # fmt: skip
    return LENS_TEMPER * (logs - logs.max())


def lens_of_edges(log_lens: FloatArray) -> tuple[float, float]:
    """The `zoom` and the `zoom_sigma` of PerpendicularEdges, of the likelihoods of ZOOMS."""
    probability = np.exp(log_lens - 0.5 * (ZOOMS / CAMERAS_SIGMA) ** 2)
    probability /= probability.sum()
    zoom = float(probability @ ZOOMS)
    return zoom, max(float(np.sqrt(probability @ (ZOOMS - zoom) ** 2)), LEAST_LENS_SIGMA)


def level_gain(
    lines: VerticalLines, intrinsics: FloatArray, camera_from_view: FloatArray | None, lens_sigma: float, rows: IntArray
) -> FloatArray:
    """The `level` of PerpendicularEdges: a mean over headings and lenses, of the edges of some rows, over vertical edges alone."""
    pitch, roll = np.meshgrid(TILT_PITCHES, TILT_ROLLS, indexing="ij")
    angles = np.stack([pitch.ravel(), roll.ravel(), np.zeros(pitch.size)], -1)
    steps = TILT_LENSES if lens_sigma > LEAST_LENS_SIGMA else TILT_LENSES[1:2]
    gains: list[FloatArray] = []
    for step in steps:
        planes = every_edge_plane(lines, zoomed(intrinsics, lens_sigma * step), camera_from_view).chosen(rows)
        upright = log_likelihood(planes, angles, TILT_BLUR, (SHARES[0], 0.0, 0.0))
        of_headings = [log_likelihood(planes, angles + [0, 0, yaw], TILT_BLUR) - upright for yaw in TILT_YAWS]
        gains.append(np.logaddexp.reduce(of_headings) - np.log(len(of_headings)))
    weights = -0.5 * steps**2 - np.log(np.exp(-0.5 * steps**2).sum())
    return np.logaddexp.reduce(np.array(gains) + weights[:, None]).reshape(pitch.shape)


def zoomed(intrinsics: FloatArray, zoom: float) -> FloatArray:
    """Intrinsics (3,3) with a focal length exp(zoom) times as long."""
    factor = float(np.exp(zoom))
    return intrinsics * [[factor, 1, 1], [1, factor, 1], [1, 1, 1]]


def likeliest_turn(planes: EdgePlanes) -> Turn:
    """The likeliest turn of three perpendicular directions."""
    log = log_likelihood(planes, _FIRST, FIRST_SIGMA)
    starts: list[FloatArray] = []
    for row in np.argsort(-log, kind="stable"):
        if all(np.abs(_FIRST[row] - other).max() > MODE_DISTANCE for other in starts):
            starts.append(_FIRST[row])
        if len(starts) == MODES:
            break
    ends = np.array([refined(planes, start) for start in starts])
    logs = log_likelihood(planes, ends)
    return Turn(ends[int(logs.argmax())], float(logs.max()))


def refined(planes: EdgePlanes, angles: FloatArray) -> FloatArray:
    """The likeliest turn (3,) near another, degrees."""
    for step in STEPS:
        for _ in range(MAX_MOVES):
            around = angles + step * _CORNERS
            best = int(log_likelihood(planes, around, np.radians(step) / 2).argmax())
            angles = around[best]
            if not _CORNERS[best].any():
                break
    return angles


def log_likelihood(planes: EdgePlanes, angles: FloatArray, blur: float = 0.0, shares: tuple[float, float, float] = SHARES) -> FloatArray:
    """The logarithm (N,) of the likelihood of turns (N,3), degrees; blur: rad, by which edges deviate in addition."""
    density = np.full((len(angles), len(planes)), 1 - sum(shares))
    axes = directions(angles)
    for k, share in enumerate(shares):
        if share:
            squared = deviations(planes, axes[:, k]) ** 2
            for part, extra in ((1.0, EDGE_SIGMAS[0][1]),) if blur >= FIRST_SIGMA else EDGE_SIGMAS:
                variance = planes.sigma**2 + extra**2 + blur**2
                density += share * part * OTHER_RANGE / np.sqrt(2 * np.pi * variance) * np.exp(-0.5 * squared / variance)
    return TEMPER * np.log(density).sum(1)


def directions(angles: FloatArray) -> FloatArray:
    """Up and two level directions (N,3,3), in camera axes, of pitches, rolls and yaws (N,3) in degrees."""
    pitch, roll, yaw = np.radians(angles).T
    up = up_of_tilt(pitch, roll)
    forward = np.array([0.0, 0.0, 1.0]) - up[:, 2:] * up
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    one = np.cos(yaw)[:, None] * forward + np.sin(yaw)[:, None] * np.cross(forward, up)
    return np.stack([up, one, np.cross(one, up)], 1)
