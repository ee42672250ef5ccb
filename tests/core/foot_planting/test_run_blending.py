"""Blending around runs of frames, and smooth envelopes."""

import numpy as np

from blender_meshrec.core.foot_planting.run_blending import ease_into_runs, fade_between_runs, smooth_triangular, smooth_upper_envelope

TIMES = np.arange(200) / 50
RUNS = np.array([[20, 40], [44, 60], [150, 151]])


def test_fades_hold_on_runs_and_vanish_far_away():
    """Corrections equal the values on runs, are zero beyond the fade time, and do not jump."""
    values = np.random.default_rng(0).normal(size=(200, 2)).cumsum(0) * 0.01
    result = fade_between_runs(values, RUNS, TIMES, 0.2)
    for first, last in RUNS:
        np.testing.assert_array_equal(result[first:last], values[first:last])
    np.testing.assert_array_equal(result[75:135], 0)
    assert np.abs(np.diff(result, axis=0)).max() < np.abs(values[20:61]).max() * 0.5


def test_easing_leaves_runs_and_distant_frames_alone():
    values = np.random.default_rng(1).normal(size=(200, 2)).cumsum(0)
    result = ease_into_runs(values, RUNS, TIMES, 0.1)
    for first, last in (*RUNS, (70, 140)):
        np.testing.assert_array_equal(result[first:last], values[first:last])


def test_no_runs_fade_to_zero():
    none = np.empty((0, 2), int)
    values = np.ones((200, 1))
    np.testing.assert_array_equal(fade_between_runs(values, none, TIMES, 0.2), 0)
    np.testing.assert_array_equal(ease_into_runs(values, none, TIMES, 0.2), values)


def test_envelopes_cover_what_is_required():
    required = np.maximum(np.sin(TIMES * 7) - 0.5, 0)
    assert (smooth_upper_envelope(required, TIMES, 0.1) >= required).all()


def test_triangular_means_keep_linear_drift():
    np.testing.assert_allclose(smooth_triangular(TIMES[:, None] * 3, TIMES, 0.3)[:, 0], TIMES * 3, atol=1e-9)
