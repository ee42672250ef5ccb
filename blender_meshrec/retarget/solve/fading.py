"""Corrections that hold on runs of frames and fade in between, and smooth curves that cover what is needed."""

import numpy as np

from ...core.timeline import windowed_minimum


def faded(values, runs, timestamps, fade):
    """Values (F,C) kept on runs (N,2) of frames; elsewhere the nearest runs' end values fade out over `fade` s, sooner in short gaps."""
    gaps = _Gaps(runs, timestamps)
    result = np.where(gaps.outside[:, None], 0.0, values)
    for edge, here in ((gaps.before, gaps.after_run), (gaps.after, gaps.before_run)):
        weight = _falling(np.abs(timestamps[here] - timestamps[edge[here]]) / np.minimum(fade, gaps.room[here]))
        result[here] += weight[:, None] * values[edge[here]]
    return result


def settling(values, runs, timestamps, settle):
    """Paths (F,C) that just before and after runs (N,2) of frames are drawn, within `settle` s, to how the runs begin and end.

    A run is carried on beyond its ends with the speed that it has there.
    """
    gaps = _Gaps(runs, timestamps)
    result = values.copy()
    for edge, here, way in ((gaps.before, gaps.after_run, -1), (gaps.after, gaps.before_run, 1)):
        edge = edge[here]
        inner = np.clip(edge + way, 0, len(values) - 1)
        inner = np.where(gaps.outside[inner], edge, inner)
        step = timestamps[inner] - timestamps[edge]
        speed = (values[inner] - values[edge]) / np.where(step == 0, 1.0, step)[:, None]
        away = timestamps[here] - timestamps[edge]
        near = _falling(np.abs(away) / np.minimum(settle, 0.5 * gaps.room[here]))[:, None]
        result[here] += near * (values[edge] + speed * away[:, None] - values[here])
    return result


class _Gaps:
    """The frames outside runs (N,2): outside (F,), the last frame of the run before and the first of the run after each, (F,).

    after_run, before_run: frames that have such a run. room: (F,) s between the two, infinite where one is missing.
    """

    def __init__(self, runs, timestamps):
        frames, count = np.arange(len(timestamps)), len(runs)
        following = np.searchsorted(runs[:, 0], frames, side="right")  # runs that began
        self.outside = np.ones(len(frames), bool)
        if count:
            self.outside = (following == 0) | (frames >= runs[np.maximum(following - 1, 0), 1])
        ends, starts = np.append(runs[:, 1] - 1, 0), np.append(runs[:, 0], 0)
        self.before, self.after = ends[np.maximum(following - 1, 0)], starts[np.minimum(following, count)]
        self.after_run = np.flatnonzero(self.outside & (following > 0))
        self.before_run = np.flatnonzero(self.outside & (following < count))
        between = (following > 0) & (following < count)
        self.room = np.where(between, timestamps[self.after] - timestamps[self.before], np.inf)


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
