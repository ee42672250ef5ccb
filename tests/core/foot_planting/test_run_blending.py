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


def falling(x):
    x = np.clip(x, 0, 1)
    return 1 - 10 * x**3 + 15 * x**4 - 6 * x**5


def test_a_correction_fades_along_one_curve_over_its_time_or_the_gap():
    """The slow twin: frame by frame, the end values of the runs before and after with their weights."""
    values = np.random.default_rng(2).normal(size=(200, 2))
    result = fade_between_runs(values, RUNS, TIMES, 0.2)
    for frame in range(200):
        if any(first <= frame < last for first, last in RUNS):
            continue
        before = max((last - 1 for _, last in RUNS if last <= frame), default=None)
        after = min((first for first, _ in RUNS if first > frame), default=None)
        gap = np.inf if before is None or after is None else TIMES[after] - TIMES[before]
        edges = [edge for edge in (before, after) if edge is not None]
        expected = sum(falling(abs(TIMES[frame] - TIMES[edge]) / min(0.2, gap)) * values[edge] for edge in edges)
        np.testing.assert_allclose(result[frame], expected, atol=1e-12)


def test_paths_leave_runs_with_the_runs_speed():
    """The slow twin; a run of one frame has no speed, and the gap may be shorter than the time to settle."""
    values = np.random.default_rng(3).normal(size=(200, 2)).cumsum(0)
    runs = np.array([[0, 1], [5, 20], [44, 60], [150, 151], [199, 200]])
    result = ease_into_runs(values, runs, TIMES, 0.3)
    for frame in range(200):
        if any(first <= frame < last for first, last in runs):
            np.testing.assert_array_equal(result[frame], values[frame])
            continue
        before = max(last - 1 for _, last in runs if last <= frame)
        after = min(first for first, _ in runs if first > frame)
        reach = min(0.3, (TIMES[after] - TIMES[before]) / 2)
        expected = values[frame].copy()
        for edge, inner in ((before, before - 1), (after, after + 1)):
            is_in_run = any(first <= inner < last for first, last in runs)
            inner = inner if is_in_run else edge - 1  # any other frame
            speed = (values[inner] - values[edge]) / (TIMES[inner] - TIMES[edge]) if is_in_run else 0.0
            away = TIMES[frame] - TIMES[edge]
            expected += falling(abs(away) / reach) * (values[edge] + speed * away - values[frame])
        np.testing.assert_allclose(result[frame], expected, atol=1e-9)


def test_means_are_taken_twice_over_the_frames_within_the_radius():
    """A frame at the radius itself counts; the windows at the ends are as long before as after."""
    values = np.random.default_rng(4).normal(size=(200, 3))
    expected = values
    for _ in range(2):
        reach = [min(10, frame, 199 - frame) for frame in range(200)]
        expected = np.array([expected[frame - r : frame + r + 1].mean(0) for frame, r in enumerate(reach)])
    for radius in (0.2, 0.21, 0.219):
        np.testing.assert_allclose(smooth_triangular(values, TIMES, radius), expected, atol=1e-12)
    assert np.abs(smooth_triangular(values, TIMES, 0.199) - expected).max() > 1e-3
    np.testing.assert_array_equal(smooth_triangular(values, list(TIMES), 0.2), smooth_triangular(values, TIMES, 0.2))


def test_an_envelope_rises_within_its_radius_and_no_sooner():
    required = np.zeros(200)
    required[100] = 1.0
    envelope = smooth_upper_envelope(required, TIMES, 0.2)
    assert envelope[100] == 1.0 and not envelope[:80].any() and not envelope[121:].any()
    assert (envelope[84:117] > 0).all() and (np.diff(envelope[75:101]) >= 0).all() and (np.diff(envelope[100:125]) <= 0).all()
