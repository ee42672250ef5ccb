"""A picture that changes at once is told from motion, flashes and repeated frames."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.picture_change import PictureChange, changes_at_once

MOTION = np.array([np.nan, *(2 + np.random.default_rng(0).uniform(-0.4, 0.4, 29))])


def test_a_change_that_is_much_larger_than_those_around_it_is_found():
    changes = MOTION.copy()
    changes[12] = 5.0
    assert np.flatnonzero(changes_at_once(changes)).tolist() == [12]
    changes[20] = 3.0  # within what motion does
    assert np.flatnonzero(changes_at_once(changes)).tolist() == [12]


def test_a_flash_changes_two_frames_and_is_none():
    changes = MOTION.copy()
    changes[[12, 13]] = 30.0
    assert not changes_at_once(changes).any()


def test_frames_that_repeat_the_one_before_do_not_count():
    repeated = np.where(np.arange(30) % 4 == 1, MOTION, 0.01)
    assert not changes_at_once(repeated).any()
    repeated[13] = 6.0
    assert np.flatnonzero(changes_at_once(repeated)).tolist() == [13]


@pytest.mark.parametrize(
    "changes", [np.full(5, np.nan), np.zeros(5), np.zeros(0), np.array([np.nan, 4.0]), np.array([np.nan, 0.0, 9.0, 0.0])]
)
def test_nothing_is_found_where_nothing_is_known(changes):
    assert not changes_at_once(changes).any()


def test_changes_of_pictures_and_whether_the_next_one_changes_at_once():
    still = np.full((180, 320), 100, np.uint8)
    noisy, lighter, much_lighter = still + 7, still + 12, still + 108
    meter = PictureChange()
    assert not meter.is_at_once(still) and np.isnan(meter.update(still)).all()
    found = [meter.update(picture) for picture in (lighter, still, lighter, still, noisy, still)]
    assert found == [(4.0, 12.0)] * 4 + [(0.0, 7.0)] * 2
    assert not meter.is_at_once(lighter) and meter.is_at_once(much_lighter)
    assert meter.update(much_lighter) == (100.0, 108.0)
    assert np.isnan(meter.update(None)).all() and np.isnan(meter.update(still)).all() and meter.update(lighter).mean == 4.0


def test_a_small_person_who_moves_counts_and_single_pixels_do_not():
    still = np.full((180, 320), 100, np.uint8)
    specks, person = still.copy(), still.copy()
    specks[[10, 50, 90, 130], [20, 80, 140, 200]] = 255
    person[60:70, 100:104] = 250
    meter = PictureChange()
    meter.update(still)
    assert meter.update(specks).largest == 0.0
    meter.update(still)
    assert meter.update(person).largest == 150.0
