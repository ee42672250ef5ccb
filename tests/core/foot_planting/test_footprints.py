"""Footprints of heel and ball."""

import numpy as np
import pytest

from blender_meshrec.core.foot_planting.footprints import flat_headings, overlap_contacts, plan_footprints

FRAMES = np.arange(60)


def flat_heel_to_ball(heading: float) -> np.ndarray:
    """A foot of 20 cm."""
    return 0.2 * np.array([np.cos(heading), np.sin(heading)])


def turning_foot() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, headings and contacts of a foot that is flat, turns on its ball by 0.8 rad, and is flat again."""
    touching = np.zeros((60, 2), bool)
    touching[5:30, 0] = touching[10:50, 1] = touching[40:55, 0] = True
    heading = np.where(FRAMES < 35, 0.2, 1.0)
    points = np.random.default_rng(0).normal(size=(2, 60, 2)) * 0.01
    points[1] += 0.2 * np.stack([np.cos(heading), np.sin(heading)], 1)
    return points, heading, touching


def test_footprints_keep_one_foot_length():
    """Heel, flat, ball, and flat again after a turn on the ball: shared points stay, and each flat print is one foot long."""
    points, heading, touching = turning_foot()
    headings = flat_headings(heading, touching)
    prints, held = plan_footprints(points, headings, touching, flat_heel_to_ball, max_drift=1.0)
    np.testing.assert_array_equal(held, touching)
    for k, (first, last) in ((0, (5, 30)), (1, (10, 50)), (0, (40, 55))):
        np.testing.assert_array_equal(prints[k, first:last], np.broadcast_to(prints[k, first], (last - first, 2)))
    for frame in (20, 45):
        np.testing.assert_allclose(prints[1, frame] - prints[0, frame], flat_heel_to_ball(headings[frame]), atol=1e-12)


def test_drifting_pivots_are_released():
    """A foot that slides 30 cm on its ball between two flat phases: held without a limit, released with one of 10 cm."""
    points, heading, touching = turning_foot()
    points[:, 35:] += [0.3, 0.0]
    headings = flat_headings(heading, touching)
    held = plan_footprints(points, headings, touching, flat_heel_to_ball, max_drift=np.inf)[1]
    released = plan_footprints(points, headings, touching, flat_heel_to_ball, max_drift=0.1)[1]
    np.testing.assert_array_equal(held, touching)
    np.testing.assert_array_equal(np.flatnonzero(touching[:, 1] & ~released[:, 1]), np.arange(30, 40))


def test_successive_contacts_share_one_frame():
    touching = np.zeros((10, 2), bool)
    touching[2:5, 0] = touching[5:8, 1] = True
    overlapped = overlap_contacts(touching)
    np.testing.assert_array_equal(np.flatnonzero(overlapped.all(1)), [4])
    assert overlapped.sum() == touching.sum() + 1


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_heel_and_ball_share_a_frame_only_where_one_hands_over_to_the_other(before, after):
    contacts = np.array([[before & 1, before & 2], [after & 1, after & 2], [0, 0]], bool)
    expected = contacts.copy()
    if {before, after} == {1, 2}:
        expected[0] = True
    np.testing.assert_array_equal(overlap_contacts(contacts), expected)


def random_foot(seed):
    """A foot whose heel and ball touch at random, about where it stands at a heading that changes between flat phases."""
    rng = np.random.default_rng(seed)
    touching = np.stack([np.repeat(rng.random(60 // length) < 0.7, length) for length in (rng.choice([2, 3, 5]), rng.choice([1, 4, 6]))], 1)
    touching = overlap_contacts(touching)
    headings = flat_headings(0.5 * rng.normal(size=60).cumsum(), touching)
    points = rng.normal(0, 0.02, (2, 60, 2))
    points[1] += [flat_heel_to_ball(heading) for heading in headings]
    return points, headings, touching


@pytest.mark.parametrize("seed", range(25))
def test_prints_are_constant_over_contacts_and_one_foot_long_where_both_touch(seed):
    points, headings, touching = random_foot(seed)
    prints, held = plan_footprints(points, headings, touching, flat_heel_to_ball, max_drift=np.inf)
    np.testing.assert_array_equal(held, touching)
    for k in range(2):
        for frame in np.flatnonzero(touching[:-1, k] & touching[1:, k]):
            np.testing.assert_array_equal(prints[k, frame], prints[k, frame + 1])
        assert not prints[k, ~touching[:, k]].any()
    for frame in np.flatnonzero(touching.all(1)):
        np.testing.assert_allclose(prints[1, frame] - prints[0, frame], flat_heel_to_ball(headings[frame]), atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_a_chain_of_prints_is_where_its_feet_are_on_average(seed):
    """Over the flat frames of prints that share a pivot, the feet lie around their prints; a contact that is never flat is its mean."""
    points, headings, touching = random_foot(seed)
    prints, _ = plan_footprints(points, headings, touching, flat_heel_to_ball, max_drift=np.inf)
    flat = np.flatnonzero(touching.all(1))
    chains = np.split(flat, [at + 1 for at in range(len(flat) - 1) if not touching[flat[at] : flat[at + 1] + 1].all(0).any()])
    for chain in chains:
        np.testing.assert_allclose((points[:, chain] - prints[:, chain]).mean((0, 1)), 0, atol=1e-12)
    for k in range(2):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], touching[:, k], [False]]).astype(int)))
        for first, last in edges.reshape(-1, 2):
            if not touching[first:last].all(1).any():
                np.testing.assert_allclose(prints[k, first], points[k, first:last].mean(0))


@pytest.mark.parametrize("slide, is_held", [(0.19, True), (0.21, False)])
def test_a_point_alone_is_released_beyond_twice_the_drift(slide, is_held):
    """A heel that touches alone, and is twice the drift away from the middle of its contact in its last frame."""
    touching = np.zeros((60, 2), bool)
    touching[10:20, 0] = touching[30:40] = True
    points = np.zeros((2, 60, 2))
    points[1] += [0.2, 0]
    points[0, 19, 0] = points[:, 39, 1] = slide / 0.9
    held = plan_footprints(points, np.zeros(60), touching, flat_heel_to_ball, max_drift=0.1)[1]
    assert held[19, 0] == is_held and held[10:19, 0].all() and held[30:40].all()  # a flat foot is not released
