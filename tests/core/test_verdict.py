"""Verdicts: each limit makes a motion doubtful or bad, the gravest reason comes first, and the worst frames are where it is worst."""

import numpy as np
import pytest

from blender_meshrec.core.verdict import BAD, DOUBTFUL, GOOD, LIMITS, MAX_WORST_FRAMES, NEVER, Measure, Verdict, judge, worst_frames

BY_NAME = {limit.name: limit for limit in LIMITS}


def test_a_motion_of_which_nothing_is_known_is_good():
    assert judge({}) == Verdict(GOOD)
    assert judge({limit.name: Measure(float("nan")) for limit in LIMITS}).verdict == GOOD


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_each_limit_makes_a_motion_doubtful_and_bad(limit):
    assert 0 < limit.doubtful < limit.bad and limit.unit
    assert judge({limit.name: Measure(0.999 * limit.doubtful)}).verdict == GOOD
    doubtful = judge({limit.name: Measure(limit.doubtful)})
    assert doubtful.verdict == DOUBTFUL and doubtful.reasons == (limit.reason(limit.doubtful),)
    assert judge({limit.name: Measure(1e6)}).verdict == (DOUBTFUL if limit.bad == NEVER else BAD)


def test_reasons_are_sentences_of_their_own():
    reasons = [limit.reason(limit.doubtful) for limit in LIMITS]
    assert len({reason.name for reason in reasons}) == len(LIMITS)
    assert all(reason[0].isupper() and reason.endswith(".") and reason.name.startswith("verdict-") for reason in reasons)


def test_the_gravest_reason_comes_first():
    off, unseen, camera = BY_NAME["off_picture"], BY_NAME["unseen"], BY_NAME["camera_moves"]
    verdict = judge({"off_picture": Measure(off.doubtful), "unseen": Measure(unseen.bad), "camera_moves": Measure(1.5 * camera.doubtful)})
    assert verdict.verdict == BAD
    assert [reason.name for reason in verdict.reasons] == ["verdict-unseen", "verdict-camera-moves", "verdict-off-picture"]


def test_worst_frames_are_apart_and_in_order():
    error = np.zeros(100)
    error[[20, 21, 22]] = 30, 40, 35
    error[80] = 50
    error[50] = np.nan
    assert worst_frames({"far_off_at_times": Measure(12.0, error)}) == (21, 80)
    assert len(worst_frames({"far_off_at_times": Measure(12.0, np.arange(100.0))})) == MAX_WORST_FRAMES
    assert worst_frames({"below_floor": Measure(0.0, np.zeros(100)), "jumps": Measure(0.0)}) == ()


def test_worst_frames_compare_measures_by_their_limits():
    """A frame twice over one limit is worse than one just over another, whatever the units."""
    off, unsure = np.zeros(50), np.zeros(50)
    off[10], unsure[40] = 2 * BY_NAME["far_off_at_times"].doubtful, 1.1 * BY_NAME["unsure"].doubtful
    off[25] = 0.5 * BY_NAME["far_off_at_times"].doubtful
    measures = {"far_off_at_times": Measure(1.0, off), "unsure": Measure(1.0, unsure)}
    assert worst_frames(measures) == (10, 25, 40)


def test_a_good_motion_has_its_worst_frames_too():
    assert judge({"far_off_at_times": Measure(1.0, np.eye(30)[12])}) == Verdict(GOOD, (), (12,))
