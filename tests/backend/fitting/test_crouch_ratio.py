"""How far somebody crouches, whatever way they face and however large they are."""

import numpy as np

from blender_meshrec.backend.fitting.crouch_ratio import body_length, crouch_ratio
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support import synthetic_gait

TIMES = np.arange(75) / 30


def test_who_stands_has_all_of_their_length_and_who_squats_lacks_some():
    stands, squats = synthetic_gait.stand(TIMES).h36m17, synthetic_gait.squat(TIMES).h36m17
    assert crouch_ratio(stands).max() < 0.06  # the way from neck to crown leads over the nose
    deepest = synthetic_gait.squat(TIMES).pelvis[:, 2].argmin()
    assert crouch_ratio(squats).argmax() == deepest and crouch_ratio(squats)[deepest] > 0.2
    assert abs(body_length(stands) - body_length(squats)) < 0.02  # m


def test_neither_size_nor_place_nor_heading_changes_it():
    squats = synthetic_gait.squat(TIMES).h36m17
    turned = 1.3 * squats @ rotmat_from_rotvec(np.array([0.4, 2.0, -1.0])).T + [1.0, 2.0, 3.0]
    np.testing.assert_allclose(crouch_ratio(turned), crouch_ratio(squats), atol=1e-9)
    np.testing.assert_allclose(body_length(turned), 1.3 * body_length(squats))
