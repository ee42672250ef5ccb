"""The exposure of some pictures made even: a gain and a bias for each channel of each picture, from the skin that several of them show.

Source: Brown and Lowe 2007, "Automatic panoramic image stitching using invariant features", section 6, whose prior keeps gains near one;
the biases, and the weights that leave out what differs by more than exposure, are ours. P pictures, N points of the skin.
"""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from .filmed_view import FilmedView

ROUNDS = 8
FIRST_NOISE, NARROWING = 80.0, 0.7  # of 255: the first round trusts pictures of any exposure, each further one less
NOISE = 12.0  # of 255: shading differs between views
GAIN_SIGMA, BIAS_SIGMA = 0.6, 20.0  # of the prior
LIMITS = (0.5, 2.0)  # of a gain


def even_exposure(views: Sequence[FilmedView], points: Sequence[FloatArray], normals: Sequence[FloatArray]) -> None:
    """Set each view's gain and bias; points, normals: of each view, the same N points of the skin, (N,3) in its camera axes."""
    if len(views) < 2:
        return
    weights = np.stack([view.weights_of(*placed) for view, *placed in zip(views, points, normals, strict=True)])
    seen = (weights > 0).sum(0) > 1
    if not seen.any():
        return
    weights = weights[:, seen] / np.maximum(weights[:, seen].max(0), 1e-12)
    for view in views:
        view.gain, view.bias = np.ones(3), np.zeros(3)
    colours = np.stack([view.colours_of(placed[seen])[1] for view, placed in zip(views, points, strict=True)])
    gains, biases = solve_gains(colours, weights)
    for view, gain, bias in zip(views, gains, biases, strict=True):
        view.gain, view.bias = gain, bias


def solve_gains(colours: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gains (P,3) and biases (P,3) that make colours (P,N,3) 0..255 agree, as gain * colour + bias; weights: (P,N), 0 where unseen.

    Their weighted mean over the pictures is one, and zero.
    """
    gains, biases = np.ones((len(colours), 3)), np.zeros((len(colours), 3))
    share = weights.sum(1) + 1e-9
    for step in range(ROUNDS):
        noise = max(NOISE, FIRST_NOISE * NARROWING**step)
        evened = colours * gains[:, None] + biases[:, None]
        common = (evened * weights[..., None]).sum(0) / np.maximum(weights.sum(0), 1e-12)[:, None]
        robust = weights / (1 + (np.abs(evened - common).max(-1) / noise) ** 2)
        for channel in range(3):
            gains[:, channel], biases[:, channel] = _solve_channel(colours[..., channel], robust)
        middle = np.average(gains, axis=0, weights=share)
        gains, biases = gains / middle, biases / middle
        biases = biases - np.average(biases, axis=0, weights=share)
    return gains.clip(*LIMITS), biases


def _solve_channel(colours: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The gains (P,) and biases (P,) of one channel: the least squares of the differences between all pictures of a point."""
    count = len(colours)
    # x = (gains, biases). Without the points' own colours, the squares about their weighted mean are x^T (D - F S^-1 F^T) x.
    weighted = np.concatenate([weights * colours, weights])
    total = np.maximum(weights.sum(0), 1e-12)
    matrix = -(weighted / total) @ weighted.T
    squares, cross, ones = (weights * colours**2).sum(1), (weights * colours).sum(1), weights.sum(1)
    row = np.arange(count)
    matrix[row, row] += squares
    matrix[row, row + count] += cross
    matrix[row + count, row] += cross
    matrix[row + count, row + count] += ones
    strength = ones + 1e-6
    prior = NOISE**2 * np.concatenate([strength / GAIN_SIGMA**2, strength / BIAS_SIGMA**2])
    found = np.linalg.solve(matrix + np.diag(prior), prior * np.concatenate([np.ones(count), np.zeros(count)]))
    return found[:count], found[count:]
