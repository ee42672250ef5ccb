"""Blending of corrections around runs of frames: fading out, easing in, and smooth curves above a required one."""

import numpy as np

from ..array_types import FloatArray, IntArray
from ..time_series import windowed_minimum


def fade_between_runs(values: FloatArray, runs: IntArray, timestamps: FloatArray, fade_time: float) -> FloatArray:
    """Values (F,C) on runs (N,2) of frames; elsewhere the nearest end values fading to zero over `fade_time` s, sooner in short gaps."""
    gaps = _RunGaps(runs, timestamps)
    result = np.where(gaps.outside[:, None], 0.0, values)
    for edge, rows in ((gaps.previous_end, gaps.has_previous), (gaps.next_start, gaps.has_next)):
        weight = _falling_smootherstep(np.abs(timestamps[rows] - timestamps[edge[rows]]) / np.minimum(fade_time, gaps.duration[rows]))
        result[rows] += weight[:, None] * values[edge[rows]]
    return result


def ease_into_runs(values: FloatArray, runs: IntArray, timestamps: FloatArray, settle_time: float) -> FloatArray:
    """Paths (F,C) that join runs (N,2) of frames with the runs' own speed, blended over `settle_time` s before and after each run."""
    gaps = _RunGaps(runs, timestamps)
    result = values.copy()
    for edges, rows, step in ((gaps.previous_end, gaps.has_previous, -1), (gaps.next_start, gaps.has_next, 1)):
        edge = edges[rows]
        inner = np.clip(edge + step, 0, len(values) - 1)
        inner = np.where(gaps.outside[inner], edge, inner)
        interval = timestamps[inner] - timestamps[edge]
        speed = (values[inner] - values[edge]) / np.where(interval == 0, 1.0, interval)[:, None]
        away = timestamps[rows] - timestamps[edge]
        weight = _falling_smootherstep(np.abs(away) / np.minimum(settle_time, 0.5 * gaps.duration[rows]))[:, None]
        result[rows] += weight * (values[edge] + speed * away[:, None] - values[rows])
    return result


class _RunGaps:
    """The frames outside runs (N,2), and the runs around each of them.

    outside: (F,) bool. previous_end, next_start: (F,), the last frame of the run before and the first frame of the run after; valid
    on the frames has_previous and has_next. duration: (F,) s between the two, infinite where one is missing.
    """

    def __init__(self, runs: IntArray, timestamps: FloatArray) -> None:
        frames, count = np.arange(len(timestamps)), len(runs)
        begun = np.searchsorted(runs[:, 0], frames, side="right")
        self.outside = np.ones(len(frames), bool)
        if count:
            self.outside = (begun == 0) | (frames >= runs[np.maximum(begun - 1, 0), 1])
        ends, starts = np.append(runs[:, 1] - 1, 0), np.append(runs[:, 0], 0)
        self.previous_end, self.next_start = ends[np.maximum(begun - 1, 0)], starts[np.minimum(begun, count)]
        self.has_previous = np.flatnonzero(self.outside & (begun > 0))
        self.has_next = np.flatnonzero(self.outside & (begun < count))
        between = (begun > 0) & (begun < count)
        self.duration = np.where(between, timestamps[self.next_start] - timestamps[self.previous_end], np.inf)


def smooth_triangular(values: FloatArray, timestamps: FloatArray, radius: float) -> FloatArray:
    """Moving mean of values (F,C) over `radius` s on either side, applied twice; windows shrink symmetrically at the clip's ends."""
    timestamps = np.asarray(timestamps, float)
    first = np.searchsorted(timestamps, timestamps - radius - 1e-9)
    last = np.searchsorted(timestamps, timestamps + radius + 1e-9)
    # A symmetric window does not bend a linear drift.
    frames = np.arange(len(timestamps))
    half = np.minimum(frames - first, last - 1 - frames)
    first, last = frames - half, frames + half + 1
    for _ in range(2):
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
        values = (total[last] - total[first]) / (last - first)[:, None]
    return values


def smooth_upper_envelope(required: FloatArray, timestamps: FloatArray, radius: float) -> FloatArray:
    """A smooth curve (F,) that is nowhere below `required` (F,) and rises up to `radius` s ahead of it."""
    ahead = -windowed_minimum(-required, timestamps, radius)
    return np.maximum(required, smooth_triangular(ahead[:, None], timestamps, radius / 2)[:, 0])


def _falling_smootherstep(fraction: FloatArray) -> FloatArray:
    """From 1 at 0 to 0 at 1, with zero first and second derivatives at both."""
    fraction = np.clip(fraction, 0, 1)
    return 1 - fraction**3 * (10 - 15 * fraction + 6 * fraction * fraction)
