"""Farthest point sampling covers the surface evenly."""

import numpy as np

from blender_meshrec.core.farthest_point_sampling import farthest_point_sampling


def test_farthest_points_cover_better_than_random_ones():
    points = np.random.default_rng(0).normal(size=(500, 3))
    chosen = farthest_point_sampling(points, 60)
    assert len(set(chosen)) == 60
    nearest = np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(1).max()
    at_random = np.linalg.norm(points[:, None] - points[:60], axis=-1).min(1).max()
    assert nearest < at_random
