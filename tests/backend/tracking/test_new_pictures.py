"""Frames that only repeat the picture before them are left out, and what was found in the others stays in order."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera.picture_change import Change, repeated_pictures
from blender_meshrec.backend.camera.tracks import CUT, FOLLOWS, FrameMatches, Match
from blender_meshrec.backend.tracking.new_pictures import (
    found_in_rows,
    matches_of_rows,
    observed_in_pictures,
    rows_of_new_pictures,
    rows_shown_last,
)
from blender_meshrec.core.records import Observations

TIMES = np.arange(30) / 30


def changes(leaps, still=2.0, leap=100.0):
    """The largest changes (30,) of pictures that leap in some rows and hardly change in the others."""
    largest = np.full(len(TIMES), still)
    largest[list(leaps)] = leap
    largest[0] = np.nan
    return largest


@pytest.mark.parametrize("every", [2, 3, 6])
def test_pictures_that_are_shown_several_times_are_found(every):
    repeated = repeated_pictures(changes(range(every, 30, every)), TIMES)
    assert np.flatnonzero(repeated).tolist() == [row for row in range(every + 1, 30 - every) if row % every]  # between two leaps


def test_a_picture_that_is_shown_once_more_now_and_then_is_found():
    assert np.flatnonzero(repeated_pictures(changes([row for row in range(1, 30) if row % 5]), TIMES)).tolist() == [5, 10, 15, 20, 25]


def test_a_single_picture_may_stand_still_by_chance():
    leaps = [row for row in range(1, 30) if row not in (9, 20)]
    assert not repeated_pictures(changes(leaps), TIMES).any()
    assert np.flatnonzero(repeated_pictures(changes([row for row in leaps if row != 14]), TIMES)).tolist() == [9, 14, 20]


def test_people_who_come_to_rest_are_filmed():
    motion = 3 + 0.3 * (np.arange(30.0) - 15) ** 2  # slows down before row 15, and speeds up behind it
    assert not repeated_pictures(motion, TIMES).any()
    assert not repeated_pictures(changes([2, 20]), TIMES).any()  # held for longer than any picture is shown
    assert not repeated_pictures(changes([], still=1.0), TIMES).any()
    assert not repeated_pictures(changes(range(2, 30, 2), still=0.0, leap=4.0), TIMES).any()  # noise


@pytest.mark.parametrize("largest", [np.full(30, np.nan), np.zeros(30), np.zeros(0), np.array([np.nan, 9.0])])
def test_nothing_is_found_where_nothing_is_known(largest):
    assert not repeated_pictures(largest, TIMES[: len(largest)]).any()


def test_matches_refer_to_the_row_that_shows_the_same_picture():
    def match(reference):
        return Match(reference, np.full((1, 4), reference, np.int16), np.ones(1, bool))

    leaps = (1, 2, 4, 5, 7, 9, 10)  # rows 3, 6 and 8 repeat those before them
    found = [FrameMatches(CUT, (), Change(np.nan, np.nan))]
    found += [FrameMatches(FOLLOWS, (match(max(row - 2, 0)),), Change(1.0, 100.0 if row in leaps else 0.0)) for row in range(1, 11)]
    rows = rows_of_new_pictures(found, TIMES[:11])
    assert rows.tolist() == [0, 1, 2, 4, 5, 7, 9, 10] and rows_shown_last(rows, 11).tolist() == [0, 1, 3, 4, 6, 8, 9, 10]
    kept = matches_of_rows(found, rows)
    assert [[each.reference for each in frame.matches] for frame in kept] == [[], [0], [0], [2], [2], [4], [5], [5]]
    assert kept[0].link == CUT and kept[3].matches[0].points[0, 0] == 2
    assert found_in_rows([(0, "a"), (3, "b"), (4, "c"), (7, "d")], rows) == [(0, "a"), (3, "c"), (5, "d")]


def test_a_look_at_any_frame_of_a_picture_is_one_at_the_picture():
    """Of pictures that are shown twice each, the second network sees the first of both frames, and the detector's last one counts."""
    count = 8
    keypoints, second = np.zeros((count, 33, 3)), np.zeros((count, 17, 3))
    keypoints[:, 0, 0] = np.arange(count)
    second[::2] = np.arange(0, count, 2)[:, None, None] + 1
    person = Observations("blazepose33", np.zeros((count, 4)), keypoints, np.ones(count, bool), second_look=second)
    seen = observed_in_pictures(person, np.array([0, 2, 4, 6, 7]))
    assert seen.keypoints[:, 0, 0].tolist() == [1, 3, 5, 6, 7]
    assert seen.second_look[:, 0, 0].tolist() == [1, 3, 5, 7, 0]  # the last picture is shown once, and nobody looked
    unseen = observed_in_pictures(replace(person, second_look=None), np.array([0, 4]))
    assert unseen.second_look is None and unseen.keypoints[:, 0, 0].tolist() == [3, 7]
    assert np.array_equal(observed_in_pictures(person, np.arange(count)).second_look, person.second_look)
