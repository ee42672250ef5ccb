"""The path of a camera that moves through the scene, from matches of the background.

Matches are chained into points. Key frames are placed one after another from several starts, with several focal lengths where it is not
known, and the best of the results is adjusted together with the points; then the frames between are fitted to these. A result that
explains little, that a turning camera explains as well, or whose own uncertainty is large, is none. How large the errors of corners are
is told by the fit itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.messages import Message
from .path_between_keys import fit_all_frames, interpolate_cameras
from .path_start import PathGrowth, TwoViews, adjust_part, choose_key_frames, place_points, placed_part, two_view_starts
from .point_tracks import PointTracks, chain_matches
from .rotation_adjustment import Matches
from .scene_adjustment import (
    LEAST_NOISE,
    NOISE,
    OUTLIER_SCALE,
    REPEATED_ERRORS,
    Scene,
    centre_deviations,
    depths,
    noise_factor,
    residuals,
    robust_cost,
)
from .seen_depths import SeenDepths

MIN_FRAMES, MIN_POINTS = 5, 30
UNKNOWN_LENS = 0.2  # deviation of the focal length's logarithm from which the path does not tell it
UNSURE_LENS = 0.1  # deviation of the focal length's logarithm from which several are tried
TRIED_FOCALS = (1.0, 0.75, 1.33)
GROWTH_SIGMA = 0.03  # of the focal length's logarithm, while key frames are added
SAME_COST, AGREEING_RESULTS = 0.02, 3  # results of two starts whose costs differ by less than this share are one, from so many tried on
SEED_FRAMES = 6  # key frames by which the ways of a start are compared
MIN_KEYS_PLACED, MIN_EXPLAINED = 0.8, 0.6  # shares of the key frames, and of the observations
FAR = 0.02  # of the median point's inverse distance: start of points whose distance is not known
TOO_NEAR = 5.0  # of the median point's inverse distance: nearer points say nothing of how certain a path is
# Standard deviation of the key frames' places, of the path's extent, from which a path is not believed.
MAX_UNCERTAINTY = 0.3
# Of independent errors, an unknown that explains nothing lowers the cost by 1, in variances; measured: 0.2 where the camera turns, and
# from 3.7 to 36 where it moves.
GAIN_OF_UNKNOWN = 3.0
STAGES = ((6, 6.0), (6, 3.0), (20, OUTLIER_SCALE))  # steps, and px of the small image from which weights fall
SEED_STAGES = ((5, 3.0), (5, OUTLIER_SCALE))

OnStep: TypeAlias = Callable[[int, int], None]  # steps done, and of how many at most


@dataclass(frozen=True)
class MovingPath:
    """A camera's path over the F frames of a shot.

    camera_from_first: (F,3,3). centres: (F,3) in the first camera's axes; the median point is 1 away. log_focal: of px, and its
    standard deviation. confidence: (F,) 0..1. explained: share of the observations within OUTLIER_SCALE. uncertainty: standard deviation
    of the key frames' places, as a share of the path's extent. seen: the points that the path explains.
    """

    camera_from_first: FloatArray
    centres: FloatArray
    log_focal: float
    log_focal_sigma: float
    confidence: FloatArray
    explained: float
    uncertainty: float
    seen: SeenDepths

    @property
    def focal(self) -> float:
        """px."""
        return float(np.exp(self.log_focal))


@dataclass(frozen=True)
class _Result:
    """Placed key frames (K,) and points. cost: over all observations."""

    cost: float
    first: int
    is_placed: BoolArray
    scene: Scene


def solve_moving_path(
    matches: Matches, num_frames: int, prior: tuple[float, float], on_step: OnStep = lambda done, total: None
) -> MovingPath | Message:
    """The path of a shot's camera, or why there is none.

    Args:
        matches: of the shot, px from the image's middle. prior: the focal length's logarithm and its standard deviation.
        on_step: called before each step; an exception from it ends the solve.
    """
    few = Message("camera-path-few-points", "its background shows too few points that can be followed")
    tracks = chain_matches(matches, num_frames)
    if num_frames < MIN_FRAMES or tracks.num_points < MIN_POINTS:
        return few
    is_key = choose_key_frames(tracks)
    keys = tracks.within(is_key)
    if keys.num_points < MIN_POINTS or keys.num_frames < 3:
        return few
    result = _best_result(keys, prior, on_step)
    if result is None or result.is_placed.mean() < MIN_KEYS_PLACED:
        return Message("camera-path-not-found", "no path explains how the background moves")
    if not _moves(keys, result, prior):
        return Message("camera-path-no-parallax", "near and far things hardly move against each other")
    uncertainty, sigma = _uncertainty(keys, result, prior)
    if sigma > UNKNOWN_LENS:  # the path has to fit the lens that is taken
        result = _settle(keys, replace(result, scene=replace(result.scene, log_focal=prior[0])), (prior[0], 0.0), STAGES)
    if uncertainty > MAX_UNCERTAINTY:
        return Message("camera-path-unsure", "its path is uncertain by {share:.0f} % of its extent", share=100 * uncertainty)
    return _path_of_all_frames(tracks, is_key, result, uncertainty, sigma)


def _best_result(keys: PointTracks, prior: tuple[float, float], on_step: OnStep) -> _Result | None:
    """The key frames' path with the lowest cost, of several starts, which have to agree or be all."""
    starts = _starts(keys, prior)
    focals = TRIED_FOCALS if prior[1] > UNSURE_LENS else TRIED_FOCALS[:1]
    results: list[tuple[int, _Result]] = []
    for done, (factor, number) in enumerate(product(focals, range(len(starts)))):
        on_step(done, len(starts) * len(focals))
        results.append((number, _grow(keys, starts[number], prior[0] + float(np.log(factor)), prior)))
        (first, one), *others = sorted(results, key=lambda result: result[1].cost)
        if done >= AGREEING_RESULTS - 1 and any(other != first and two.cost < (1 + SAME_COST) * one.cost for other, two in others):
            break
    if not results:
        return None
    best = sorted((result for _number, result in results), key=lambda result: result.cost)[:2]
    return min((_settle(keys, result, prior, STAGES[2:]) for result in best), key=lambda result: result.cost)


def _starts(keys: PointTracks, prior: tuple[float, float]) -> list[TwoViews]:
    """Of each pair of key frames to start from the way that explains the frames beside them best."""
    found: list[TwoViews] = []
    for ways in two_view_starts(keys, float(np.exp(prior[0]))):
        found.append(ways[0] if len(ways) == 1 else min(ways, key=lambda way: _seed_cost(keys, way, prior)))
    return found


def _seed_cost(keys: PointTracks, start: TwoViews, prior: tuple[float, float]) -> float:
    """The robust cost of an observation, px^2 of the small image, in the frames that are placed first; more where few can be."""
    growth = PathGrowth(keys, start, (prior[0], GROWTH_SIGMA))
    growth.grow(SEED_FRAMES)
    scene = place_points(keys, growth.scene.rotations, growth.scene.centres, growth.is_placed, growth.scene.focal)
    result = _settle(keys, _Result(np.inf, start.first, growth.is_placed, scene), prior, SEED_STAGES)
    placed = result.is_placed[keys.frames]
    cost = robust_cost(residuals(keys, result.scene)[placed], OUTLIER_SCALE) / max(int(placed.sum()), 1)
    return cost * (SEED_FRAMES / max(int(result.is_placed.sum()), 1)) ** 2


def _grow(keys: PointTracks, start: TwoViews, log_focal: float, prior: tuple[float, float]) -> _Result:
    """A path from one start, adjusted a little."""
    growth = PathGrowth(keys, start, (log_focal, GROWTH_SIGMA))
    growth.grow()
    scene = place_points(keys, growth.scene.rotations, growth.scene.centres, growth.is_placed, growth.scene.focal)
    return _settle(keys, _Result(np.inf, start.first, growth.is_placed, scene), prior, STAGES[:2])


def _settle(keys: PointTracks, result: _Result, prior: tuple[float, float], stages: Sequence[tuple[int, float]]) -> _Result:
    """A result adjusted with all points; those whose distance is not known begin far away."""
    scene = result.scene
    known = scene.inverse[np.isfinite(scene.inverse)]
    far = FAR * float(np.median(known)) if len(known) else FAR
    scene = replace(scene, inverse=np.where(np.isfinite(scene.inverse), scene.inverse, far))
    for steps, scale in stages:
        scene = adjust_part(keys, scene, result.is_placed, prior, steps, scale, result.first)
    return replace(result, cost=_cost(keys, scene, result.is_placed), scene=scene)


def _cost(keys: PointTracks, scene: Scene, is_placed: BoolArray) -> float:
    """The robust cost of all observations, px^2 of the small image; those of frames that are not placed are outliers."""
    placed = is_placed[keys.frames]
    return robust_cost(residuals(keys, scene)[placed], OUTLIER_SCALE) + OUTLIER_SCALE**2 * float((~placed).sum())


def _moves(keys: PointTracks, result: _Result, prior: tuple[float, float]) -> bool:
    """Whether the path explains the observations so much better than a camera that turns in place that its unknowns are worth it."""
    scene = result.scene
    zero = {"centres": 0 * scene.centres, "base": 0 * scene.base, "inverse": 0 * scene.inverse}
    far = replace(scene, **zero)
    turning = adjust_part(keys, far, result.is_placed, prior, 15, 3.0, result.first)
    turning = adjust_part(keys, turning, result.is_placed, prior, 5, OUTLIER_SCALE, result.first)
    gain = (_cost(keys, turning, result.is_placed) - result.cost) / NOISE**2
    more = 3 * int(result.is_placed.sum()) + keys.num_points
    return gain > GAIN_OF_UNKNOWN * more


def _path_of_all_frames(tracks: PointTracks, is_key: BoolArray, result: _Result, uncertainty: float, sigma: float) -> MovingPath | Message:
    """The path of all frames from that of the key frames."""
    rows = np.flatnonzero(is_key)[result.is_placed]
    order = np.argsort(rows)
    placed = np.flatnonzero(result.is_placed)[order]
    distance = float(np.median(1 / np.maximum(result.scene.inverse, 1e-3 * np.median(result.scene.inverse))))
    known = _points_of_keys(tracks, is_key)
    rotations, centres = interpolate_cameras(rows[order], result.scene.rotations[placed], result.scene.centres[placed], tracks.num_frames)
    scene = fit_all_frames(known, replace(result.scene, rotations=rotations, centres=centres), distance)
    near = np.linalg.norm(residuals(known, scene), axis=1) < OUTLIER_SCALE
    explained = float(near.mean())
    if explained < MIN_EXPLAINED:
        return Message("camera-path-explains-little", "its path explains only {share:.0f} % of the background", share=100 * explained)
    good = np.bincount(known.frames[near], minlength=tracks.num_frames)
    share = good / np.maximum(np.bincount(known.frames, minlength=tracks.num_frames), 1)
    first = scene.rotations[0]
    seen = SeenDepths(
        known.frames[near], known.points[near], known.pixels[near], depths(known, scene)[near] / distance, LEAST_NOISE * tracks.pixel
    )
    return MovingPath(
        scene.rotations @ first.T,
        (scene.centres - scene.centres[0]) @ first.T / distance,
        scene.log_focal,
        sigma,
        np.clip(good / 30, 0, 1) * np.clip(1.5 * share, 0, 1),
        explained,
        uncertainty,
        seen,
    )


def _points_of_keys(tracks: PointTracks, is_key: BoolArray) -> PointTracks:
    """The observations, in all frames, of the points that `within` keeps for the key frames, by their numbers there."""
    inside = is_key[tracks.frames]
    views = tracks.views(tracks.frames[inside], tracks.points[inside])
    number = np.cumsum(views >= 2) - 1
    kept = views[tracks.points] >= 2
    frames, points, pixels = tracks.frames[kept], number[tracks.points[kept]], tracks.pixels[kept]
    return replace(tracks, frames=frames, points=points, pixels=pixels, num_points=int((views >= 2).sum()))


def _uncertainty(keys: PointTracks, result: _Result, prior: tuple[float, float]) -> tuple[float, float]:
    """The standard deviation of the placed key frames' places, as a share of their extent, and that of the focal length's logarithm."""
    # What seems to lie right before the camera explains its few views by that, and would make the path look certain.
    is_far = result.scene.inverse < TOO_NEAR * np.median(result.scene.inverse)
    chosen = result.is_placed[keys.frames] & is_far[keys.points]
    part, cameras, points = placed_part(keys, chosen, result.is_placed, result.first)
    own = result.scene.some(cameras, points)
    deviations, sigma = centre_deviations(part, own, prior)
    extent = float(np.linalg.norm(own.centres - own.centres.mean(0), axis=1).max())
    factor = REPEATED_ERRORS * noise_factor(part, own)
    return factor * float(np.sqrt((deviations**2).mean())) / max(extent, 1e-9), factor * sigma
