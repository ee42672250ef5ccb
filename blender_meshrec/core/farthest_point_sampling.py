"""A subset of vertices spread over a surface, so that fits need not use all vertices."""

import numpy as np

from .array_types import FloatArray, IntArray

NUM_SAMPLES = 1000  # for registering one skin to another


def farthest_point_sampling(vertices: FloatArray, num_samples: int = NUM_SAMPLES) -> IntArray:
    """Indices of at most `num_samples` of vertices (V,3): the first, then always the farthest from those chosen before."""
    chosen, distance = [0], np.full(len(vertices), np.inf)
    for _ in range(min(num_samples, len(vertices)) - 1):
        distance = np.minimum(distance, np.linalg.norm(vertices - vertices[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)
