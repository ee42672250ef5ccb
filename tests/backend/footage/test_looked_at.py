"""Which frames of a range were looked at, and values of these for all."""

import numpy as np

from blender_meshrec.backend.footage.looked_at import LookedAt
from blender_meshrec.core.records import Observations

TIMES = np.arange(8) / 10
SOME = LookedAt(np.array([0, 1, 3, 6]), TIMES)


def test_every_frame():
    every = LookedAt(np.arange(8), TIMES)
    assert every.is_every and every.num_repeated == 0 and every.num_seen == 8


def test_repeated_frames_are_counted_apart_from_those_of_a_draft():
    assert not SOME.is_every and SOME.num_repeated == 4
    draft = LookedAt(np.array([0, 2, 4, 6]), TIMES, 2)
    assert not draft.is_every and draft.num_repeated == 0
    assert LookedAt(np.array([0, 4, 6]), TIMES, 2).num_repeated == 1


def test_a_frame_that_was_left_out_has_the_values_of_the_one_before():
    assert SOME.spread(np.array([5, 6, 7, 8])).tolist() == [5, 6, 6, 7, 7, 7, 8, 8]
    seen = Observations("coco17", np.zeros((4, 4)), np.arange(4)[:, None, None] * np.ones((4, 17, 3)), np.array([1, 1, 0, 1], bool))
    everywhere = SOME.observed(seen)
    assert everywhere.visible.tolist() == [True, True, False, False, False, False, True, False]
    assert everywhere.keypoints[:, 0, 0].tolist() == [0, 1, 1, 2, 2, 2, 3, 3]


def test_a_shot_counts_from_its_first_frame():
    first, second = SOME.between(0, 2), SOME.between(2, 4)
    assert first.rows.tolist() == [0, 1] and len(first.all_times) == 3
    assert second.rows.tolist() == [0, 3] and len(second.all_times) == 5 and second.all_times[0] == 0
