"""Interpolation, moving windows and quantiles against slow versions."""

import numpy as np

from blender_meshrec.core.time_series import (
    interpolate_missing,
    interpolate_over_time,
    long_gaps,
    weighted_median,
    weighted_quantile,
    windowed_mean,
    windowed_minimum,
)

RNG = np.random.default_rng(0)
TIMES = np.sort(RNG.uniform(0, 5, 80))


def test_interpolation_is_linear_and_constant_beyond_the_ends():
    values = interpolate_over_time(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0]), np.array([[10.0], [30.0]]))
    np.testing.assert_allclose(values[:, 0], [10, 10, 20, 30, 30])
    np.testing.assert_array_equal(interpolate_over_time(TIMES, TIMES[:1], [[7.0]]), np.full((80, 1), 7.0))


def test_moving_windows_agree_with_loops():
    values = RNG.uniform(size=80)
    near = np.abs(TIMES[:, None] - TIMES) <= 0.4
    np.testing.assert_array_equal(windowed_minimum(values, TIMES, 0.4), [values[row].min() for row in near])
    once = np.array([values[row].mean() for row in near])
    np.testing.assert_allclose(windowed_mean(values[:, None], TIMES, 0.4)[:, 0], [once[row].mean() for row in near])


def test_weighted_quantile_agrees_with_repeated_values():
    values, repeats = RNG.normal(size=15), RNG.integers(1, 9, 15)
    spread = np.sort(np.repeat(values, repeats))
    for quantile in (0.0, 0.05, 0.3, 0.5, 0.9, 1.0):
        assert weighted_quantile(values, repeats, quantile) == spread[max(int(np.ceil(quantile * len(spread))) - 1, 0)]


def test_a_weighted_median_ignores_small_weights():
    values = np.array([5.0, -100, 4, 6, 1000])
    assert weighted_median(values, np.ones(5)) == 5
    assert weighted_median(values, np.array([1, 1, 1, 1, 50.0])) == 1000


def test_missing_values_are_interpolated_column_by_column():
    values = np.array([[0.0, 7.0, 1.0], [9.0, 8.0, 9.0], [4.0, 9.0, 9.0]])
    known = np.array([[True, False, True], [False, False, False], [True, False, False]])
    filled = interpolate_missing(values, known, np.array([0.0, 1.0, 4.0]))
    np.testing.assert_allclose(filled, [[0, 7, 1], [1, 8, 1], [4, 9, 1]])


def test_long_gaps_hold_the_sample_before():
    times, known = np.arange(10) / 2, np.array([0.0, 0.5, 2.0, 3.0, 4.0])
    values = known**2
    found = interpolate_over_time(times, known, values, longest_gap=1.0)
    np.testing.assert_allclose(found[[2, 3]], values[1])  # at 1.0 and 1.5 s, in a gap of 1.5 s
    np.testing.assert_allclose(np.delete(found, [2, 3]), np.delete(interpolate_over_time(times, known, values), [2, 3]))


def test_which_gaps_are_long():
    known = np.isin(np.arange(10), [1, 2, 5, 7])
    assert long_gaps(known, np.arange(10) / 2) == [(3, 4)]  # 1.5 s; of 1.0 s none, nor the ends
    assert long_gaps(known, np.arange(10) / 30) == [] == long_gaps(np.zeros(10, bool), np.arange(10))
