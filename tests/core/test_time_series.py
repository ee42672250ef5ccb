"""Numbers over time, against loops."""

import numpy as np

from blender_meshrec.core.time_series import interpolate_over_time, weighted_quantile, windowed_mean, windowed_minimum

RNG = np.random.default_rng(0)
TIMES = np.sort(RNG.uniform(0, 5, 80))


def test_across_time_is_linear_and_held():
    values = interpolate_over_time(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0]), np.array([[10.0], [30.0]]))
    np.testing.assert_allclose(values[:, 0], [10, 10, 20, 30, 30])
    np.testing.assert_array_equal(interpolate_over_time(TIMES, TIMES[:1], [[7.0]]), np.full((80, 1), 7.0))


def test_windows_reach_the_same_time_both_ways():
    values = RNG.uniform(size=80)
    near = np.abs(TIMES[:, None] - TIMES) <= 0.4
    np.testing.assert_array_equal(windowed_minimum(values, TIMES, 0.4), [values[row].min() for row in near])
    once = np.array([values[row].mean() for row in near])
    np.testing.assert_allclose(windowed_mean(values[:, None], TIMES, 0.4)[:, 0], [once[row].mean() for row in near])


def test_a_weighted_quantile_counts_repeats():
    values, repeats = RNG.normal(size=15), RNG.integers(1, 9, 15)
    spread = np.sort(np.repeat(values, repeats))
    for share in (0.0, 0.05, 0.3, 0.5, 0.9, 1.0):
        assert weighted_quantile(values, repeats, share) == spread[max(int(np.ceil(share * len(spread))) - 1, 0)]
