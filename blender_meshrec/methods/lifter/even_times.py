"""Clips of any frame rate at even times near the lifting network's own rate, and back."""

import numpy as np

from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.time_series import interpolate_over_time

FPS = 30.0  # of the lifting network's training motion, played at 2/3 to 3/2 of its speed


def resample_times(timestamps: ArrayLike) -> tuple[FloatArray, int]:
    """The evenly spaced times at which a clip is lifted.

    Args:
        timestamps: (F,) s, rising.

    Returns:
        times (T,) s, which include the timestamps of a constant rate exactly, and the number of interleaved clips that they are
        lifted as: every such clip is near the network's rate. Slower clips get times without frames in between.
    """
    timestamps = np.asarray(timestamps, float)
    if len(timestamps) < 2:
        return timestamps[:1], 1
    step = max(float(np.median(np.diff(timestamps))), 1e-4)
    subdivision = max(1, round(FPS * step))
    interleave = max(1, round(1 / (FPS * step)))
    step /= subdivision
    return timestamps[0] + step * np.arange(round((timestamps[-1] - timestamps[0]) / step) + 1), interleave


def resample_points(points: FloatArray, timestamps: ArrayLike, times: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Points (F,P,3) at even times (T,P,3), and which times have any (T,): between frames close in time, or near a frame."""
    timestamps = np.asarray(timestamps, float)
    if len(times) == len(timestamps) and np.allclose(times, timestamps, atol=1e-4):
        return np.array(points), np.ones(len(times), bool)
    after = np.clip(np.searchsorted(timestamps, times), 1, len(timestamps) - 1)
    gap = timestamps[after] - timestamps[after - 1]
    fraction = np.clip((times - timestamps[after - 1]) / np.maximum(gap, 1e-9), 0, 1)
    nearest = np.where(fraction > 0.5, after, after - 1)
    close = gap < 1.5 / FPS
    blended = blend_points(points[after - 1], points[after], np.where(close, fraction, fraction > 0.5))
    return blended, close | (np.abs(times - timestamps[nearest]) < 0.5 * (times[1] - times[0]))


def nearest_values(values: FloatArray, timestamps: ArrayLike, times: FloatArray) -> FloatArray:
    """Values (F, ...) of the frames that are nearest to even times (T,)."""
    timestamps = np.asarray(timestamps, float)
    if len(timestamps) < 2:
        return values[: len(times)]
    after = np.clip(np.searchsorted(timestamps, times), 1, len(timestamps) - 1)
    return values[np.where(times - timestamps[after - 1] < timestamps[after] - times, after - 1, after)]


def blend_points(before: FloatArray, after: FloatArray, fraction: FloatArray) -> FloatArray:
    """Points (F,P,3) at a fraction (F,) of the way between two. Strictly between, the confidence is the lower of the two.

    Otherwise the zeros of a point that is known on one side only would be mixed in.
    """
    blended = before + fraction[:, None, None] * (after - before)
    inside = (fraction > 1e-6) & (fraction < 1 - 1e-6)
    blended[inside, :, 2] = np.minimum(before[..., 2], after[..., 2])[inside]
    return blended


def interpolate_values(values: FloatArray, times: FloatArray, wanted: ArrayLike) -> FloatArray:
    """Values (T, ...) at even times, interpolated at `wanted` times (F,); a wanted time next to an even one takes its value."""
    if len(times) == 1:
        return np.repeat(values, np.size(wanted), 0)
    position = (np.asarray(wanted, float) - times[0]) / (times[1] - times[0])
    nearest = np.round(position)
    return interpolate_over_time(np.where(np.abs(position - nearest) < 1e-3, nearest, position), np.arange(len(times), dtype=float), values)
