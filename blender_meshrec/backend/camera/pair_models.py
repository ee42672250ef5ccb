"""Models of the background's motion between two frames, and what they cost: nothing, a similarity, a rotation, a homography, parallax.

E pairs of frames, M matches of points between them, in the order of the pairs. Pixels are of the footage, from the image's middle.
"""

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray

NOISE = 0.3  # px of the small image, standard deviation of a match, for the choice of a model


def sum_by_pair(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums (E,...) of values (M,...) over each pair's matches; starts: (E+1,)."""
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0)])
    return total[starts[1:]] - total[starts[:-1]]


def fit_similarities(before: FloatArray, after: FloatArray, weights: FloatArray, starts: IntArray) -> FloatArray:
    """Similarities that take `before` (M,2) to `after` (M,2) with the least weighted squared error, (E,4).

    Returns:
        the shift of the image's middle, px, the logarithm of the growth, and the turn from x to y, rad.
    """
    a, b, w = before[:, 0] + 1j * before[:, 1], after[:, 0] + 1j * after[:, 1], weights
    total = np.maximum(sum_by_pair(w, starts), 1e-9)
    mean_a, mean_b = ((sum_by_pair((w * x).real, starts) + 1j * sum_by_pair((w * x).imag, starts)) / total for x in (a, b))
    pair_of = np.repeat(np.arange(len(total)), np.diff(starts))
    da, db = a - mean_a[pair_of], b - mean_b[pair_of]
    product = w * np.conj(da) * db
    spread = np.maximum(sum_by_pair(w * np.abs(da) ** 2, starts), 1e-9)
    factor = (sum_by_pair(product.real, starts) + 1j * sum_by_pair(product.imag, starts)) / spread
    factor = np.where(np.abs(factor) > 1e-3, factor, 1.0)
    shift = mean_b - factor * mean_a
    return np.stack([shift.real, shift.imag, np.log(np.abs(factor)), np.angle(factor)], -1)


def fit_rotations(before: FloatArray, after: FloatArray, weights: FloatArray, starts: IntArray) -> FloatArray:
    """Rotations (E,3,3) that take directions `before` (M,3) to `after` (M,3) with the least weighted squared error.

    Source: Wahba's problem by singular values, Markley 1988.
    """
    products = sum_by_pair(weights[:, None, None] * after[:, :, None] * before[:, None, :], starts)
    left, _values, right = np.linalg.svd(products + 1e-9 * np.eye(3))
    sign = np.linalg.det(left) * np.linalg.det(right)
    left[:, :, 2] *= sign[:, None]
    return left @ right


def gric(errors: FloatArray, dimension: int, parameters: int, noise: float) -> float:
    """The geometric robust information criterion of a model of point matches; the model with the lowest explains best.

    Args:
        errors: (N,) px. dimension: of the manifold that the model gives to a match (2: a point follows from the other; 3: it lies on a
            line). parameters: number of the model's. noise: px, standard deviation of errors.

    Source: Torr 1998, "Geometric motion segmentation and model selection", eq. 46, with r = 4.
    """
    robust = np.minimum((errors / noise) ** 2, 2.0 * (4 - dimension))
    return float(robust.sum() + np.log(4) * dimension * len(errors) + np.log(4 * max(len(errors), 1)) * parameters)


def homography_errors(before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
    """Distances (N,) px of `after` (N,2) from where the homography that most agree on takes `before`; infinite without one."""
    matrix, _inliers = cv2.findHomography(before, after, cv2.USAC_MAGSAC, 2 * noise, maxIters=2000)
    if matrix is None:
        return np.full(len(before), np.inf)
    mapped = np.c_[before, np.ones(len(before))] @ matrix.T
    return np.asarray(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - after, axis=1))


def epipolar_errors(before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
    """Sampson distances (N,) px of matches (N,2) and (N,2) from the epipolar geometry that most agree on; infinite without one."""
    try:
        matrix, _inliers = cv2.findFundamentalMat(before, after, cv2.USAC_MAGSAC, 2 * noise, 0.999, 2000)
    except cv2.error:  # OpenCV 5 asserts where no sample gives a model
        return np.full(len(before), np.inf)
    if matrix is None or matrix.shape != (3, 3):
        return np.full(len(before), np.inf)
    a, b = np.c_[before, np.ones(len(before))], np.c_[after, np.ones(len(after))]
    line_b, line_a = a @ matrix.T, b @ matrix
    slope = (line_a[:, :2] ** 2).sum(1) + (line_b[:, :2] ** 2).sum(1)
    return np.abs((b * line_b).sum(1)) / np.sqrt(np.maximum(slope, 1e-12))


def widest_pairs(shifts: FloatArray, counts: IntArray, references: IntArray, min_count: int, max_pairs: int) -> IntArray:
    """Of each reference frame the pair with the largest motion, at most `max_pairs`, evenly spread.

    Args:
        shifts: (E,) px, how far a pair's matches move. counts: (E,) matches. references: (E,) row of the earlier frame.
    """
    order = np.lexsort((shifts, references))
    order = order[counts[order] >= min_count]
    is_last: BoolArray = np.append(np.diff(references[order]) != 0, True)[: len(order)]
    chosen = order[is_last]
    return chosen if len(chosen) <= max_pairs else chosen[np.linspace(0, len(chosen) - 1, max_pairs).round().astype(int)]
