"""Fewer keys for sampled curves: within the tolerance at every frame, far fewer than frames, and as few as the curve needs."""

import numpy as np
import pytest

from blender_meshrec.core.key_reduction import reduce_keys


def swing(frames=120, period=40.0):
    at = np.arange(frames)[:, None]
    return np.concatenate([np.sin(2 * np.pi * at / period), 0.5 * np.cos(2 * np.pi * at / period), 0.01 * at], 1)


@pytest.mark.parametrize("tolerance", [0.003, 0.02])
def test_every_frame_is_within_the_tolerance_with_far_fewer_keys(tolerance):
    samples = swing()
    keys = reduce_keys(samples, tolerance)
    assert np.linalg.norm(keys.sample(len(samples)) - samples, axis=1).max() <= tolerance
    assert len(keys.rows) <= len(samples) / 6
    assert keys.rows[0] == 0 and keys.rows[-1] == len(samples) - 1


def test_a_wider_tolerance_needs_no_more_keys():
    counts = [len(reduce_keys(swing(), tolerance).rows) for tolerance in (0.001, 0.005, 0.02, 0.1)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1]


def test_a_curve_that_stays_within_the_tolerance_has_one_key_in_its_middle():
    samples = np.array([[0.0], [0.004], [0.002], [-0.002]])
    keys = reduce_keys(samples, 0.005)
    assert len(keys.rows) == 1 and np.isclose(keys.values[0, 0], 0.001)


def test_a_cubic_needs_its_two_ends_alone():
    at = np.arange(40)[:, None] / 39
    samples = 4 * at**3 - 5 * at**2 + at
    keys = reduce_keys(samples, 0.01)
    assert keys.rows.tolist() == [0, 39]
    assert np.abs(keys.sample(40) - samples).max() < 0.01


def test_the_metric_decides_what_counts_as_an_error():
    samples = swing()
    blind = np.zeros((len(samples), 1, 3))
    blind[:, 0, 2] = 1.0  # sees the straight line alone
    assert len(reduce_keys(samples, 0.003, blind).rows) < len(reduce_keys(samples, 0.003).rows) / 2


def test_a_jump_between_two_frames_is_kept():
    samples = np.where(np.arange(60) < 30, 0.0, 1.0)[:, None]
    keys = reduce_keys(samples, 0.01)
    assert np.abs(keys.sample(60) - samples).max() <= 0.01
    assert len(keys.rows) < 8
