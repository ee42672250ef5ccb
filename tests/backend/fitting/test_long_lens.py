"""A long lens is found by people near and far on one floor, and only where usual lenses do not explain them."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.long_lens import farther, find_long_lens
from blender_meshrec.backend.fitting.perpendicular_edges import ZOOMS
from blender_meshrec.backend.fitting.statures_on_floor import StandingPerson

TIMES = np.arange(60) / 30
CAMERA = np.tile([0.0, 0.0, 10.0], (60, 1))  # m, on a stand
PITCH = np.radians(13.0)
FORWARD = np.array([0.0, np.cos(PITCH), -np.sin(PITCH)])
SIGMA = np.radians([2.0, 1.5])


def stand(x, y):
    """Somebody of 1.7 m who stands at a place, m."""
    soles = np.array([x, y, 0.0]) + np.array([[-0.1, -0.1, 0], [-0.1, 0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0]])
    return StandingPerson(np.tile(soles, (60, 1, 1)), np.ones(60, bool), 1.7)


PEOPLE = [stand(1.0, 40.0), stand(-1.0, 44.0), stand(-2.0, 65.0), stand(3.0, 67.0)]


def found(people, log_lens=None):
    return find_long_lens(people, TIMES, CAMERA, FORWARD, SIGMA, log_lens)


def test_a_lens_that_explains_people_stays():
    assert found(PEOPLE) is None
    assert found(PEOPLE[:1]) is None


def test_people_on_a_slope_tell_a_long_lens():
    """Through a lens of 0.4 of the true length they seem to be at 0.4 of their distances."""
    through = farther(PEOPLE, CAMERA, FORWARD, float(np.log(0.4)))
    lens = found(through)
    assert lens is not None
    assert lens.zoom == pytest.approx(-np.log(0.4), abs=max(0.2, lens.sigma))
    assert 0.1 <= lens.sigma < 0.5


def test_edges_that_tell_a_usual_lens_are_believed():
    through = farther(PEOPLE, CAMERA, FORWARD, float(np.log(0.4)))
    assert found(through, -0.5 * (ZOOMS / 0.1) ** 2) is None


def test_who_is_farther_is_as_large():
    moved = farther(PEOPLE, CAMERA, FORWARD, 0.5)[0]
    assert moved.stature == PEOPLE[0].stature
    np.testing.assert_allclose(np.ptp(moved.soles, axis=1), np.ptp(PEOPLE[0].soles, axis=1), atol=1e-9)  # m
    before, after = (np.median((person.soles - CAMERA[:, None]) @ FORWARD) for person in (PEOPLE[0], moved))
    assert after == pytest.approx(before * np.exp(0.5))


def test_a_stature_that_is_known_counts():
    people = [replace(person, is_known=True) for person in farther(PEOPLE, CAMERA, FORWARD, float(np.log(0.4)))]
    assert found(people) is not None
