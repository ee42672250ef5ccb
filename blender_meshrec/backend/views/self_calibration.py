"""Cameras that stand still, calibrated from the people whom they film.

A pair of views begins where lifted poses or an essential matrix put it (camera_start.py); keypoints then decide over cameras, lenses and
clocks, while bones keep their lengths (joint_adjustment.py). Scale is that of a person of usual stature, or of the height that is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import FloatArray
from .camera_start import start_from_keypoints, start_from_poses
from .joint_adjustment import (
    DELAY,
    LEAN,
    LEAN_SIGMA,
    NUM_UNKNOWNS,
    SHIFT,
    TURN,
    ZOOM,
    Adjusted,
    CameraPrior,
    Cameras,
    Moments,
    adjust_joints,
)
from .moments import moments_of_person, seen_by_view, single_view_points, spread_out
from .view_samples import SightLines, ViewSamples, lifted_length, sight_lines

PAIR_MOMENTS = 40
PAIR_ROUNDS, ROUNDS = 3, 6  # of adjusting, each with the lengths of bones that the one before found
MIN_MOMENTS = 5  # that two views have in common
# What is assumed of a camera before: its direction, rad, and place, m, are hardly known.
FREE_TURN, FREE_SHIFT = 1.0, 5.0
SAME_SIZE = 0.02  # share by which the sides of pictures of one kind of camera may differ


@dataclass(frozen=True)
class CameraGuess:
    """V views: view_from_first (V,4,4), and what is assumed of their lenses and clocks: zoom_sigma (V,) and delay_sigma (V,) s.

    is_one_kind: whether the first two have lenses of one kind, if they are unknown.
    """

    view_from_first: FloatArray
    zoom_sigma: FloatArray
    delay_sigma: FloatArray
    is_one_kind: bool = False

    def prior(self, turn: float, shift: float) -> CameraPrior:
        """The prior of an adjustment in which all but the first camera may turn, rad, and move, m, so far."""
        sigma = np.zeros((len(self.view_from_first), NUM_UNKNOWNS))
        sigma[1:, TURN], sigma[1:, SHIFT] = turn, shift
        sigma[:, LEAN] = LEAN_SIGMA
        sigma[:, ZOOM], sigma[1:, DELAY] = self.zoom_sigma[:, None], self.delay_sigma[1:, None]
        groups = [(0, 1)] if self.is_one_kind else []
        return CameraPrior(Cameras.placed(self.view_from_first), sigma, lens_groups=groups)


def adjust_with_lengths(
    moments: Moments, people: Sequence[np.ndarray], points: FloatArray, prior: CameraPrior, rounds: int, is_size_seen: bool
) -> tuple[Adjusted, Moments]:
    """Adjust joints and cameras, and the lengths of bones in turn.

    Args:
        people: whose moments are whose, (M,) each. is_size_seen: whether lengths are as seen, else their sum stays.
    """
    adjusted = adjust_joints(moments, points, prior)
    for _ in range(rounds - 1):
        moments = moments.with_lengths_of(adjusted.points, people, is_size_seen)
        if is_size_seen:  # cameras that are free would take up the errors that are measured
            moments = moments.with_joint_sigma_of(adjusted.points, adjusted.cameras)
        again = adjust_joints(moments, adjusted.points, replace(prior, start=adjusted.cameras))
        adjusted = again
    return adjusted, moments


@dataclass(frozen=True)
class PairFit:
    """Two views of one person: view_from_first (4,4), the delay of the second, s, the zoom of both lenses, and a moment's energy."""

    view_from_first: FloatArray
    delay: float
    zoom: tuple[float, float]
    energy: float


def fit_pair(
    samples: Sequence[ViewSamples],
    intrinsics: Sequence[FloatArray],
    sizes: Sequence[FloatArray],
    times: FloatArray,
    lens_sigma: FloatArray,
    delay_sigma: float,
) -> PairFit | None:
    """Calibrate two views from one person whom both see; None where they have too little in common."""
    lengths = lifted_length(samples)
    moments = moments_of_person(samples, intrinsics, sizes, times, lengths)
    rows = np.flatnonzero(seen_by_view(moments).all(0))
    if len(rows) < MIN_MOMENTS:
        return None
    rows = spread_out(rows, PAIR_MOMENTS)
    lines = [sight_lines(*view, times) for view in zip(samples, intrinsics, sizes, strict=True)]
    points = [single_view_points(view, line) for view, line in zip(samples, lines, strict=True)]
    best: PairFit | None = None
    for start in _starts(points, lines, rows):
        guess = CameraGuess(np.stack([np.eye(4), start]), lens_sigma, np.array([0.0, delay_sigma]), are_of_one_kind(sizes, lens_sigma))
        adjusted, _ = adjust_with_lengths(
            moments.take(rows), [np.ones(len(rows), bool)], points[0][rows], guess.prior(FREE_TURN, FREE_SHIFT), PAIR_ROUNDS, False
        )
        energy = float(adjusted.energy.mean())
        if best is None or energy < best.energy:
            found = adjusted.cameras
            best = PairFit(found.matrices[1], float(found.delay[1]), (float(found.zoom[0]), float(found.zoom[1])), energy)
    return best


def _starts(points: Sequence[FloatArray], lines: Sequence[SightLines], rows: np.ndarray) -> list[FloatArray]:
    """Where the second view may be, (4,4) each."""
    seen = np.zeros(len(points[0]), bool)
    seen[rows] = True
    rays, weights = (tuple(getattr(line, name)[rows] for line in lines) for name in ("rays", "weights"))
    found = start_from_keypoints((rays[0], rays[1]), (weights[0], weights[1]), float(np.median(points[0][rows][..., 2])))
    return [start_from_poses(points[0], points[1], seen), *([] if found is None else [found])]


def are_of_one_kind(sizes: Sequence[FloatArray], lens_sigma: FloatArray) -> bool:
    """Whether two cameras whose lenses are not known seem to be of one kind: their pictures (width, height) px are of one size."""
    return bool(lens_sigma.min() > 0 and np.abs(sizes[1] / sizes[0] - 1).max() < SAME_SIZE)


def zoomed_intrinsics(intrinsics: FloatArray, zoom: float) -> FloatArray:
    """Intrinsics (3,3) px with a focal length exp(zoom) times as long."""
    return intrinsics * [[np.exp(zoom), 1, 1], [1, np.exp(zoom), 1], [1, 1, 1]]
