"""People who stand on one floor: their sizes, the floor, and who does not stand on it."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.statures_on_floor import StandingPerson, find_shared_floor, level_world, stature_cost
from blender_meshrec.core.cameras import rigid_transform
from blender_meshrec.core.conventions import WORLD_FROM_LEVEL_CAMERA

TIMES = np.arange(60) / 30
CAMERA = np.tile([0.0, 0.0, 1.6], (60, 1))  # m
SIGMA = np.radians([3.0, 1.5])


def stand(at, seen_size=1.0, stature=1.69, height=0.0, walks=False):
    """Somebody at a place (x, y) m, who is taken to be `seen_size` times as large as they are: nearer to the camera, or farther away.

    height: m, of what they stand on; walks: they never rest.
    """
    soles = np.array([*at, height]) + np.array([[-0.1, -0.1, 0], [-0.1, 0.1, 0], [0.1, -0.1, 0], [0.1, 0.1, 0]])
    soles = np.tile(soles, (60, 1, 1))
    if walks:
        soles[..., 1] += 3.0 * TIMES[:, None]
        soles[..., 2] += 0.5
    return StandingPerson(CAMERA[:, None] + seen_size * (soles - CAMERA[:, None]), np.ones(60, bool), seen_size * stature)


def found(*people, sigma=SIGMA):
    return find_shared_floor(people, TIMES, CAMERA, sigma)


def test_people_of_one_size_on_one_floor_stay():
    floor = found(stand((-1.0, 3.0)), stand((1.0, 5.0)))
    assert [size.scale for size in floor.sizes] == pytest.approx([1.0, 1.0], abs=0.01)
    assert floor.height == pytest.approx(1.6, abs=0.02) and floor.tilt == pytest.approx([0, 0], abs=1e-9)


def test_a_child_stays_a_child():
    """One view takes a child of 1.1 m for an adult who is farther away, and so below the floor."""
    floor = found(stand((-1.0, 3.0)), stand((1.0, 3.2), seen_size=1.69 / 1.1, stature=1.1))
    adult, child = floor.sizes
    assert adult.scale == pytest.approx(1.0, abs=0.03) and child.scale == pytest.approx(1.1 / 1.69, rel=0.03)
    assert child.stands_with_others


def test_a_tilt_is_told_by_people_near_and_far():
    """All adults, and the far ones seem to float: rather the camera looks down more than assumed."""
    tilt, sigma = 0.03, np.radians([4.0, 2.0])
    people = [stand((x, y)) for x, y in ((-1.0, 2.5), (0.0, 3.0), (1.0, 7.0), (0.5, 8.0))]
    tilted = [
        StandingPerson(one.soles + tilt * (one.soles[..., 1:2] - CAMERA[0, 1]) * np.array([0, 0, 1.0]), one.visible, one.stature)
        for one in people
    ]
    floor = found(*tilted, sigma=sigma)
    assert floor.tilt[0] == pytest.approx(-tilt, abs=0.012)
    assert floor.tilt_sigma[0] < 0.6 * sigma[0]
    level = rigid_transform(WORLD_FROM_LEVEL_CAMERA, CAMERA[0])
    before = (tilted[3].soles - CAMERA[0]) @ level[:3, :3]  # in camera axes
    world = level_world(level, floor)
    heights = before @ world[:3, :3].T + world[:3, 3]
    assert abs(heights[..., 2]).mean() < 0.08 < abs(tilted[3].soles[..., 2]).mean()


def test_a_stature_that_is_known_decides():
    """Two who are seen half a size apart: the one whose stature is given keeps it."""
    tall = stand((-1.0, 3.0), stature=1.95)
    known = StandingPerson(tall.soles, tall.visible, tall.stature, is_known=True)
    floor = found(known, stand((1.0, 3.0), seen_size=0.9))
    assert floor.sizes[0].scale == 1.0
    assert floor.sizes[1].scale == pytest.approx(1 / 0.9, rel=0.03)


def test_who_stands_on_something_else_keeps_their_size():
    """A man on a stage of 0.9 m would have to be 0.4 times as large to stand on the floor."""
    floor = found(stand((-1.0, 3.0)), stand((0.0, 3.5)), stand((1.0, 4.0), height=0.9))
    assert [size.stands_with_others for size in floor.sizes] == [True, True, False]
    assert floor.sizes[2].scale == 1.0


def test_nobody_is_scaled_alone_or_in_the_air():
    for people in ([stand((0, 3.0), seen_size=1.3)], [stand((0, 3.0)), stand((1.0, 3.0), seen_size=1.3, walks=True)]):
        floor = found(*people)
        assert floor.height is None and all(size.scale == 1.0 and not size.stands_with_others for size in floor.sizes)
        world = rigid_transform(WORLD_FROM_LEVEL_CAMERA, CAMERA[0])
        assert level_world(world, floor) is world


def test_statures():
    """Adults are likeliest, children cost little more whatever their size, giants and dolls a lot."""
    cost = dict(zip((1.694, 1.80, 1.3, 1.1, 0.9, 2.3, 0.5), stature_cost(np.log([1.694, 1.80, 1.3, 1.1, 0.9, 2.3, 0.5])), strict=True))
    assert abs(cost[1.694]) < 0.1 and cost[1.80] < 0.7
    assert 2 < cost[1.1] < 5 and cost[0.9] == pytest.approx(cost[1.1], abs=0.3)
    assert cost[2.3] > 8 and cost[0.5] > 100
