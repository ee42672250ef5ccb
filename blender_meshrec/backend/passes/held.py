"""People who are held where they were last seen stand on the floor, not in the air: they were last seen in mid-step, or badly."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.foot_planting.leg_kinematics import Legs
from ...core.time_series import long_gaps
from ..clip import Clip, Person
from .posed import posed_legs

# Somebody stood if a sole touched the floor within this time, s, of when they were last or next seen; they come down in this time, s.
STOOD_WITHIN, COMES_DOWN_IN = 1.0, 0.4
LEG_THICKNESS = [0.1, 0.06]  # m, of the flesh below a hip and a knee that lie on the floor
TOUCHES = 0.5  # probability of a contact


def stand_held_people(clip: Clip) -> None:
    """Lower, or raise, people in the frames in which they are held, so that their legs reach the floor. Needs locked bodies."""
    for person in clip.people:
        shift = shift_of_person(person, clip)
        if shift.any():
            move = shift[:, None] * [0.0, 0.0, 1.0]
            person.free, person.locked = (replace(body, transl=body.transl + move) for body in (person.free, person.locked))


def shift_of_person(person: Person, clip: Clip) -> FloatArray:
    """The heights (F,) m by which a person is raised in each frame."""
    heights = lowest_of_legs(posed_legs(clip.template, person.locked))
    touching: BoolArray = np.any(np.asarray(person.contacts) > TOUCHES, axis=1)
    return shift_of_held(heights, np.asarray(person.steady.visible, bool), touching, clip.motion_times)


def lowest_of_legs(legs: Legs) -> FloatArray:
    """The heights (F,) m of the lowest of soles, knees and hips: who kneels, sits or lies is not lowered to their soles."""
    flesh = (legs.joints[:, :, : len(LEG_THICKNESS), 2] - LEG_THICKNESS).min((1, 2))
    return np.minimum(legs.points[..., 2].min(1), flesh)


def shift_of_held(heights: FloatArray, visible: BoolArray, touching: BoolArray, times: FloatArray) -> FloatArray:
    """The heights (F,) m by which somebody is raised where they are held: before and after they are seen, and in long gaps.

    Args:
        heights: (F,) m, of the lowest of their soles, knees and hips. times: (F,) s.
        visible, touching: (F,), whether they are seen, and whether a sole touches.
    """
    shift, seen = np.zeros(len(times)), np.flatnonzero(visible)
    if not len(seen):
        return shift
    held = [(seen[-1], np.arange(seen[-1] + 1, len(times))), (seen[0], np.arange(seen[0]))]
    held += [(first - 1, np.arange(first, last + 1)) for first, last in long_gaps(visible, times)]
    for edge, rows in held:
        near = visible & (np.abs(times - times[edge]) <= STOOD_WITHIN)
        if len(rows) and (touching & near).any():
            passed = np.clip(np.abs(times[rows] - times[edge]) / COMES_DOWN_IN, 0, 1)
            shift[rows] = -heights[rows] * passed**2 * (3 - 2 * passed)
    return shift
