"""When pictures were taken: evenly in footage that was converted to a faster rate, as they are shown where some were dropped."""

import numpy as np
import pytest

from blender_meshrec.backend.tracking.picture_times import REACH, evened, roughness, times_of_pictures
from blender_meshrec.core.records import Observations

FRAME = 1 / 30


def shown_at(taken):
    """The times of the first frames, of 30 a second, that show pictures taken at some times."""
    return np.ceil(np.asarray(taken) / FRAME - 1e-6) * FRAME


def walker(taken, noise=0.3):
    """Somebody in pictures taken at some times, whose keypoints swing about a steady walk, px."""
    rng = np.random.default_rng(0)
    phases = np.linspace(0, 5, 17)
    x = 60 * taken[:, None] + 25 * np.sin(2 * np.pi * taken[:, None] + phases) + rng.normal(0, noise, (len(taken), 17))
    keypoints = np.stack([x, np.broadcast_to(20.0 * phases, x.shape), np.ones_like(x)], -1)
    return Observations("coco17", np.tile([0, 0, 50, 100], (len(taken), 1)), keypoints, np.ones(len(taken), bool))


@pytest.mark.parametrize("rate", [24.0, 25.0, 20.0, 12.0])
def test_pictures_of_a_lower_rate_were_taken_evenly(rate):
    taken = np.arange(int(4 * rate)) / rate
    shown = shown_at(taken)
    found = times_of_pictures(shown, FRAME, [walker(taken)], [])
    steps = np.diff(found)[REACH:-REACH]
    np.testing.assert_allclose(steps, 1 / rate, atol=0.002)
    assert np.abs(found - shown).max() <= FRAME and found[0] == shown[0]


def test_pictures_beside_dropped_ones_were_taken_when_they_are_shown():
    taken = np.delete(np.arange(90) / 30, np.random.default_rng(1).choice(np.arange(1, 89), 18, replace=False))
    np.testing.assert_array_equal(times_of_pictures(taken, FRAME, [walker(taken)], []), taken)


def test_each_take_is_evened_by_itself():
    taken = np.arange(60) / 24
    shown = np.concatenate([shown_at(taken), shown_at(taken[-1] + FRAME + taken)])
    person = walker(np.concatenate([taken, 50.0 + taken]))
    found = times_of_pictures(shown, FRAME, [person], [60])
    assert found[60] == shown[60] and np.abs(found - shown).max() < FRAME and (np.diff(found) > 0).all()
    # Where somebody is behind the break says nothing of the times before it.
    assert roughness([person], found, [60]) < 0.2 * roughness([person], found, [])


def test_few_pictures_and_nobody():
    np.testing.assert_array_equal(evened(np.array([0.0, 0.1]), FRAME), [0.0, 0.1])
    shown = shown_at(np.arange(24) / 24)
    hidden = Observations("coco17", np.zeros((24, 4)), np.zeros((24, 17, 3)), np.zeros(24, bool))
    for people in ([], [hidden]):
        np.testing.assert_array_equal(times_of_pictures(shown, FRAME, people, []), shown)
