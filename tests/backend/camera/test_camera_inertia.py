"""What holds a camera's steps: nothing while they do not change, and the derivatives of its cost."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.camera_inertia import STEP_CHANGE, at_rate, inertia
from blender_meshrec.core.rotations import rotmat_from_rotvec


def test_an_even_way_costs_nothing_at_any_spacing_of_frames():
    times = np.array([7, 0, 3, 20])
    held = inertia(times, 5.0)
    rotations, centres = rotmat_from_rotvec(np.outer(times, [0.0, 0.02, 0.0])), np.outer(times, [0.1, 0.0, 0.05])
    assert held.frames.tolist() == [[1, 2, 0], [2, 0, 3]]
    assert held.changes(rotations, centres) == pytest.approx(0, abs=1e-9)
    centres[3, 1] += 13 * STEP_CHANGE * 5  # a step of one deviation a frame, over 13 frames
    assert held.changes(rotations, centres)[1, 4] == pytest.approx((17 / 2) ** -0.5, rel=1e-6)
    assert inertia(times[:2], 5.0).equations(rotations[:2], centres[:2])[0] == pytest.approx(0)


def test_the_equations_are_those_of_the_cost():
    generator, times = np.random.default_rng(0), np.array([4, 0, 1, 9, 6])
    held = inertia(times, 5.0, 0.5)
    rotations, centres = rotmat_from_rotvec(generator.normal(0, 0.002, (5, 3))), generator.normal(0, 0.1, (5, 3))

    def cost(step):
        step = step.reshape(5, 6)
        return held.cost(rotmat_from_rotvec(step[:, :3]) @ rotations, centres + step[:, 3:]) / 2

    square, gradient = held.equations(rotations, centres)
    numeric = np.array([(cost(1e-5 * one) - cost(-1e-5 * one)) / 2e-5 for one in np.eye(30)])
    assert gradient == pytest.approx(numeric, rel=0.02, abs=0.02 * np.abs(numeric).max())
    assert square == pytest.approx(square.T) and np.linalg.eigvalsh(square).min() > -1e-6 * np.abs(square).max()


def test_a_bump_lets_go():
    held = inertia(np.arange(5), 5.0)
    places = np.zeros((5, 3))
    pulls = []
    for bump in (0.01, 0.02, 1.0):  # m, of steps that change by 0.015 m
        places[2, 1] = bump
        pulls.append(np.abs(held.equations(np.tile(np.eye(3), (5, 1, 1)), places)[1]).max())
    assert pulls[2] < 0.3 * pulls[0] < 0.3 * pulls[1]


def test_steps_change_more_from_frame_to_frame_at_a_lower_rate():
    """Of one path, sampled at 30 and at 15 frames a second, whose speed is a random walk: as many sigmas at either rate."""
    rng = np.random.default_rng(0)
    centres = np.cumsum(np.cumsum(rng.normal(size=(4000, 3)), 0), 0) * STEP_CHANGE
    turns = np.tile(np.eye(3), (4000, 1, 1))
    spread: list[float] = []
    for rate, every in ((30.0, 1), (15.0, 2)):
        rows = np.arange(0, 4000, every)
        held = inertia(np.arange(len(rows)), 1.0, at_rate(rate))
        spread.append(float(held.changes(turns[rows], centres[rows])[:, 3:].std()))
    assert spread[0] == pytest.approx(1.0, rel=0.1) and spread[1] == pytest.approx(spread[0], rel=0.2)
