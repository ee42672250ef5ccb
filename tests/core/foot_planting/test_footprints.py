"""Footprints of heel and ball."""

import numpy as np

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
