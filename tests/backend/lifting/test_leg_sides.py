"""Legs that are exchanged between two passings get their sides back, and only those."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from blender_meshrec.backend.lifting.leg_sides import (
    exchanged_intervals,
    give_legs_their_sides,
    legs_in_body_sizes,
    passing_rows,
    with_exchanged_legs,
)
from blender_meshrec.core.cameras import project, transform_points
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17
from tests.support.synthetic_gait import make_view, walk

TIMES = np.arange(90) / 30
VIEW = make_view(distance=5.0)
LEFT_ANKLE = H36M17.index("left_ankle")


def seen_of(pixels):
    """Observations of joints (F,17,2) px that are all certain."""
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], -1)
    return Observations("h36m17", boxes, np.concatenate([pixels, np.ones((*pixels.shape[:2], 1))], -1), np.ones(len(pixels), bool))


def runner(step=0.25, times=TIMES):
    """Somebody who runs on the spot, of 200 px, seen from the side: legs that swing to and fro, a step of so many seconds."""
    pixels = np.tile(np.linspace([300, 200], [300, 300], 17), (len(times), 1, 1))
    for side, phase in (("left", 0.0), ("right", np.pi)):
        swing, lift = np.sin(np.pi * times / step + phase), np.maximum(np.cos(np.pi * times / step + phase), 0)
        for joint, height, reach in (("knee", 350, 35), ("ankle", 400, 75)):
            pixels[:, H36M17.index(f"{side}_{joint}")] = np.stack([300 + reach * swing, height - 0.2 * reach * lift], -1)
    return seen_of(pixels + np.random.default_rng(0).normal(size=pixels.shape))


def fast_walker(pace):
    """Somebody who walks so many times as fast as usual past a camera that goes along, and who is seen to a pixel."""
    motion = walk(pace * TIMES, np.pi / 2)
    joints = motion.h36m17 - motion.pelvis[:, None] * [1, 1, 0]
    camera = transform_points(np.broadcast_to(VIEW.camera_from_world, (len(TIMES), 4, 4)), joints)
    return seen_of(project(camera, VIEW.intrinsics) + np.random.default_rng(0).normal(size=(len(TIMES), 17, 2)))


def passings_of(seen):
    return passing_rows(legs_in_body_sizes(seen), seen.visible)


def spread_of(truth):
    """A lifter that is sure of legs where they are in truth."""

    def spread(seen, times):
        rows = np.round(times * 30).astype(int)
        off = np.abs(seen.keypoints[:, LEFT_ANKLE] - truth.keypoints[rows, LEFT_ANKLE]).max(-1) > 1
        return 0.05 + 0.01 * off

    return spread


def test_legs_exchanged_between_passings_are_found():
    truth = runner()
    passings = passings_of(truth)
    assert len(passings) >= 6
    for interval in (passings[2:4], passings[0:2], passings[-2:]):
        rows = np.arange(*interval)
        found = exchanged_intervals(with_exchanged_legs(truth, rows), TIMES, spread_of(truth))
        assert [each.tolist() for each in found] == [rows.tolist()]


def test_legs_exchanged_from_a_passing_to_where_they_leap_are_found():
    truth = runner()
    passings = passings_of(truth)
    middle = (passings[2] + passings[3]) // 2
    for rows in (np.arange(passings[2], middle), np.arange(middle, passings[3])):
        found = exchanged_intervals(with_exchanged_legs(truth, rows), TIMES, spread_of(truth))
        assert [each.tolist() for each in found] == [rows.tolist()]


def test_legs_that_have_their_sides_stay_and_the_lifter_is_not_asked():
    def spread(seen, times):
        raise AssertionError("asked")

    for seen in (runner(), runner(step=0.5), fast_walker(1.0), fast_walker(2.0)):
        assert exchanged_intervals(seen, TIMES, spread) == []
    assert exchanged_intervals(runner(times=TIMES[:2]), TIMES[:2], spread) == []


@pytest.mark.parametrize("value", [0.05, np.nan])
def test_legs_of_which_the_lifter_is_no_surer_stay(value):
    passings = passings_of(runner())
    changed = with_exchanged_legs(runner(), np.arange(passings[2], passings[3]))
    assert exchanged_intervals(changed, TIMES, lambda seen, times: np.full(len(times), value)) == []


def test_nobody_has_no_legs():
    nobody = Observations("h36m17", np.zeros((5, 4)), np.zeros((5, 17, 3)), np.zeros(5, bool))
    assert exchanged_intervals(nobody, TIMES[:5], spread_of(nobody)) == []


def test_the_lifter_gives_exchanged_legs_their_sides():
    truth = fast_walker(1.6)
    passings = passings_of(truth)
    changed = with_exchanged_legs(truth, np.arange(passings[2], passings[3]))
    person = SimpleNamespace(steady=changed, observations=changed)
    clip = SimpleNamespace(people=[person], intrinsics=VIEW.intrinsics, device=torch.device("cpu"), warnings=[], motion_times=TIMES)
    give_legs_their_sides(clip)
    assert np.array_equal(person.steady.keypoints, truth.keypoints) and np.array_equal(person.observations.keypoints, truth.keypoints)
