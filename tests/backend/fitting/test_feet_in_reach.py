"""Feet that are seen where no leg reaches down to the other foot do not stand."""

import numpy as np

from blender_meshrec.backend.fitting.feet_in_reach import lowest_ankles, within_reach

UP = np.array([0.0, -1.0, 0.0])  # a level camera, 1.5 m above the floor
FLOOR, LEG, DISTANCE, ANKLE_HEIGHT = 1.5, 0.85, 4.0, 0.08
HIPS = np.array([[-0.1, 0.6, DISTANCE], [0.1, 0.6, DISTANCE]])  # 0.9 m above the floor


def factors(ankles, camera=(0.0, 0.0, 0.0)):
    """Of left and right ankles (2,3) m, camera axes."""
    camera = np.array([camera])
    sight = np.array([ankles]) - camera[:, None]
    return within_reach(lowest_ankles(HIPS[None], 3.0 * sight, camera, UP, LEG), np.array([ANKLE_HEIGHT - FLOOR]))[0]


def test_feet_that_stand_keep_their_contact():
    standing = [[-0.1, FLOOR - ANKLE_HEIGHT, DISTANCE], [0.1, FLOOR - ANKLE_HEIGHT, DISTANCE + 0.3]]
    np.testing.assert_allclose(factors(standing), 1.0)
    np.testing.assert_allclose(factors(standing, camera=(1.0, 0.5, 0.5)), 1.0)


def test_a_foot_that_is_held_up_loses_it():
    """Seen at the height of the other knee: wherever on its line of sight it is, the leg keeps it more than 20 cm above the floor."""
    held_up = [[-0.1, FLOOR - ANKLE_HEIGHT, DISTANCE], [0.1, FLOOR - 0.5, DISTANCE]]
    left, right = np.split(factors(held_up), 2)
    np.testing.assert_allclose(left, 1.0)
    assert right.max() < 0.2


def test_a_line_of_sight_that_no_leg_reaches_says_nothing():
    beside = [[-2.0, 0.6, DISTANCE], [2.0, 0.6, DISTANCE]]
    np.testing.assert_allclose(factors(beside), 1.0)
