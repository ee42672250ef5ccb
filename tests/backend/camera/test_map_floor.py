"""The floor in a camera's map: level, at people's feet, and nothing below it."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.camera.map_floor import MapFloor, find_map_floor, points_of_map
from blender_meshrec.backend.camera.seen_depths import SeenDepths
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec

LEVEL_UP = np.array([0.0, -1.0, 0.0])
SCALE = 4.0  # m, a unit of the path
HEIGHT = 1.4  # m, of the camera above the floor
FORWARD_TILT = rotmat_from_rotvec(np.radians([7.0, 0.0, 2.0]))


def room(generator: np.random.Generator, on_floor: int = 40) -> FloatArray:
    """Points (P,3) m of a floor, a wall behind it and boxes, in level axes with y down, 1 cm off."""
    floor = np.column_stack([generator.uniform(-3, 3, on_floor), np.full(on_floor, HEIGHT), generator.uniform(2, 8, on_floor)])
    wall = np.column_stack([generator.uniform(-4, 4, 150), generator.uniform(-2, HEIGHT, 150), np.full(150, 8.0)])
    boxes = np.column_stack([generator.uniform(-3, 3, 100), generator.uniform(0, HEIGHT, 100), generator.uniform(4, 7, 100)])
    points = np.concatenate([floor, wall, boxes])
    return points + generator.normal(0, 0.01, points.shape)


def found_in(points: FloatArray, soles: FloatArray, tilt: FloatArray = FORWARD_TILT, guess: float = 1.2) -> MapFloor | None:
    """The floor in points and soles (N,3) m, level axes, seen by a camera that is tilted, which nobody knows."""
    return find_map_floor(points @ tilt.T / SCALE, soles @ tilt.T, np.zeros(soles.shape), LEVEL_UP, 0.05, (guess * SCALE, 0.3))


def soles(generator: np.random.Generator) -> FloatArray:
    """Of somebody who walks across."""
    return np.column_stack([np.linspace(-1, 1, 40), HEIGHT + generator.normal(0, 0.02, 40), np.full(40, 4.5)])


def test_the_floor_tells_up_and_how_long_the_path_is() -> None:
    generator = np.random.default_rng(1)
    floor = found_in(room(generator), soles(generator))
    assert floor is not None
    assert np.degrees(np.arccos(floor.up @ FORWARD_TILT @ LEVEL_UP)) < 1.0
    assert floor.scale == pytest.approx(SCALE, rel=0.03)
    assert floor.points >= 30


def test_things_that_stand_on_a_floor_without_texture_tell_it() -> None:
    generator = np.random.default_rng(2)
    floor = found_in(room(generator, on_floor=0), soles(generator))
    assert floor is not None
    assert np.degrees(np.arccos(floor.up @ FORWARD_TILT @ LEVEL_UP)) < 2.0
    assert abs(np.log(floor.scale / SCALE)) < 2 * np.hypot(floor.log_sigma, 0.02)


def test_a_wall_that_is_painted_to_a_line_above_the_floor_is_none() -> None:
    generator = np.random.default_rng(3)
    wall = np.column_stack([generator.uniform(-4, 4, 300), generator.uniform(-2, HEIGHT - 0.4, 300), np.full(300, 6.0)])
    edge = np.column_stack([np.linspace(-4, 4, 60), np.full(60, HEIGHT - 0.4), np.full(60, 6.0)])
    painted = np.concatenate([wall, edge])
    assert found_in(painted + generator.normal(0, 0.01, painted.shape), soles(generator)) is None


def test_a_table_with_things_below_it_is_no_floor() -> None:
    generator = np.random.default_rng(4)
    top = np.column_stack([generator.uniform(-2, 2, 60), np.full(60, 0.6), generator.uniform(3, 6, 60)])
    floor = found_in(np.concatenate([room(generator), top]), soles(generator))
    assert floor is not None and floor.scale == pytest.approx(SCALE, rel=0.05)
    assert np.degrees(np.arccos(floor.up @ FORWARD_TILT @ LEVEL_UP)) < 1.5


def test_nobody_on_the_ground_or_hardly_a_point_is_none() -> None:
    generator = np.random.default_rng(4)
    assert found_in(room(generator), np.zeros((0, 3))) is None
    assert found_in(room(generator)[:5], soles(generator)) is None


def test_points_of_the_map_are_where_their_frames_see_them() -> None:
    generator = np.random.default_rng(5)
    places = np.column_stack([generator.uniform(-1, 1, (12, 2)), generator.uniform(3, 5, 12)])
    view = rotmat_from_rotvec(np.radians(np.column_stack([np.arange(6.0), -np.arange(6.0), np.zeros(6)])))
    centres = np.column_stack([0.1 * np.arange(6), np.zeros(6), np.zeros(6)])
    frames, points = (index.ravel() for index in np.meshgrid(np.arange(6), np.arange(12), indexing="ij"))
    seen = np.einsum("nij,nj->ni", view[frames], places[points] - centres[frames])
    observed = SeenDepths(frames, points, 500 * seen[:, :2] / seen[:, 2:], seen[:, 2])
    assert points_of_map(observed, view, centres, 500.0) == pytest.approx(places, abs=1e-9)
    unsure = replace(observed, noise=5.0)  # px: 0.06 rad of parallax is too little
    assert len(points_of_map(unsure, view, centres, 500.0)) == 0
    once = SeenDepths(frames[:12], points[:12], observed.pixels[:12], observed.depths[:12])
    assert len(points_of_map(once, view, centres, 500.0)) == 0
