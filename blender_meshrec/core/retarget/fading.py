"""Corrections that hold on runs of frames and fade in between, and smooth curves that cover what is needed."""

import numpy as np

from ..timeline import windowed_minimum


def faded(values, runs, timestamps, fade):
    """Values (F,C) kept on runs (N,2) of frames; elsewhere the nearest runs' end values fade out over `fade` s, sooner in short gaps."""
    result = np.zeros_like(values)
    for first, last in runs:
        result[first:last] = values[first:last]
    for k in range(len(runs) + 1):
        start = runs[k - 1][1] if k else 0
        stop = runs[k][0] if k < len(runs) else len(values)
        if start == stop:
            continue
        gap = timestamps[start:stop]
        between = 0 < k < len(runs)
        room = timestamps[runs[k][0]] - timestamps[runs[k - 1][1] - 1] if between else np.inf
        if k:
            result[start:stop] += _falling((gap - timestamps[start - 1]) / min(fade, room))[:, None] * values[start - 1]
        if k < len(runs):
            result[start:stop] += _falling((timestamps[stop] - gap) / min(fade, room))[:, None] * values[stop]
    return result


def smoothed(values, timestamps, reach):
    """Means of values (F,C) over `reach` s either side, taken twice: weights fall off as a triangle."""
    timestamps = np.asarray(timestamps, float)
    first = np.searchsorted(timestamps, timestamps - reach - 1e-9)
    last = np.searchsorted(timestamps, timestamps + reach + 1e-9)
    # Windows stay centred at the ends, so that a steady drift is not bent there.
    here = np.arange(len(timestamps))
    half = np.minimum(here - first, last - 1 - here)
    first, last = here - half, here + half + 1
    for _ in range(2):
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        values = (total[last] - total[first]) / (last - first)[:, None]
    return values


def covering(needed, timestamps, reach):
    """A smooth curve (F,) that is nowhere below `needed` (F,): what is needed within `reach` s either side, averaged."""
    ahead = -windowed_minimum(-needed, timestamps, reach)
    return np.maximum(needed, smoothed(ahead[:, None], timestamps, reach / 2)[:, 0])


def _falling(share):
    """From 1 at 0 to 0 at 1 with no corner and no jerk at either."""
    share = np.clip(share, 0, 1)
    return 1 - share**3 * (10 - 15 * share + 6 * share * share)
