"""Taking the tremble out of motion without lag, on the footage's own timestamps.

A smoother is a penalised least-squares fit: close to the data, small third derivative (Whittaker 1923; Eilers 2003, "A
perfect smoother"). For evenly spaced samples its transfer function is 1 / (1 + (f / cutoff)^6): zero phase, flat below the
cutoff, steep above. Data and penalty are both integrals over time, so the same motion filmed at another frame rate comes
out the same.

One cutoff cannot serve both a person standing still and a kick. Motion is therefore split into bands, and each band above
the lowest passes only where it holds more energy than noise would put there (a local Wiener filter, Lee 1980). How much
that is each channel tells itself: people hardly move above the highest band, so what is left there is noise.
"""

import numpy as np

from .rotations import normalise_quat, align_quat_signs
from .timeline import windowed_mean

# Edges of the bands at strength 1, Hz. The lowest passes always: it holds walking and tai chi. A kick or a jump reaches
# into the highest.
BAND_EDGES = (2.0, 4.0, 6.0)
# A band passes where its energy exceeds the noise expected by this factor: neighbouring frames share part of a
# detector's error, so noise is stronger in the lower bands than in the highest, where it is measured.
NOISE_MARGIN = 6.0
# People hold still, as far as the highest band goes, for at least this share of a clip.
QUIET_SHARE = 0.4
# Energy is averaged over this much time either side, s.
ENERGY_HALF_WINDOW = 0.15
# Weight of a sample of no confidence: it follows its neighbours, and the equations stay regular.
MIN_WEIGHT = 1e-6
# Timestamps closer than this are taken to be this far apart, s.
MIN_TIME_STEP = 1e-4


def smooth_positions(positions, timestamps, strength=1.0, confidence=None):
    """Smooth positions over time, without lag.

    Args:
        positions: (F, ...), of any unit. Every number is a channel with a noise of its own, so in camera axes noisy
            depth is smoothed more than what the picture shows well.
        timestamps: (F,) s, rising.
        strength: 0 returns the input as it is; 1 is the default; cutoffs are divided by it.
        confidence: (F, ...) 0..1, broadcast over the last axes of positions, or None.

    Returns:
        (F, ...), as float64. Fewer than four frames are returned as they are.
    """
    positions = np.asarray(positions, float)
    if strength <= 0 or len(positions) < 4:
        return positions.copy()
    channels = positions.reshape(len(positions), -1, 1)
    return _smooth_groups(channels, timestamps, strength, _group_confidence(confidence, positions.shape)).reshape(positions.shape)


def smooth_quaternions(quat_wxyz, timestamps, strength=1.0, confidence=None):
    """Smooth rotations over time, without lag.

    Args:
        quat_wxyz: (F, ..., 4). timestamps, strength: as for `smooth_positions`.
        confidence: (F, ...) 0..1, one a rotation, or None. Where it is low a rotation follows its neighbours in time.

    Returns:
        (F, ..., 4), unit quaternions whose neighbours lie on one half-sphere; the input itself at strength 0.

    The four numbers of a rotation are smoothed alike and normalised: the chordal mean over time, exact to second order
    in the angle within a window.
    """
    quat_wxyz = np.asarray(quat_wxyz, float)
    if strength <= 0 or len(quat_wxyz) < 4:
        return quat_wxyz.copy()
    groups = align_quat_signs(normalise_quat(quat_wxyz)).reshape(len(quat_wxyz), -1, 4)
    smooth = _smooth_groups(groups, timestamps, strength, _group_confidence(confidence, quat_wxyz.shape[:-1]))
    return normalise_quat(smooth).reshape(quat_wxyz.shape)


def smooth_whittaker(values, timestamps, cutoff, weights=None):
    """The smooth curve nearest to samples: the penalised least-squares fit itself.

    Args:
        values: (F,C). timestamps: (F,) s, rising. cutoff: Hz, one number or (C,).
        weights: (F,), (F,C) or None: how much each sample counts, 1 being as usual; 0 leaves a gap to be bridged.

    Returns:
        (F,C). Minimises  sum_i w_i h_i (x_i - y_i)^2 + (2 pi cutoff)^-6 sum_i (x'''_i)^2 h_i  with h the time between
        samples and x''' divided differences.

    Solved exactly by a banded L D L^T factorisation, one step a frame for all channels at once; memory O(F C).
    """
    values = np.asarray(values, float)
    if len(values) < 4:
        return values.copy()
    times = np.cumsum(np.concatenate([[0.0], np.maximum(np.diff(np.asarray(timestamps, float)), MIN_TIME_STEP)]))
    spacing = np.gradient(times)
    weights = np.ones((len(values), 1)) if weights is None else np.asarray(weights, float).reshape(len(values), -1)
    weights = np.maximum(weights, MIN_WEIGHT) * spacing[:, None]
    # Constants cost no penalty: taken out, they cost no digits either.
    level = (weights * values).sum(0) / weights.sum(0)
    penalty = (2 * np.pi * np.asarray(cutoff, float).reshape(-1)) ** -6.0
    return level + _solve_banded(penalty * _jerk_penalty_bands(times)[:, :, None], weights, weights * (values - level))


def _jerk_penalty_bands(times):
    """The bands of sum_i (x'''_i)^2 h_i as a quadratic form in x: [i, d] is its entry (i, i + d), (F,4)."""
    stencil = np.lib.stride_tricks.sliding_window_view(times, 4)
    # x'''_i is 6 times Newton's divided difference of x_i .. x_i+3.
    rows = 6.0 / (stencil[:, :, None] - stencil[:, None, :] + np.eye(4)).prod(2)
    span = (stencil[:, 3] - stencil[:, 0]) / 3
    bands = np.zeros((len(times), 4))
    for a in range(4):
        for b in range(a, 4):
            bands[a : len(rows) + a, b - a] += span * rows[:, a] * rows[:, b]
    return bands


def _solve_banded(bands, weights, right):
    """Solve (diag(weights) + B) x = right for C channels at once, by L D L^T.

    bands: (F,4,1) or (F,4,C), B's diagonal and the three bands above it. weights: (F,1) or (F,C). right: (F,C).
    """
    frames, width = len(right), max(bands.shape[2], weights.shape[1])
    # Three rows in front, of a matrix that does nothing, spare the loop its first cases. Lists of rows, and plain
    # numbers where all channels share one matrix, are several times faster to step through than an array.
    pad = ((3, 0), (0, 0))
    diagonal = _rows(np.pad(np.broadcast_to(weights + bands[:, 0], (frames, width)), pad, constant_values=1.0))
    band1, band2, band3 = (_rows(np.pad(np.broadcast_to(bands[:, k], (frames, width)), pad)) for k in (1, 2, 3))
    zero = 0.0 * diagonal[0]
    lower1, lower2, lower3 = ([zero] * (frames + 6) for _ in range(3))  # [i] is entry (i, i - k) of L
    solution = list(np.pad(right, pad))
    for i in range(3, frames + 3):
        d3, d2, d1 = diagonal[i - 3 : i]
        l3 = band3[i - 3] / d3
        l2 = (band2[i - 2] - l3 * lower1[i - 2] * d3) / d2
        l1 = (band1[i - 1] - l3 * lower2[i - 1] * d3 - l2 * lower1[i - 1] * d2) / d1
        lower1[i], lower2[i], lower3[i] = l1, l2, l3
        diagonal[i] = diagonal[i] - l3 * l3 * d3 - l2 * l2 * d2 - l1 * l1 * d1
        solution[i] = solution[i] - l1 * solution[i - 1] - l2 * solution[i - 2] - l3 * solution[i - 3]
    x1 = x2 = x3 = np.zeros(right.shape[1])
    for i in range(frames + 2, 2, -1):
        x1, x2, x3 = solution[i] / diagonal[i] - lower1[i + 1] * x1 - lower2[i + 2] * x2 - lower3[i + 3] * x3, x1, x2
        solution[i] = x1
    return np.stack(solution[3:])


def _rows(array):
    return array[:, 0].tolist() if array.shape[1] == 1 else list(array)


def _smooth_groups(groups, timestamps, strength, confidence):
    """Smooth (F,G,D): bands gated by the energy of the D numbers of a group together; confidence (F,G) or None."""
    frames, count, size = groups.shape
    timestamps = np.asarray(timestamps, float)
    values = groups.reshape(frames, -1)
    cutoffs = np.array(BAND_EDGES) / strength
    weights = None if confidence is None else np.repeat(np.maximum(confidence, MIN_WEIGHT), size, 1)
    smooth = np.stack([smooth_whittaker(values, timestamps, cutoff, weights) for cutoff in cutoffs], 1)
    smooth = smooth.reshape(frames, len(cutoffs), count, size)
    responses = _transfer_functions(timestamps, cutoffs)

    def energy(values):
        return windowed_mean((values**2).sum(-1), timestamps, ENERGY_HALF_WINDOW)

    # Noise per hertz. The band above the highest holds noise alone; in the highest it is what is there in quiet moments.
    noise = np.median(energy(groups - smooth[:, -1]), 0) / np.mean((1 - responses[-1]) ** 2)
    result = smooth[:, 0].copy()
    for high in range(len(cutoffs) - 1, 0, -1):
        band = smooth[:, high] - smooth[:, high - 1]
        found, width = energy(band), np.mean((responses[high] - responses[high - 1]) ** 2)
        if high == len(cutoffs) - 1:
            noise = np.maximum(noise, np.quantile(found, QUIET_SHARE, 0) / width)
        passed = np.clip(1 - NOISE_MARGIN * noise * width / np.maximum(found, 1e-300), 0, 1)
        result += passed[..., None] * band
    return result.reshape(groups.shape)


def _transfer_functions(timestamps, cutoffs):
    """Transfer functions (bands, frequencies up to Nyquist) of the smoothers at the median frame rate."""
    step = max(float(np.median(np.diff(timestamps))), MIN_TIME_STEP)
    phase = np.linspace(0, np.pi, 257)[1:]
    return 1 / (1 + (2 * np.sin(phase / 2) / step) ** 6 / (2 * np.pi * cutoffs[:, None]) ** 6)


def _group_confidence(confidence, shape):
    """Confidence (F,G) for groups of the given shape (F, ...), or None."""
    if confidence is None:
        return None
    confidence = np.asarray(confidence, float)
    confidence = confidence.reshape(confidence.shape + (1,) * (len(shape) - confidence.ndim))
    return np.broadcast_to(confidence, shape).reshape(shape[0], -1)
