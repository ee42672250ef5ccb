"""Smooth motion without lag, on the footage's own timestamps.

A smoother is a penalised least-squares fit: close to the samples, with a small third derivative (Whittaker 1923; Eilers 2003,
"A perfect smoother"). For evenly spaced samples its transfer function is 1 / (1 + (f / cutoff)^6): zero phase, flat below
the cutoff, steep above. Samples and penalty are both integrals over time, so the result does not depend on the frame rate.

One cutoff cannot serve both a person standing still and a kick. Motion is therefore split into frequency bands, and each
band above the lowest passes only where its energy exceeds the energy expected of noise (a local Wiener filter, Lee 1980).
The noise level is measured in each channel: human motion hardly reaches above the highest band, so what is left there is noise.
"""

import numpy as np
from scipy.linalg import solve_banded  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import ArrayLike, FloatArray
from ...core.rotations import align_quat_signs, normalize_quat
from ...core.time_series import windowed_mean

# Edges of the bands at strength 1, Hz. The lowest band always passes: it holds walking and tai chi. A kick or a jump
# reaches into the highest.
BAND_EDGES = (2.0, 4.0, 6.0)
# A band passes where its energy exceeds the expected noise by this factor. Errors of neighbouring frames are correlated, so
# noise is stronger in the lower bands than in the highest, where it is measured.
NOISE_MARGIN = 6.0
# Fraction of a clip in which the highest band is assumed to hold noise alone.
QUIET_FRACTION = 0.4
# Energy is averaged over this much time either side, s.
ENERGY_HALF_WINDOW = 0.15
# Weight of a sample without confidence: it follows its neighbours, and the equations stay regular.
MIN_WEIGHT = 1e-6
# Timestamps closer than this are moved this far apart, s.
MIN_TIME_STEP = 1e-4
# Bands of the penalty matrix above (and below) its diagonal: a third difference spans four samples.
BANDWIDTH = 3


def smooth_positions(positions: ArrayLike, timestamps: ArrayLike, strength: float = 1.0, confidence: ArrayLike | None = None) -> FloatArray:
    """Smooth positions over time, without lag.

    Args:
        positions: (F, ...), in any unit. Each number is a channel with its own noise level, so in camera axes the noisy
            depth is smoothed more than the image axes.
        timestamps: (F,) s, rising.
        strength: 0 returns a copy of the input; 1 is the default; cutoffs are divided by it.
        confidence: (F, ...) 0..1, broadcast over the last axes of positions, or None.

    Returns:
        (F, ...), as float64. Fewer than four frames are returned as they are.
    """
    positions = np.asarray(positions, float)
    if strength <= 0 or len(positions) < 4:
        return positions.copy()
    channels = positions.reshape(len(positions), -1, 1)
    return _smooth_groups(channels, timestamps, strength, _group_confidence(confidence, positions.shape)).reshape(positions.shape)


def smooth_quaternions(
    quat_wxyz: ArrayLike, timestamps: ArrayLike, strength: float = 1.0, confidence: ArrayLike | None = None
) -> FloatArray:
    """Smooth rotations over time, without lag.

    Args:
        quat_wxyz: (F, ..., 4). timestamps, strength: as for `smooth_positions`.
        confidence: (F, ...) 0..1, one a rotation, or None. Where it is low, a rotation follows its neighbours in time.

    Returns:
        (F, ..., 4), unit quaternions on one half-sphere with their neighbours; a copy of the input at strength 0.

    The four numbers of a rotation are smoothed alike and normalised: the chordal mean over time, exact to second order
    in the angle within a window.
    """
    quat_wxyz = np.asarray(quat_wxyz, float)
    if strength <= 0 or len(quat_wxyz) < 4:
        return quat_wxyz.copy()
    groups = align_quat_signs(normalize_quat(quat_wxyz)).reshape(len(quat_wxyz), -1, 4)
    smooth = _smooth_groups(groups, timestamps, strength, _group_confidence(confidence, quat_wxyz.shape[:-1]))
    return normalize_quat(smooth).reshape(quat_wxyz.shape)


def smooth_whittaker(values: ArrayLike, timestamps: ArrayLike, cutoff: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """The smooth curve nearest to samples: the penalised least-squares fit itself.

    Args:
        values: (F,C). timestamps: (F,) s, rising. cutoff: Hz, one number or (C,).
        weights: (F,), (F,C) or None: relative weight of each sample, 1 by default; 0 leaves a gap to be bridged.

    Returns:
        (F,C). Minimises  sum_i w_i h_i (x_i - y_i)^2 + (2 pi cutoff)^-6 sum_i (x'''_i)^2 h_i  with h the time between
        samples and x''' divided differences.

    Solved exactly, as banded linear equations; time and memory O(F C).
    """
    values = np.asarray(values, float)
    if len(values) < 4:
        return values.copy()
    times = np.cumsum(np.concatenate([[0.0], np.maximum(np.diff(np.asarray(timestamps, float)), MIN_TIME_STEP)]))
    spacing = np.gradient(times)
    weights = np.ones((len(values), 1)) if weights is None else np.asarray(weights, float).reshape(len(values), -1)
    weights = np.maximum(weights, MIN_WEIGHT) * spacing[:, None]
    # Constants cost no penalty: subtracting the mean loses no digits to them.
    mean = (weights * values).sum(0) / weights.sum(0)
    penalty = (2 * np.pi * np.asarray(cutoff, float).reshape(-1)) ** -6.0
    return mean + _solve_penalised(_jerk_penalty_bands(times), penalty, weights, weights * (values - mean))


def _jerk_penalty_bands(times: FloatArray) -> FloatArray:
    """The matrix of the quadratic form sum_i (x'''_i)^2 h_i in x, (7,F), in the band storage of `solve_banded`."""
    stencil = np.lib.stride_tricks.sliding_window_view(times, 4)
    # x'''_i is 6 times Newton's divided difference of x_i .. x_i+3.
    rows = 6.0 / (stencil[:, :, None] - stencil[:, None, :] + np.eye(4)).prod(2)
    span = (stencil[:, 3] - stencil[:, 0]) / 3
    bands = np.zeros((2 * BANDWIDTH + 1, len(times)))
    for a in range(4):
        for b in range(4):
            bands[BANDWIDTH + a - b, b : len(rows) + b] += span * rows[:, a] * rows[:, b]
    return bands


def _solve_penalised(bands: FloatArray, penalty: FloatArray, weights: FloatArray, right: FloatArray) -> FloatArray:
    """Solve (diag(weights) + penalty B) x = right for C channels.

    bands: (7,F), of B. penalty: (1,) or (C,). weights: (F,1) or (F,C). right: (F,C).

    By LU with pivoting: across a long gap the matrix is positive definite only before rounding, and a Cholesky factorisation fails.
    """

    def solve(factor: float, weight: FloatArray, right: FloatArray) -> FloatArray:
        matrix = factor * bands
        matrix[BANDWIDTH] += weight
        return np.asarray(solve_banded((BANDWIDTH, BANDWIDTH), matrix, right, overwrite_ab=True, check_finite=False), float)

    if len(penalty) == 1 and weights.shape[1] == 1:
        return solve(penalty[0], weights[:, 0], right)
    channels = right.shape[1]
    penalty, weights = np.broadcast_to(penalty, channels), np.broadcast_to(weights, right.shape)
    return np.stack([solve(penalty[k], weights[:, k], right[:, k]) for k in range(channels)], 1)


def _smooth_groups(groups: FloatArray, timestamps: ArrayLike, strength: float, confidence: FloatArray | None) -> FloatArray:
    """Smooth (F,G,D): bands gated by the energy of the D numbers of a group together; confidence (F,G) or None."""
    frames, count, size = groups.shape
    timestamps = np.asarray(timestamps, float)
    values = groups.reshape(frames, -1)
    cutoffs = np.array(BAND_EDGES) / strength
    weights = None if confidence is None else np.repeat(np.maximum(confidence, MIN_WEIGHT), size, 1)
    smooth = np.stack([smooth_whittaker(values, timestamps, cutoff, weights) for cutoff in cutoffs], 1)
    smooth = smooth.reshape(frames, len(cutoffs), count, size)
    responses = _transfer_functions(timestamps, cutoffs)

    def energy(values: FloatArray) -> FloatArray:
        return windowed_mean((values**2).sum(-1), timestamps, ENERGY_HALF_WINDOW)

    # Noise energy per hertz. The band above the highest holds noise alone; the highest does in quiet moments.
    noise = np.median(energy(groups - smooth[:, -1]), 0) / np.mean((1 - responses[-1]) ** 2)
    result = smooth[:, 0].copy()
    for high in range(len(cutoffs) - 1, 0, -1):
        band = smooth[:, high] - smooth[:, high - 1]
        band_energy, width = energy(band), np.mean((responses[high] - responses[high - 1]) ** 2)
        if high == len(cutoffs) - 1:
            noise = np.maximum(noise, np.quantile(band_energy, QUIET_FRACTION, 0) / width)
        gain = np.clip(1 - NOISE_MARGIN * noise * width / np.maximum(band_energy, 1e-300), 0, 1)
        result += gain[..., None] * band
    return result.reshape(groups.shape)


def _transfer_functions(timestamps: FloatArray, cutoffs: FloatArray) -> FloatArray:
    """Transfer functions (bands, frequencies up to Nyquist) of the smoothers at the median frame rate."""
    step = max(float(np.median(np.diff(timestamps))), MIN_TIME_STEP)
    phase = np.linspace(0, np.pi, 257)[1:]
    return 1 / (1 + (2 * np.sin(phase / 2) / step) ** 6 / (2 * np.pi * cutoffs[:, None]) ** 6)


def _group_confidence(confidence: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray | None:
    """Confidence (F,G) for groups of the given shape (F, ...), or None."""
    if confidence is None:
        return None
    confidence = np.asarray(confidence, float)
    confidence = confidence.reshape(confidence.shape + (1,) * (len(shape) - confidence.ndim))
    return np.broadcast_to(confidence, shape).reshape(shape[0], -1)
