"""Corrections that hold on runs of frames and fade in between, and smooth curves that cover what is needed."""

import numpy as np

from ...core.time_series import windowed_minimum


def fade_between_runs(values, runs, timestamps, fade_time):
    """Values (F,C) kept on runs (N,2) of frames; elsewhere the nearest end values fade out over `fade_time` s, sooner in short gaps."""
    gaps = _RunGaps(runs, timestamps)
    result = np.where(gaps.outside[:, None], 0.0, values)
    for edge, here in ((gaps.previous_end, gaps.has_previous), (gaps.next_start, gaps.has_next)):
        weight = _falling_smootherstep(np.abs(timestamps[here] - timestamps[edge[here]]) / np.minimum(fade_time, gaps.duration[here]))
        result[here] += weight[:, None] * values[edge[here]]
    return result


def ease_into_runs(values, runs, timestamps, settle_time):
    """Paths (F,C) that just before and after runs (N,2) of frames are drawn, within `settle_time` s, to how the runs begin and end.

    A run is carried on beyond its ends with the speed that it has there.
    """
    gaps = _RunGaps(runs, timestamps)
    result = values.copy()
    for edge, here, way in ((gaps.previous_end, gaps.has_previous, -1), (gaps.next_start, gaps.has_next, 1)):
        edge = edge[here]
        inner = np.clip(edge + way, 0, len(values) - 1)
        inner = np.where(gaps.outside[inner], edge, inner)
        step = timestamps[inner] - timestamps[edge]
        speed = (values[inner] - values[edge]) / np.where(step == 0, 1.0, step)[:, None]
        away = timestamps[here] - timestamps[edge]
        near = _falling_smootherstep(np.abs(away) / np.minimum(settle_time, 0.5 * gaps.duration[here]))[:, None]
        result[here] += near * (values[edge] + speed * away[:, None] - values[here])
    return result


class _RunGaps:
    """The frames outside runs (N,2): outside (F,), the last frame of the run before and the first of the run after each, (F,).

    has_previous, has_next: frames that have such a run. duration: (F,) s between the two, infinite where one is missing.
    """

    def __init__(self, runs, timestamps):
        frames, count = np.arange(len(timestamps)), len(runs)
        following = np.searchsorted(runs[:, 0], frames, side="right")  # runs that began
        self.outside = np.ones(len(frames), bool)
        if count:
            self.outside = (following == 0) | (frames >= runs[np.maximum(following - 1, 0), 1])
        ends, starts = np.append(runs[:, 1] - 1, 0), np.append(runs[:, 0], 0)
        self.previous_end, self.next_start = ends[np.maximum(following - 1, 0)], starts[np.minimum(following, count)]
        self.has_previous = np.flatnonzero(self.outside & (following > 0))
        self.has_next = np.flatnonzero(self.outside & (following < count))
        between = (following > 0) & (following < count)
        self.duration = np.where(between, timestamps[self.next_start] - timestamps[self.previous_end], np.inf)


def smooth_triangular(values, timestamps, radius):
    """Means of values (F,C) over `radius` s either side, taken twice: weights fall off as a triangle."""
    timestamps = np.asarray(timestamps, float)
    first = np.searchsorted(timestamps, timestamps - radius - 1e-9)
    last = np.searchsorted(timestamps, timestamps + radius + 1e-9)
    # Windows stay centred at the ends, so that a steady drift is not bent there.
    here = np.arange(len(timestamps))
    half = np.minimum(here - first, last - 1 - here)
    first, last = here - half, here + half + 1
    for _ in range(2):
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        values = (total[last] - total[first]) / (last - first)[:, None]
    return values


def smooth_upper_envelope(required, timestamps, radius):
    """A smooth curve (F,) that is nowhere below `required` (F,): what is needed within `radius` s either side, averaged."""
    ahead = -windowed_minimum(-required, timestamps, radius)
    return np.maximum(required, smooth_triangular(ahead[:, None], timestamps, radius / 2)[:, 0])


def _falling_smootherstep(share):
    """From 1 at 0 to 0 at 1 with no corner and no jerk at either."""
    share = np.clip(share, 0, 1)
    return 1 - share**3 * (10 - 15 * share + 6 * share * share)
