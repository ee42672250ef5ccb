"""People who are held where they were last seen: on the floor if they stood there."""

import numpy as np
import pytest

from blender_meshrec.backend.passes.held import COMES_DOWN_IN, lowest_of_legs, shift_of_held
from blender_meshrec.core.foot_planting.leg_kinematics import Legs

TIMES = np.arange(120) / 30


def seen(*ranges):
    visible = np.zeros(len(TIMES), bool)
    for first, last in ranges:
        visible[first:last] = True
    return visible


def test_who_was_last_seen_above_the_floor_comes_down_smoothly():
    heights = np.full(len(TIMES), 0.12)
    visible = seen((0, 50))
    shift = shift_of_held(heights, visible, visible, TIMES)
    assert not shift[:50].any() and shift[-1] == pytest.approx(-0.12)
    fall = np.diff(shift[49:70])
    assert (fall <= 1e-12).all() and np.abs(fall).max() < 0.12 * 2 / (30 * COMES_DOWN_IN)


@pytest.mark.parametrize("height", [0.1, -0.08])
def test_before_people_are_seen_and_in_long_gaps_they_stand(height):
    heights = np.full(len(TIMES), height)
    visible = seen((20, 40), (100, 110))
    shift = shift_of_held(heights, visible, visible, TIMES)
    assert shift[0] == pytest.approx(-height) and shift[80] == pytest.approx(-height) and shift[105:].any()
    assert not shift[visible].any()


def test_short_gaps_and_people_who_do_not_stand_stay():
    """Somebody on a ladder, and a gap of half a second, which is filled in by the motion around it."""
    heights = np.full(len(TIMES), 0.4)
    visible = seen((0, 50))
    assert not shift_of_held(heights, visible, np.zeros(len(TIMES), bool), TIMES).any()
    assert not shift_of_held(heights, visible, seen((0, 10)), TIMES).any()  # that was long ago
    short = seen((0, 50), (65, 120))
    assert not shift_of_held(heights, short, short, TIMES).any()
    assert not shift_of_held(heights, seen(), visible, TIMES).any()


def test_who_lies_is_not_lowered_to_their_soles():
    """Hips and knees on the floor, the soles 25 cm up; and somebody who stands 12 cm above it."""
    joints, points = np.zeros((1, 2, 4, 3)), np.zeros((1, 4, 3))
    joints[..., 2], points[..., 2] = [0.1, 0.08, 0.1, 0.2], 0.25
    rotations = np.tile(np.eye(3), (1, 2, 4, 1, 1))
    assert lowest_of_legs(Legs(joints, rotations, points)) == pytest.approx([0.0], abs=0.03)
    joints[..., 2], points[..., 2] = [1.0, 0.6, 0.2, 0.15], 0.12
    assert lowest_of_legs(Legs(joints, rotations, points)) == pytest.approx([0.12])
