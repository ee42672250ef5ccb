"""Realignment of the camera after foot locking: people project to where they were seen, and nobody moves without need."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.camera_realignment import realign_camera

RNG = np.random.default_rng(0)
OBSERVED = RNG.uniform([-0.5, -0.9, 3.5], [0.5, 0.9, 4.5], (50, 24, 3))
WEIGHTS = np.ones((50, 24))


def image_error(joints):
    """Median error in the image, as a fraction of the distance."""
    return np.median(np.linalg.norm(joints[..., :2] / joints[..., 2:] - OBSERVED[..., :2] / OBSERVED[..., 2:], axis=-1))


@pytest.mark.parametrize("moved", [[0.1, -0.06, 0.02], [0.0, 0.2, -0.4]])
def test_people_moved_as_a_whole_are_moved_back(moved):
    transl = realign_camera([(OBSERVED + moved, OBSERVED, WEIGHTS)])
    assert image_error(OBSERVED + moved + transl) < 0.1 * image_error(OBSERVED + np.array(moved))


def test_people_at_their_observed_position_stay():
    assert np.abs(realign_camera([(OBSERVED, OBSERVED, WEIGHTS)])).max() < 1e-9


def test_outlier_frames_do_not_move_the_camera():
    joints = OBSERVED + [0.0, 0.08, 0.0]
    joints[:5] += [2.0, 1.0, 0.0]
    transl = realign_camera([(joints, OBSERVED, WEIGHTS)])
    assert np.abs(transl[:2] - [0, -0.08]).max() < 0.01


def test_several_people_share_one_translation():
    both = realign_camera([(OBSERVED + [0.1, 0, 0], OBSERVED, WEIGHTS), (OBSERVED + [0.1, 0, 0], OBSERVED, WEIGHTS)])
    assert np.abs(both - [-0.1, 0, 0]).max() < 5e-3


def test_nothing_in_view_moves_nothing():
    assert not realign_camera([(OBSERVED, OBSERVED, np.zeros((50, 24)))]).any()
    assert not realign_camera([(-OBSERVED, -OBSERVED, WEIGHTS)]).any()
