"""Legs on which somebody stands still are taken to be nearly straight, more than those of people who move."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve import weights
from blender_meshrec.backend.fitting.clip_solve.ground_contacts import GROUND_ROWS
from blender_meshrec.backend.fitting.clip_solve.solve_clip import standing_legs

TIMES = np.arange(30) / 30


def test_a_leg_that_stands_still_weighs_more():
    touching = np.zeros((30, len(GROUND_ROWS)))
    touching[:, 1] = 0.5  # the left toe
    touching[:, 4:] = 1.0  # hands and all the rest
    still = standing_legs(touching, np.zeros((30, 3)), TIMES)
    np.testing.assert_allclose(still, np.tile([0.5 * weights.STILL_FACTOR, 0.0], (30, 1)))
    walking = standing_legs(touching, TIMES[:, None] * [1.0, 0.0, 0.0], TIMES)
    assert walking == pytest.approx(np.tile([0.5, 0.0], (30, 1)))
