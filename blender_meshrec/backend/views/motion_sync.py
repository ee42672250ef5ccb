"""When several views show the same moment, by how the people in them move.

Distances between a person's joints do not depend on the camera: how fast they change, as the lifter sees them in two views, is compared for
every shift in time. The adjustment of joints and cameras then finds the rest, a fraction of a frame (joint_adjustment.py).
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.records import Estimate, Observations
from ...core.skeletons import H36M17, limb_indices
from ...core.time_series import interpolate_over_time

RATE = 60.0  # Hz, at which motions are compared
SMOOTHING = 0.05  # s
MIN_OVERLAP = 0.5  # s that two views have in common at least, or this share of the shorter one
MIN_OVERLAP_SHARE = 0.4
CLEAR_PEAK = 0.25  # correlation from which a shift is told by the motion
# Views that were cut to begin together are believed where the motion is nearly as much alike as at its best.
ALIKE = 0.85
_PAIRS = np.array(list(combinations(limb_indices(H36M17), 2)))


class MotionDelay(NamedTuple):
    """By how much the second view's clock is ahead, s, and the correlation of the motions there, -1 to 1."""

    delay: float
    correlation: float


def motion_signal(estimate: Estimate, observations: Observations, times: FloatArray) -> FloatArray:
    """How fast the distances (N,66) of a person's limb joints change, 1/s, at RATE from the first time on; 0 without the person."""
    grid = np.arange(times[0], times[-1] + 0.5 / RATE, 1 / RATE)
    visible = observations.visible
    if visible.sum() < 3:
        return np.zeros((len(grid), len(_PAIRS)))
    joints = np.asarray(estimate.joints, float)[visible]
    distances = np.linalg.norm(joints[:, _PAIRS[:, 0]] - joints[:, _PAIRS[:, 1]], axis=-1)
    distances = interpolate_over_time(grid, times[visible], distances / np.median(distances, 0).sum())
    reach = int(np.ceil(3 * SMOOTHING * RATE))
    steps = np.arange(-reach, reach + 1) / RATE
    kernel = np.exp(-0.5 * (steps / SMOOTHING) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(distances, ((reach, reach), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(column, kernel, "valid") for column in padded.T], 1)
    return np.gradient(smooth, 1 / RATE, axis=0) * _is_near(grid, times[visible])[:, None]


def _is_near(grid: FloatArray, known: FloatArray) -> BoolArray:
    """Whether a time of the grid is near one of the known times."""
    after = np.clip(np.searchsorted(known, grid), 1, len(known) - 1)
    return np.minimum(np.abs(grid - known[after]), np.abs(grid - known[after - 1])) <= 0.1


def motion_delay(first: FloatArray, second: FloatArray) -> MotionDelay:
    """By how much a motion (N,C) of `motion_signal` comes later in the second view's clock (M,C); both clocks begin at 0."""
    correlation, lags = _correlations(first, second)
    best = int(np.argmax(correlation))
    here = int(np.argmin(np.abs(lags)))
    if lags[here] == 0 and correlation[here] >= ALIKE * correlation[best]:
        best = here
    return MotionDelay(float(lags[best]) / RATE, float(correlation[best]))


def _correlations(first: FloatArray, second: FloatArray) -> tuple[FloatArray, IntArray]:
    """The correlation (L,) at each lag (L,), samples: second[n + lag] belongs to first[n]."""
    n, m = len(first), len(second)
    size = 1 << int(np.ceil(np.log2(n + m)))

    def correlate(a: FloatArray, b: FloatArray) -> FloatArray:
        product = np.conj(np.fft.rfft(a, size, axis=0)) * np.fft.rfft(b, size, axis=0)
        return np.fft.irfft(product.sum(1), size)

    lags = np.arange(-(n - 1), m)
    least = min(n, m, max(int(MIN_OVERLAP * RATE), int(MIN_OVERLAP_SHARE * min(n, m))))
    overlap = np.minimum(n, m - lags) - np.maximum(0, -lags)
    lags = lags[overlap >= least]
    energy = [(values**2).sum(1, keepdims=True) for values in (first, second)]
    common = correlate(energy[0], np.ones((m, 1)))[lags] * correlate(np.ones((n, 1)), energy[1])[lags]
    return correlate(first, second)[lags] / np.sqrt(np.maximum(common, 1e-20)), lags
