"""The crouch ratio, independent of heading and size."""

import numpy as np

from blender_meshrec.backend.fitting.crouch_ratio import body_length, crouch_ratio, leg_extension
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support import synthetic_gait

TIMES = np.arange(75) / 30


def test_standing_gives_almost_zero_and_squatting_more():
    standing, squatting = synthetic_gait.stand(TIMES).h36m17, synthetic_gait.squat(TIMES).h36m17
    assert crouch_ratio(standing).max() < 0.06  # the bones from neck to crown go through the nose
    deepest = synthetic_gait.squat(TIMES).pelvis[:, 2].argmin()
    assert crouch_ratio(squatting).argmax() == deepest and crouch_ratio(squatting)[deepest] > 0.2
    assert abs(body_length(standing) - body_length(squatting)) < 0.02  # m


def test_size_position_and_heading_change_nothing():
    squatting = synthetic_gait.squat(TIMES).h36m17
    turned = 1.3 * squatting @ rotmat_from_rotvec(np.array([0.4, 2.0, -1.0])).T + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(crouch_ratio(turned), crouch_ratio(squatting), atol=1e-9)
    np.testing.assert_allclose(body_length(turned), 1.3 * body_length(squatting))


def test_legs_are_extended_by_the_cosine_of_half_their_bend():
    hip, knee = np.zeros(3), np.array([0.0, 0, -0.4])
    bends = np.radians([0.0, 60.0])
    legs = np.stack([[hip, knee, knee + 0.4 * np.array([np.sin(bend), 0, -np.cos(bend)])] for bend in bends])
    np.testing.assert_allclose(leg_extension(legs), np.cos(bends / 2))
