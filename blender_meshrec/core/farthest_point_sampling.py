"""Some vertices that stand for a whole skin: what a fit may look at instead of all."""

import numpy as np

NUM_SAMPLES = 1000  # that skins are laid onto each other by


def farthest_point_sampling(vertices, num_samples=NUM_SAMPLES):
    """Indices of so many vertices (V,3), each as far as can be from those before it."""
    chosen, distance = [0], np.full(len(vertices), np.inf)
    for _ in range(min(num_samples, len(vertices)) - 1):
        distance = np.minimum(distance, np.linalg.norm(vertices - vertices[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.array(chosen)
