"""Gaps in timestamps are closed, so that work grows with frames and not with hours; everything else keeps its time."""

import numpy as np
import pytest

from blender_meshrec.core.time_gaps import close_time_gaps


def test_times_without_gaps_are_kept_bit_for_bit():
    for times in (np.arange(50) / 24, np.cumsum([0.1, 0.03, 5.0, 0.04, 9.9]), np.arange(5) * 60.0, np.array([3.0])):
        closed, count = close_time_gaps(times, 24.0)
        assert closed is times or np.array_equal(closed, times)
        assert count == 0


@pytest.mark.parametrize("gap", [11.0, 3600.0, 1e9])  # s
def test_frames_after_a_gap_follow_at_the_usual_interval(gap):
    times = np.arange(60) / 30 + np.repeat([0, gap, 2 * gap], 20)
    closed, count = close_time_gaps(times, 30.0)
    assert count == 2 and np.allclose(closed, np.arange(60) / 30, atol=1e-6)
    assert np.allclose(close_time_gaps([0.0, gap], 30.0)[0], [0, 1 / 30])
