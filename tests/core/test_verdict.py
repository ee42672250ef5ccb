"""Verdicts: each limit makes a motion doubtful or bad, the gravest reason comes first, and the worst frames are where it is worst."""

import re
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.core.verdict import BAD, DOUBTFUL, GOOD, LIMITS, MAX_WORST_FRAMES, NEVER, Limit, Measure, Verdict, judge, worst_frames

BY_NAME = {limit.name: limit for limit in LIMITS}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "verdicts.md"


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


def test_the_limits_are_those_of_the_docs():
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+|never) \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert [(limit.name, limit.doubtful, limit.bad, limit.unit) for limit in LIMITS] == [
        (name, float(doubtful), NEVER if bad == "never" else float(bad), unit) for name, doubtful, bad, unit in rows
    ]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_a_reason_is_named_after_its_measure_and_tells_its_value(limit):
    """With a decimal where a whole one would hide how far the value is beyond the limit."""
    reason = limit.reason(1.27 * limit.doubtful)
    assert reason.name == f"verdict-{limit.name.replace('_', '-')}" and reason.values == {"value": 1.27 * limit.doubtful}
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(reason))]
    assert not numbers or numbers == [pytest.approx(1.27 * limit.doubtful, abs=0.05 if limit.doubtful < 2.5 else 0.5)]


def test_reasons_are_sentences_of_their_own():
    reasons = [limit.reason(limit.doubtful) for limit in LIMITS]
    assert len({reason.name for reason in reasons}) == len(LIMITS)
    assert all(reason[0].isupper() and reason.endswith(".") and reason.name.startswith("verdict-") for reason in reasons)


def test_the_gravest_reason_comes_first():
    off, unseen, camera = BY_NAME["off_picture"], BY_NAME["unseen"], BY_NAME["camera_moves"]
    verdict = judge({"off_picture": Measure(off.doubtful), "unseen": Measure(unseen.bad), "camera_moves": Measure(1.5 * camera.doubtful)})
    assert verdict.verdict == BAD
    assert [reason.name for reason in verdict.reasons] == ["verdict-unseen", "verdict-camera-moves", "verdict-off-picture"]


def test_what_is_never_bad_is_graver_than_doubtful_and_less_than_bad():
    """A value at a fraction of the way to bad, against one that is as large a part above its only limit; nothing of the latter is bad."""
    limits = (Limit("a", 10.0, 20.0, "", BY_NAME["unseen"].reason), Limit("b", 10.0, NEVER, "", BY_NAME["jumps"].reason))
    for first, second, gravest in (
        (11.0, 12.0, "b"),
        (12.0, 11.0, "a"),
        (18.0, 1e9, "b"),
        (19.5, 1e9, "a"),
        (20.0, 1e9, "a"),
        (14.0, 15.0, "b"),
    ):
        reasons = judge({"a": Measure(first), "b": Measure(second)}, limits).reasons
        assert reasons[0].name == {"a": "verdict-unseen", "b": "verdict-jumps"}[gravest]
    assert judge({"b": Measure(1e9)}, limits).verdict == DOUBTFUL


@pytest.mark.parametrize("distance, is_apart", [(5, False), (6, True)])
def test_worst_frames_are_a_twentieth_of_the_clip_apart_and_a_fifth_as_bad(distance, is_apart):
    error = np.zeros(100)
    error[[50, 50 + distance]] = 40, 30
    assert worst_frames({"far_off_at_times": Measure(0.0, error)}) == ((50, 50 + distance) if is_apart else (50,))
    error[50 + distance] = 8.01 if is_apart else 8.0
    error[50 + 2 * distance] = 8.0  # a fifth of the worst is not more than a fifth
    assert worst_frames({"far_off_at_times": Measure(0.0, error)}) == ((50, 50 + distance) if is_apart else (50,))


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
