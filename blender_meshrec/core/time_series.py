"""Numbers over time: interpolation at uneven sample times, moving windows in seconds, and weighted quantiles."""

from itertools import pairwise

import numpy as np

from .array_types import ArrayLike, FloatArray, IntArray

# In a longer gap than this, s, a person is held where they were last seen: nobody knows the way that they went.
LONGEST_GAP = 1.0


def frame_rate(timestamps: ArrayLike, usual: float = 30.0) -> float:
    """Frames a second of timestamps (F,) s, by the median interval; `usual` of a single one."""
    intervals = np.diff(np.asarray(timestamps, float))
    return 1 / max(float(np.median(intervals)), 1e-4) if len(intervals) else usual


def bracketing_samples(times: ArrayLike, known_times: FloatArray, longest_gap: float = np.inf) -> tuple[IntArray, IntArray, FloatArray]:
    """The samples before and after each of `times`, for interpolation.

    Args:
        times: (F,) s. known_times: (K,) s, strictly rising. longest_gap: s; between samples that are farther apart the first one holds.

    Returns:
        Indices (F,) of the sample before and of the sample after, and the weight (F,) 0..1 of the latter. Times outside
        the samples get the first or the last sample.
    """
    position = np.interp(np.asarray(times, float), known_times, np.arange(len(known_times)))
    before = np.floor(position).astype(int)
    after = np.minimum(before + 1, len(known_times) - 1)
    is_held = known_times[after] - known_times[before] > longest_gap + 1e-6
    return before, after, np.where(is_held, 0.0, position - before)


def interpolate_over_time(times: ArrayLike, known_times: FloatArray, values: ArrayLike, longest_gap: float = np.inf) -> FloatArray:
    """Values (K, ...) known at rising times (K,), at `times` (F,): linear in between, constant beyond the ends.

    longest_gap: s; between samples that are farther apart the first one holds.
    """
    values = np.asarray(values, float)
    before, after, weight = bracketing_samples(times, known_times, longest_gap)
    weight = weight.reshape(-1, *(1,) * (values.ndim - 1))
    return (1 - weight) * values[before] + weight * values[after]


def interpolate_cubic(times: ArrayLike, known_times: FloatArray, values: ArrayLike) -> FloatArray:
    """Values (K, ...) known at rising times (K,), at `times` (F,): cubic in between, constant beyond the ends.

    A peak between two samples is kept as far as their neighbours show it. Source: cubic Hermite interpolation, whose slope at a sample is
    that of the parabola through it and its neighbours (Bessel's; at even steps, Catmull and Rom 1974).
    """
    values, known_times = np.asarray(values, float), np.asarray(known_times, float)
    if len(values) < 3:
        return interpolate_over_time(times, known_times, values)
    before, after, weight = bracketing_samples(times, known_times)
    column = (-1, *(1,) * (values.ndim - 1))
    steps = np.diff(known_times).reshape(column)
    speeds = np.diff(values, axis=0) / steps
    inner = (steps[1:] * speeds[:-1] + steps[:-1] * speeds[1:]) / (steps[1:] + steps[:-1])
    slopes = np.concatenate([speeds[:1], inner, speeds[-1:]])
    x, step = weight.reshape(column), steps[np.minimum(before, len(steps) - 1)]
    eased = smoothstep(x)
    tangents = x * (1 - x) * step * ((1 - x) * slopes[before] - x * slopes[after])
    return (1 - eased) * values[before] + eased * values[after] + tangents


def interpolate_missing(values: FloatArray, known: ArrayLike, times: FloatArray) -> FloatArray:
    """Values (F,K, ...) with those that are not `known` (F,K) interpolated over times (F,) s, each column k on its own.

    Columns of which nothing is known stay as they are.
    """
    values, known = np.array(values, float), np.asarray(known, bool)
    for column in np.flatnonzero(known.any(0)):
        rows = known[:, column]
        values[:, column] = interpolate_over_time(times, times[rows], values[rows, column])
    return values


def windowed_mean(values: FloatArray, timestamps: ArrayLike, half_window: float) -> FloatArray:
    """Moving mean of non-negative values (F,C) over `half_window` seconds on either side, applied twice: a triangular kernel."""
    first, last = _window(timestamps, half_window)
    for _ in range(2):
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        values = np.maximum(total[last] - total[first], 0) / (last - first)[:, None]
    return values


def windowed_minimum(values: FloatArray, timestamps: ArrayLike, half_window: float) -> FloatArray:
    """Moving minimum of values (F,) over `half_window` seconds on either side.

    Minima over 2, 4, 8, ... samples are tabulated first; each window is the union of two entries (a sparse table).
    """
    first, last = _window(timestamps, half_window)
    tables = [values]
    while 2 ** len(tables) <= len(values):
        half = 2 ** (len(tables) - 1)
        tables.append(np.minimum(tables[-1][:-half], tables[-1][half:]))
    level = np.floor(np.log2(last - first)).astype(int)
    minimum = np.empty(len(values))
    for k in np.unique(level):
        rows = level == k
        minimum[rows] = np.minimum(tables[k][first[rows]], tables[k][last[rows] - 2**k])
    return minimum


def time_proximity(flagged: ArrayLike, timestamps: ArrayLike, falloff: float) -> FloatArray:
    """Closeness in time of each sample to the nearest flagged one, (F,).

    Args:
        flagged: (F,) bool. timestamps: (F,) s.
        falloff: s; the proximity is 1 at a flagged sample and falls smoothly to 0 at this distance.
    """
    flagged, timestamps = np.asarray(flagged, bool), np.asarray(timestamps, float)
    if not flagged.any():
        return np.zeros(len(timestamps))
    flagged_times = timestamps[flagged]
    after = np.searchsorted(flagged_times, timestamps)
    distance_before, distance_after = (
        np.abs(timestamps - flagged_times[np.clip(row, 0, len(flagged_times) - 1)]) for row in (after - 1, after)
    )
    return smoothstep(1 - np.minimum(distance_before, distance_after) / falloff)


def smoothstep(values: ArrayLike) -> FloatArray:
    """Values clipped to 0..1 and eased in and out: 3 x^2 - 2 x^3."""
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def weighted_quantile(values: FloatArray, weights: FloatArray, quantile: float) -> np.floating:
    """The smallest of values (N,) at which the weights (N,) of it and all smaller values reach `quantile` (0..1) of their sum."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return values[order][min(np.searchsorted(cumulative, quantile * cumulative[-1]), len(values) - 1)]


def weighted_median(values: FloatArray, weights: FloatArray) -> np.floating:
    """The weighted quantile at one half."""
    return weighted_quantile(values, weights, 0.5)


def _window(timestamps: ArrayLike, half_window: float) -> tuple[IntArray, IntArray]:
    """For each of timestamps (F,), the range of samples within `half_window` seconds: first, and last plus one."""
    timestamps = np.asarray(timestamps, float)
    return np.searchsorted(timestamps, timestamps - half_window - 1e-9), np.searchsorted(timestamps, timestamps + half_window + 1e-9)


def long_gaps(known: ArrayLike, times: ArrayLike, longest_gap: float = LONGEST_GAP) -> list[tuple[int, int]]:
    """The first and last rows of each gap between known samples (F,) that are more than `longest_gap` s apart at times (F,) s."""
    rows, times = np.flatnonzero(np.asarray(known, bool)), np.asarray(times, float)
    pairs = pairwise(rows)
    return [(int(a) + 1, int(b) - 1) for a, b in pairs if b - a > 1 and times[b] - times[a] > longest_gap + 1e-6]
