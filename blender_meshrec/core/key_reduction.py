"""Few keys for many samples: cubic Bezier curves with aligned handles that stay within a tolerance of what was sampled.

A segment between two keys whose handles lie a third of it away is a cubic Hermite curve of time, so a curve is given by values and slopes
at its keys. The keys of several channels, such as the three angles of a bone, lie on the same frames.

Steps: `_place_keys` finds the fewest keys by dynamic programming, with slopes measured on the samples; `_fit_segments` then fits values and
slopes by least squares, and keys are added where the tolerance is still exceeded; `_drop_keys` tries to do without each key.

F samples, one a frame; N channels; K keys.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .array_types import BoolArray, FloatArray, IntArray

MAX_SPAN = 64  # frames between two keys
# Least squares brings the largest error down to about this fraction of that of measured slopes: keys are placed for a tolerance larger by
# its inverse. Ours, measured on walks and sports.
_GAIN_OF_FIT = 0.6
_SLOPE_WINDOW = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / 10  # of a parabola through five samples
_REWEIGHTINGS = 4  # towards the least maximum
_REWEIGHTING_POWER = 2.0
_RIDGE = 1e-9
_LONGER_SPANS_TRIED = 6  # after the longest that fits anywhere
_HOPELESS_FACTOR = 2.5  # of the tolerance: least squares brings no larger error down to it
_NEIGHBOURS = 3  # keys on either side that are fitted anew when one is dropped


@dataclass(frozen=True)
class Keys:
    """Keys of a curve of N channels: rows (K,) of the samples that they lie on, values (K,N), slopes (K,N) a frame."""

    rows: IntArray
    values: FloatArray
    slopes: FloatArray

    def sample(self, count: int) -> FloatArray:
        """The curve (count,N) at every frame; constant before the first and after the last key."""
        if len(self.rows) == 1:
            return np.repeat(self.values, count, 0)
        design = _hermite_design(self.rows, np.clip(np.arange(count), self.rows[0], self.rows[-1]))
        return design @ np.concatenate([self.values, self.slopes])


def reduce_keys(samples: FloatArray, tolerance: float, metric: FloatArray | None = None) -> Keys:
    """The fewest keys found whose curve stays within `tolerance` of the samples at every frame.

    Args:
        samples: (F,N). tolerance: of the length of the error in all channels. metric: (F,M,N), which maps an error of the channels at a
            frame to the error that is measured; the channels' own by default.

    Returns:
        Keys on the first and last frame and between; one key if the samples do not change by more than the tolerance.
    """
    samples = np.asarray(samples, float)
    count, channels = samples.shape
    metric = np.broadcast_to(np.eye(channels), (count, channels, channels)) if metric is None else metric
    middle = (samples.min(0) + samples.max(0)) / 2
    if count == 1 or _error_lengths(samples - middle, metric).max() <= tolerance:
        return Keys(np.zeros(1, np.int64), middle[None], np.zeros((1, channels)))
    rows = _place_keys(samples, tolerance / _GAIN_OF_FIT, metric)
    while True:
        keys, errors = _fit_segments(samples, rows, metric)
        wrong = np.flatnonzero(errors > tolerance)
        if not len(wrong):
            return _drop_keys(samples, tolerance, metric, keys)
        rows = _split(rows, errors, tolerance)


def _split(rows: IntArray, errors: FloatArray, tolerance: float) -> IntArray:
    """Key rows with one more in each segment whose errors (F,) exceed the tolerance: where they are largest."""
    added: list[int] = []
    for first, last in pairwise(rows.tolist()):
        inside = errors[first : last + 1]
        if inside.max() > tolerance and last - first > 1:
            worst = int(np.argmax(inside[1:-1])) + 1
            margin = max(1, (last - first) // 4)
            added.append(first + min(max(worst, margin), last - first - margin))
    return np.unique(np.concatenate([rows, np.array(added, np.int64)]))


def _error_lengths(errors: FloatArray, metric: FloatArray) -> FloatArray:
    """Lengths (F,) of errors (F,N) under a metric (F,M,N)."""
    return np.linalg.norm(np.einsum("fmn,fn->fm", metric, errors), axis=-1)


def _measured_slopes(samples: FloatArray) -> FloatArray:
    """The slope (F,N) a frame at each sample, of a parabola through the five around it."""
    if len(samples) < 3:
        return np.gradient(samples, axis=0)
    before, after = 2 * samples[:1] - samples[2:0:-1], 2 * samples[-1:] - samples[-2:-4:-1]
    padded = np.concatenate([before, samples, after])
    return np.stack([padded[offset : offset + len(samples)] for offset in range(5)], -1) @ _SLOPE_WINDOW


def _place_keys(samples: FloatArray, tolerance: float, metric: FloatArray) -> IntArray:
    """The fewest rows, the first and the last included, with all segments between within the tolerance of the samples."""
    count = len(samples)
    slopes = _measured_slopes(samples)
    fits = [np.ones(count - 1, bool)]
    for span in range(2, min(MAX_SPAN, count - 1) + 1):
        fits.append(_segments_that_fit(samples, slopes, span, tolerance, metric))
        if not any(found.any() for found in fits[-_LONGER_SPANS_TRIED:]):
            break
    fewest = np.full(count, count)
    fewest[0] = 0
    before = np.zeros(count, np.int64)
    for row in range(1, count):
        spans = [span for span in range(1, min(len(fits), row) + 1) if fits[span - 1][row - span]]
        best = min(spans, key=lambda span: (fewest[row - span], span))
        fewest[row], before[row] = fewest[row - best] + 1, row - best
    rows = [count - 1]
    while rows[-1] > 0:
        rows.append(int(before[rows[-1]]))
    return np.array(rows[::-1], np.int64)


def _segments_that_fit(samples: FloatArray, slopes: FloatArray, span: int, tolerance: float, metric: FloatArray) -> BoolArray:
    """Whether the segment from each row to the one `span` later stays within the tolerance, (F-span,) bool."""
    starts = len(samples) - span
    basis = _hermite_basis(np.arange(1, span) / span)
    ends = np.stack([samples[:starts], samples[span:], span * slopes[:starts], span * slopes[span:]], 1)
    inner = np.arange(starts)[:, None] + np.arange(1, span)
    errors = basis @ ends - samples[inner]
    return np.linalg.norm((metric[inner] @ errors[..., None])[..., 0], axis=-1).max(1) <= tolerance


def _hermite_basis(phase: FloatArray) -> FloatArray:
    """Weights (P,4) of both values and both slopes, each times the segment's length, at phases (P,) 0..1 of a segment."""
    square, cube = phase**2, phase**3
    return np.stack([2 * cube - 3 * square + 1, 3 * square - 2 * cube, cube - 2 * square + phase, cube - square], -1)


def _hermite_design(rows: IntArray, frames: IntArray) -> FloatArray:
    """The matrix (P,2K) that maps values and slopes at key rows (K,) to the curve at frames (P,)."""
    segment = np.clip(np.searchsorted(rows, frames, side="right") - 1, 0, len(rows) - 2)
    length = (rows[segment + 1] - rows[segment]).astype(float)
    basis = _hermite_basis((frames - rows[segment]) / length)
    design = np.zeros((len(frames), 2 * len(rows)))
    at = np.arange(len(frames))
    design[at, segment], design[at, segment + 1] = basis[:, 0], basis[:, 1]
    design[at, len(rows) + segment], design[at, len(rows) + segment + 1] = length * basis[:, 2], length * basis[:, 3]
    return design


def _fit_segments(samples: FloatArray, rows: IntArray, metric: FloatArray) -> tuple[Keys, FloatArray]:
    """Keys at `rows` whose largest errors are about least, and the lengths (F,) of their errors."""
    solved, errors = _least_maximum(_hermite_design(rows, np.arange(len(samples))), samples, metric)
    return Keys(rows, solved[: len(rows)], solved[len(rows) :]), errors


def _least_maximum(
    design: FloatArray, wanted: FloatArray, metric: FloatArray, enough: float = 0.0, hopeless: float = np.inf
) -> tuple[FloatArray, FloatArray]:
    """The x (P,N) for which the largest error of design (F,P) @ x is about least, and the lengths (F,) of its errors.

    Least squares, weighted anew by the errors a few times: Lawson's algorithm, which approaches the least maximum. It ends early where the
    largest error is down to `enough` or still above `hopeless`.
    """
    weights = np.ones(len(wanted))
    best, best_errors = np.zeros((design.shape[1], wanted.shape[1])), np.full(len(wanted), np.inf)
    for _ in range(_REWEIGHTINGS):
        weighted = design.T * weights
        solved = np.linalg.solve(weighted @ design + _RIDGE * np.eye(len(weighted)), weighted @ wanted)
        errors = _error_lengths(design @ solved - wanted, metric)
        if errors.max() < best_errors.max():
            best, best_errors = solved, errors
        if best_errors.max() <= enough or errors.max() > hopeless:
            break
        weights = weights * (0.1 + errors / max(errors.max(), 1e-12)) ** _REWEIGHTING_POWER
        weights /= weights.mean()
    return best, best_errors


def _drop_keys(samples: FloatArray, tolerance: float, metric: FloatArray, keys: Keys) -> Keys:
    """The keys without those that their neighbours, fitted anew, can do without."""
    number = 1
    while number < len(keys.rows) - 1:
        fewer = _without_key(samples, tolerance, metric, keys, number)
        if fewer is None:
            number += 1
        else:
            keys, number = fewer, max(1, number - 1)
    return keys


def _without_key(samples: FloatArray, tolerance: float, metric: FloatArray, keys: Keys, number: int) -> Keys | None:
    """The keys without one of them; None if its neighbours cannot keep the tolerance. Keys beyond these stay as they are."""
    if keys.rows[number + 1] - keys.rows[number - 1] > MAX_SPAN:
        return None
    first, last = max(0, number - _NEIGHBOURS), min(len(keys.rows) - 1, number + _NEIGHBOURS)
    kept = np.delete(np.arange(first, last + 1), number - first)
    frames = np.arange(keys.rows[first], keys.rows[last] + 1)
    design = _hermite_design(keys.rows[kept], frames)
    solution = np.concatenate([keys.values[kept], keys.slopes[kept]])
    is_free = np.ones(len(solution), bool)
    is_free[[0, len(kept)]] = first == 0
    is_free[[len(kept) - 1, -1]] = last == len(keys.rows) - 1
    wanted = samples[frames] - design[:, ~is_free] @ solution[~is_free]
    solution[is_free], errors = _least_maximum(
        design[:, is_free], wanted, metric[frames], enough=tolerance, hopeless=_HOPELESS_FACTOR * tolerance
    )
    if errors.max() > tolerance:
        return None
    values, slopes = keys.values.copy(), keys.slopes.copy()
    values[kept], slopes[kept] = solution[: len(kept)], solution[len(kept) :]
    return Keys(np.delete(keys.rows, number), np.delete(values, number, 0), np.delete(slopes, number, 0))
