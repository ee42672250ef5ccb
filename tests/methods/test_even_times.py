"""Clips of any frame rate at even times, and back."""

import numpy as np
import pytest

from blender_meshrec.methods.lifter import even_times


def test_a_blend_is_exact_at_its_ends_and_certain_as_its_worse_part():
    before, after = np.array([[[0.0, 0, 0.9]]]), np.array([[[4.0, 8, 0.3]]])
    for fraction, expected in ((0.0, [0, 0, 0.9]), (0.25, [1, 2, 0.3]), (1.0, [4, 8, 0.3]), (1e-7, [0, 0, 0.9])):
        np.testing.assert_allclose(even_times.blend_points(before, after, np.array([fraction]))[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "fps, subdivided, interleaved", [(30, 1, 1), (60, 1, 2), (15, 2, 1), (10, 3, 1), (25, 1, 1), (120, 1, 4), (44, 1, 1)]
)
@pytest.mark.parametrize("start", [0.0, 12.5])
def test_times_include_frames_and_are_near_the_networks_rate(fps: float, subdivided: int, interleaved: int, start: float):
    times, interleave = even_times.resample_times(start + np.arange(9) / fps)
    assert interleave == interleaved
    np.testing.assert_allclose(times, start + np.arange(8 * subdivided + 1) / (fps * subdivided))
    single, count = even_times.resample_times([start])
    assert single.tolist() == [start] and count == 1


def test_frames_close_in_time_are_blended_and_others_are_kept():
    timestamps = 3.0 + np.array([0.0, 0.04, 0.3, 0.34])
    points = np.zeros((4, 1, 3))
    points[:, 0] = [[0, 0, 0.9], [4, 0, 0.5], [30, 0, 0.8], [34, 0, 0.8]]
    # Half a step of the even times is 0.01 s: as near has a time to be to a frame beside a gap of more than one and a half frames.
    expected = {
        0.0: 0, 0.02: 2, 0.04: 4, 0.049: 4, 0.051: None, 0.1: None, 0.18: None, 0.289: None, 0.291: 30, 0.3: 30, 0.33: 33, 0.34: 34
    }  # fmt: skip
    found, known = even_times.resample_points(points, timestamps, 3.0 + np.array(list(expected)))
    assert known.tolist() == [value is not None for value in expected.values()]
    np.testing.assert_allclose(found[known, 0, 0], [value for value in expected.values() if value is not None], atol=1e-9)
    np.testing.assert_allclose(found[[0, 1, 2], 0, 2], [0.9, 0.5, 0.5])
    assert found[~known, 0, 0].tolist() == [4, 4, 30, 30], "the nearer frame"
    same, all_known = even_times.resample_points(points, timestamps, timestamps + 5e-5)
    assert all_known.all() and np.array_equal(same, points) and same is not points


def test_values_are_interpolated_from_even_times_wherever_they_begin():
    times, values = 7.0 + np.arange(5) / 30, np.arange(10.0).reshape(5, 2)
    wanted = 7.0 + np.array([0, 0.5, 2, 2 + 5e-4, 4]) / 30
    np.testing.assert_allclose(even_times.interpolate_values(values, times, wanted)[:, 0], [0, 1, 4, 4, 8], atol=1e-9)
    np.testing.assert_allclose(even_times.interpolate_values(values[:1], times[:1], wanted), np.repeat(values[:1], 5, 0))
