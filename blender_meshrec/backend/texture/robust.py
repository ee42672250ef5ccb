"""Weighted medians over the first axis."""

import numpy as np

from ...core.array_types import FloatArray


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The weighted median (...) over the first axis of values (P, ...); weights broadcast to them. Without weight, the least value."""
    order = np.argsort(values, axis=0)
    sorted_weights = np.take_along_axis(np.broadcast_to(weights, values.shape), order, 0)
    total = np.cumsum(sorted_weights, axis=0)
    place = (total < total[-1:] / 2).sum(0).clip(max=len(values) - 1)
    return np.take_along_axis(values, np.take_along_axis(order, place[None], 0), 0)[0]
