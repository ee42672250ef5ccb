"""What points of the floor beside feet say of the length of a camera's path."""

import numpy as np
import pytest

from blender_meshrec.backend.camera.path_scale import Feet, scale_from_feet
from blender_meshrec.backend.camera.seen_depths import SeenDepths, ratios_beside_feet

FOCAL, WIDTH, FRAMES, SCALE = 1000.0, 1280.0, 20, 3.0
FLOOR = 1.5  # m below the camera


@pytest.fixture
def scene():
    """A sole 4 m away on the floor; points of the floor, of a wall behind and of things before it, as a path of unit SCALE has them."""
    generator = np.random.default_rng(0)
    floor = np.column_stack([generator.uniform(-2, 2, 300), np.full(300, FLOOR), generator.uniform(2.5, 7, 300)])
    wall = np.column_stack([generator.uniform(-3, 3, 200), generator.uniform(-2, 1.2, 200), np.full(200, 7.0)])
    things = np.column_stack([generator.uniform(-1, 1, 30), generator.uniform(0.5, 1.2, 30), np.full(30, 3.0)])
    points = np.concatenate([floor, wall, things])
    frames = np.repeat(np.arange(FRAMES), len(points))
    pixels = np.tile(FOCAL * points[:, :2] / points[:, 2:], (FRAMES, 1))
    seen = SeenDepths(frames, np.tile(np.arange(len(points)), FRAMES), pixels, np.tile(points[:, 2] / SCALE, FRAMES))
    soles = np.tile([0.1, FLOOR, 4.0], (FRAMES, 4, 1))
    return seen, soles


def test_points_beside_a_standing_foot_are_as_far_away(scene):
    seen, soles = scene
    ratios = ratios_beside_feet(seen, soles, FOCAL, np.ones((FRAMES, 4), bool), WIDTH)
    assert len(ratios) > 5 and np.exp(np.median(ratios)) == pytest.approx(SCALE, rel=0.05)
    assert not len(ratios_beside_feet(seen, soles, FOCAL, np.zeros((FRAMES, 4), bool), WIDTH))


def test_the_floor_tells_the_length_that_feet_in_the_air_do_not(scene):
    seen, soles = scene
    ratios = ratios_beside_feet(seen, soles, FOCAL, np.ones((FRAMES, 4), bool), WIDTH)
    feet = Feet(soles, np.zeros((FRAMES, 4)), np.ones(FRAMES, bool))
    path, times = np.linspace(0, 0.1, FRAMES)[:, None] * [1.0, 0, 0], np.arange(FRAMES) / 30
    guess, told = scale_from_feet([feet], path, times), scale_from_feet([feet], path, times, ratios)
    assert not guess.is_told and told.is_told and told.floor_points == len(ratios)
    assert told.scale == pytest.approx(SCALE, rel=0.06) and told.log_sigma < 0.15
    odd = scale_from_feet([feet], path, times, np.linspace(-2, 2, 9))  # points that agree on nothing
    assert not odd.is_told


def test_feet_do_not_count_twice(scene):
    """In the solve, which has their contacts itself, the path is as free as without them."""
    _seen, soles = scene
    path, times = np.linspace(0, 1, FRAMES)[:, None] * [1.0, 0, 0], np.arange(FRAMES) / 30
    standing = Feet(soles - SCALE * path[:, None], np.ones((FRAMES, 4)), np.ones(FRAMES, bool))
    found = scale_from_feet([standing], path, times)
    assert found.scale == pytest.approx(SCALE, rel=0.1) and found.log_sigma < 0.3 < found.solve_sigma
