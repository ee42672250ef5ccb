"""Numbers over time: between samples, over windows, and by how long they lasted."""

import numpy as np


def interpolate_over_time(times, known_times, values):
    """Values (K, ...) known at rising times (K,), at all `times` (F,): linear in between, held at the ends."""
    values = np.asarray(values, float)
    place = np.interp(times, known_times, np.arange(len(known_times)))
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, len(known_times) - 1)
    share = (place - before).reshape(-1, *(1,) * (values.ndim - 1))
    return (1 - share) * values[before] + share * values[after]


def windowed_mean(values, timestamps, half_window):
    """Means of values (F,C), none below zero, over `half_window` seconds either side, taken twice: weights fall off as a triangle."""
    first, last = _window(timestamps, half_window)
    for _ in range(2):
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        values = np.maximum(total[last] - total[first], 0) / (last - first)[:, None]
    return values


def windowed_minimum(values, timestamps, half_window):
    """Minima of (F,) over `half_window` seconds either side of each of timestamps (F,), by tables of minima over 2, 4, 8 ... frames."""
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


def time_proximity(flagged, timestamps, falloff):
    """How near in time each of timestamps (F,) is to one that is flagged (F,): 1 there, and smoothly to 0 at `falloff` seconds off."""
    flagged, timestamps = np.asarray(flagged, bool), np.asarray(timestamps, float)
    if not flagged.any():
        return np.zeros(len(timestamps))
    at = timestamps[flagged]
    after = np.searchsorted(at, timestamps)
    apart = np.minimum(*(np.abs(timestamps - at[np.clip(row, 0, len(at) - 1)]) for row in (after - 1, after)))
    share = np.clip(1 - apart / falloff, 0, 1)
    return share * share * (3 - 2 * share)


def weighted_quantile(values, weights, quantile):
    """The value of (N,) up to which lies a quantile, 0..1, of the weights (N,): of what happened, say, by how long it lasted."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return values[order][min(np.searchsorted(total, quantile * total[-1]), len(values) - 1)]


def _window(timestamps, half_window):
    """The frames within `half_window` seconds of each of timestamps (F,): first, and last plus one."""
    timestamps = np.asarray(timestamps, float)
    return np.searchsorted(timestamps, timestamps - half_window - 1e-9), np.searchsorted(timestamps, timestamps + half_window + 1e-9)
