"""What counts as a contact, to the number: speed, height, drift, duration and probability on either side of each threshold."""

import numpy as np
import pytest

from blender_meshrec.core import contacts
from blender_meshrec.core.contacts import contacts_from_probabilities, deadband, detect_contacts, point_speeds, weight_bearing

FPS = 100
TIMES = np.arange(300) / FPS
MIDDLE = slice(100, 250)  # away from the ends, where speeds are taken over a shorter time and a drift has only begun


def soles(speed=0.0, height=0.0, direction=(1, 0, 0)):
    """Points (F,4,3) m: the first moves at a speed, m/s, and is a height, m, above the others, which rest on the floor."""
    points = np.zeros((len(TIMES), 4, 3))
    points[:, 0] = speed * TIMES[:, None] * np.array(direction, float)
    points[:, 0, 2] += height
    points[:, :, 1] += 5 + np.arange(4)
    return points


def eased(value, ends):
    x = np.clip((value - ends[0]) / (ends[1] - ends[0]), 0, 1)
    return 1 - x * x * (3 - 2 * x)


KNEES = np.tile([0.0, 0.0, 1.0], (30, 2, 1))  # above all feet


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.2, 0.3, 0.45, 0.6])
@pytest.mark.parametrize("height", [0.0, 0.02, 0.05, 0.08, 0.11])
def test_certainty_falls_with_speed_and_height(speed, height):
    """At rest below 0.15 m/s and 3 cm; moving above 0.5 m/s or 10 cm. A point that moves on drifts, and is never in contact."""
    found = detect_contacts(soles(speed, height), TIMES)[MIDDLE]
    score = eased(speed, (0.15, 0.5)) * eased(height, (0.03, 0.10))
    expected = 0.5 + 0.5 * max(score, 0.01) if score >= 0.6 and not speed else 0.5 * min(score, 0.99)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(found[:, 1:], 1.0)


@pytest.mark.parametrize("speed, height", [(0.0, 0.0), (0.2, 0.1), (0.4, 0.0), (0.8, 0.3)])
def test_weight_rests_on_slow_and_low_points(speed, height):
    visible = np.arange(300) != 100
    found = weight_bearing(soles(speed, height, (1, 0, 0)) + [0, 1e6, 0], TIMES, visible)
    np.testing.assert_allclose(found[110:250, 0], np.exp(-((speed / 0.4) ** 2) - height / 0.2), rtol=1e-6)
    assert not found[100].any()
    assert 0.2 < contacts.WEIGHT_BEARING_THRESHOLD < np.exp(-1)  # a point at its rest speed is loaded, one far above is not


@pytest.mark.parametrize("peak, low, is_touching", [(0.61, 0.31, True), (0.59, 0.31, False), (0.61, 0.29, False)])
def test_a_contact_begins_above_one_score_and_ends_below_another(peak, low, is_touching):
    """Scores by height: a point that hovers, lowered for 0.2 s in the middle."""

    def height_of(score):
        return float(np.interp(-score, [-eased(h, (0.03, 0.10)) for h in np.linspace(0, 0.2, 9999)], np.linspace(0, 0.2, 9999)))

    points = soles(height=height_of(low))
    points[140:160, 0, 2] = height_of(peak)
    assert (detect_contacts(points, TIMES)[60, 0] > 0.5) == is_touching


@pytest.mark.parametrize("duration, is_found", [(0.06, False), (0.07, False), (0.09, True)])
def test_short_contacts_are_chance(duration, is_found):
    probabilities = np.zeros((300, 4))
    probabilities[100 : 100 + round(duration * FPS), 2] = 0.9
    assert (contacts_from_probabilities(probabilities, TIMES)[:, 2] > 0.5).any() == is_found


@pytest.mark.parametrize("duration, is_bridged", [(0.05, True), (0.06, True), (0.08, False)])
def test_short_gaps_are_noise(duration, is_bridged):
    probabilities = np.full((300, 4), 0.9)
    probabilities[100 : 100 + round(duration * FPS), 1] = 0.1
    found = contacts_from_probabilities(probabilities, TIMES)
    assert (found[:, 1] > 0.5).all() == is_bridged
    gap = found[100 : 100 + round(duration * FPS), 1]
    np.testing.assert_allclose(gap, 0.505 if is_bridged else 0.1)


@pytest.mark.parametrize("score, is_touching", [(0.51, True), (0.49, False)])
@pytest.mark.parametrize("later, goes_on", [(0.41, True), (0.39, False)])
def test_probabilities_have_two_thresholds(score, is_touching, later, goes_on):
    probabilities = np.full((300, 4), later)
    probabilities[100:120] = score
    found = contacts_from_probabilities(probabilities, TIMES)
    assert (found[110] > 0.5).all() == is_touching and (found[200] > 0.5).all() == (is_touching and goes_on)
    np.testing.assert_allclose(found[110], score)
    np.testing.assert_allclose(found[200], 0.505 if is_touching and goes_on else later)


@pytest.mark.parametrize("speed, is_touching", [(0.84, True), (0.86, False)])
def test_a_fast_point_is_not_in_contact_whatever_the_network_says(speed, is_touching):
    """Along the line of sight, a tenth of the movement counts for the speed and a twentieth for the drift."""
    probabilities = np.full((300, 4), 0.9)
    far = soles(10 * speed, direction=(0, 1, 0)) + [0, 1e5, 0]
    found = contacts_from_probabilities(probabilities, TIMES, points=far, camera=[0, 0, 0])
    assert (found[MIDDLE, 1:] > 0.5).all() and not (found[MIDDLE, 0] > 0.5).any()  # 10 times that speed drifts, too
    short = far.copy()
    short[:, 0, 1] = 1e5 + 5 + 10 * speed * np.clip(TIMES - 1, 0, 0.2)  # 1.7 m in 0.2 s, 8 cm of them count
    found = contacts_from_probabilities(probabilities, TIMES, points=short, camera=[0, 0, 0])
    assert (found[106:114, 0] > 0.5).all() == is_touching
    np.testing.assert_allclose(found[110, 0], 0.9 if is_touching else 0.0, atol=1e-9)


@pytest.mark.parametrize(
    "drift, camera, weight, is_touching",
    [
        (0.09, None, 1.0, True),
        (0.12, None, 1.0, False),
        (0.09, [-1e5, 5, 0], 0.2, True),
        (0.45, [-1e5, 5, 0], 0.2, True),
        (0.55, [-1e5, 5, 0], 0.2, False),
    ],
)
def test_a_point_that_drifts_was_not_at_rest(drift, camera, weight, is_touching):
    """More than 5 cm from the middle of its path, of which a fifth counts along the line of sight."""
    points = soles()
    points[:, 0, 0] = drift * TIMES / TIMES[-1]
    assert drift / TIMES[-1] * (0.4 if camera else 1) < 0.15  # m/s: slow enough at every moment
    assert (detect_contacts(points, TIMES, camera=camera)[:, 0] > 0.5).all() == is_touching


@pytest.mark.parametrize("speed, is_touching", [(0.0, True), (0.009, True), (0.011, False), (0.1, False)])
def test_a_point_that_has_drifted_touches_while_it_moves_on_no_faster_than_a_centimetre_a_second(speed, is_touching):
    points = soles()
    points[:, 0, 0] = 0.14 * np.minimum(TIMES, 1) + speed * np.maximum(TIMES - 1, 0)
    touching = detect_contacts(points, TIMES)[:, 0] > 0.5
    assert not touching[75:90].any() and (touching[120:280] == is_touching).all()


def test_a_path_within_a_deadband_stands_still_and_another_follows_at_its_distance():
    line = np.stack([np.linspace(0, 1, 50), np.zeros(50)], 1)
    assert np.ptp(deadband(line, 0.51), axis=0).max() == 0 and np.ptp(deadband(line, 0.49), axis=0).max() > 0
    followed = deadband(line, 0.1)
    distance = np.linalg.norm(line - followed, axis=1)
    assert (distance <= 0.1 + 1e-12).all()
    np.testing.assert_allclose(distance[20:], 0.1)
    assert (np.diff(followed[:, 0]) >= 0).all() and not followed[:, 1].any()
    start = line[:12].mean(0)
    np.testing.assert_allclose(followed[0, 0], start[0] - max(0, start[0] - 0.1))


def test_a_path_that_follows_begins_at_the_mean_of_its_first_quarter():
    for count, quarter in ((1, 1), (3, 1), (4, 1), (7, 1), (8, 2), (21, 5)):
        values = np.random.default_rng(count).normal(size=(count, 2)) + np.arange(count)[:, None] * [2.0, 0.0]
        at, radius = values[:quarter].mean(0), 0.5
        followed = deadband(values, radius)
        if count == 1:
            np.testing.assert_array_equal(followed, values)
            continue
        for value, found in zip(values, followed):
            distance = np.linalg.norm(value - at)
            at = at if distance <= radius else value - (value - at) * radius / distance
            np.testing.assert_allclose(found, at, atol=1e-12)


@pytest.mark.parametrize(
    "height, others, stays",
    [
        (0.06, (0.0, 0.0), True),
        (0.061, (0.0, 0.0), False),
        (0.15, (0.15, 0.15), False),
        (0.151, (0.151, 0.151), True),
        (0.4, (0.301, 0.5), True),
        (0.4, (0.299, 0.5), False),
        (0.4, (0.5, 0.299), False),
    ],
)
@pytest.mark.parametrize("point", range(4))
def test_a_foot_rests_on_the_floor_or_a_step_by_heights_to_the_millimetre(height, others, stays, point):
    """Up to 6 cm is the floor, above 15 cm a step, unless a point of the other foot is more than 10 cm lower; by each run's median."""
    certainties, points = np.full((30, 4), 0.2), np.zeros((30, 4, 3))
    certainties[5:16, point], certainties[20:25, point] = 0.8, 0.9
    points[:, point, 2] = height
    points[:, [2, 3] if point < 2 else [0, 1], 2] = others
    points[5:10, point, 2] += 9.0  # fewer than half of the run's frames
    points[10:12, :, 2] -= 9.0
    kept = contacts.contacts_on_support(certainties, points, KNEES)
    expected = certainties.copy()
    if not stays:
        expected[5:16, point] = expected[20:25, point] = 0.495
    np.testing.assert_array_equal(kept, expected)
    assert (contacts.contacts_on_support(np.full((30, 4), 0.5), points, KNEES) == 0.5).all()  # no contact


def test_numbers_may_be_lists_or_whole():
    """Timestamps in whole seconds, as lists, mean the same as floats."""
    times = list(range(40))
    points = np.zeros((40, 4, 3))
    points[:, 0, 0] = 0.3 * np.array(times) ** 1.5
    probabilities = np.random.default_rng(0).random((40, 4))
    for convert in (list, np.array, lambda numbers: np.array(numbers, float)):
        np.testing.assert_array_equal(detect_contacts(points.tolist(), convert(times)), detect_contacts(points, np.arange(40.0)))
        np.testing.assert_array_equal(
            contacts_from_probabilities(probabilities.tolist(), convert(times)), contacts_from_probabilities(probabilities, np.arange(40.0))
        )


@pytest.mark.parametrize("fps", [5, 10, 30, 120])
def test_speeds_are_taken_over_a_twentieth_of_a_second_or_one_frame(fps):
    times = np.arange(40) / fps
    positions = (times > times[20] - 1e-9).astype(float)[:, None, None] * [1.0, 0, 0]
    reach = max(0.05, 0.999 / fps)
    speeds = point_speeds(positions, times)[:, 0]
    slow = [np.interp([t - reach, t + reach], times, positions[:, 0, 0]) for t in times]
    length = [min(t + reach, times[-1]) - max(t - reach, times[0]) for t in times]
    np.testing.assert_allclose(speeds, [(after - before) / s for (before, after), s in zip(slow, length)], atol=1e-9)
    assert speeds.any()
    assert not point_speeds(positions[:1], times[:1]).any() and point_speeds(positions[:1], times[:1]).shape == (1, 1)


@pytest.mark.parametrize("visible", [np.arange(300) % 40 < 30, (np.arange(1200).reshape(300, 4) % 7 > 2)])
def test_hidden_points_are_not_in_contact(visible):
    for found in (detect_contacts(soles(), TIMES, visible), contacts_from_probabilities(np.full((300, 4), 0.9), TIMES, visible)):
        shown = visible if visible.ndim == 2 else np.repeat(visible[:, None], 4, 1)
        assert (found[shown] > 0.5).all()
        assert (found[~shown.any(1)] == 0).all()
    assert detect_contacts(soles(), TIMES).shape == (300, 4)
