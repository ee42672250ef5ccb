"""The camera's move after feet were locked: people come back to where they were seen, and nobody is moved for nothing."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.camera_realignment import realign_camera

RNG = np.random.default_rng(0)
SEEN = RNG.uniform([-0.5, -0.9, 3.5], [0.5, 0.9, 4.5], (50, 24, 3))
SURE = np.ones((50, 24))


def off(joints):
    """Median distance on the picture, as a share of the distance."""
    return np.median(np.linalg.norm(joints[..., :2] / joints[..., 2:] - SEEN[..., :2] / SEEN[..., 2:], axis=-1))


@pytest.mark.parametrize("moved", [[0.1, -0.06, 0.02], [0.0, 0.2, -0.4]])
def test_people_moved_as_a_whole_come_back(moved):
    move = realign_camera([(SEEN + moved, SEEN, SURE)])
    assert off(SEEN + moved + move) < 0.1 * off(SEEN + np.array(moved))


def test_who_is_where_they_were_seen_stays():
    assert np.abs(realign_camera([(SEEN, SEEN, SURE)])).max() < 1e-9


def test_a_path_that_wanders_in_depth_is_met_on_the_mean_and_strays_do_not_count():
    joints = SEEN + [0.0, 0.08, 0.0]
    joints[:5] += [2.0, 1.0, 0.0]
    move = realign_camera([(joints, SEEN, SURE)])
    assert np.abs(move[:2] - [0, -0.08]).max() < 0.01


def test_several_people_share_one_move():
    both = realign_camera([(SEEN + [0.1, 0, 0], SEEN, SURE), (SEEN + [0.1, 0, 0], SEEN, SURE)])
    assert np.abs(both - [-0.1, 0, 0]).max() < 5e-3


def test_nothing_in_sight_moves_nothing():
    assert not realign_camera([(SEEN, SEEN, np.zeros((50, 24)))]).any()
    assert not realign_camera([(-SEEN, -SEEN, SURE)]).any()
