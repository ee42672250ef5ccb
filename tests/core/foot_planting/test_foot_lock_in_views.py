"""Foot locking where several cameras see the feet."""

import numpy as np

from blender_meshrec.core.foot_planting.foot_lock import lock_feet
from blender_meshrec.core.foot_planting.leg_kinematics import pose_legs
from tests.core.foot_planting.test_foot_lock import CAMERA
from tests.core.foot_planting.test_leg_kinematics import SOLES
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST


def test_feet_rise_upright_where_a_second_view_shows_depth():
    times = np.arange(60) / 30
    truth = synthetic_gait.squat(times)
    sunk = truth.pelvis - [0, 0, 0.03]
    nothing = np.zeros((len(times), 4))
    before = pose_legs(truth.rotmats, sunk, REST, SOLES).joints[:, :, 2]
    to_side = truth.pelvis[0] + [6.0, 0, 0.5]
    moved = []
    for further in ((), (to_side,)):
        locked = lock_feet(truth.rotmats, sunk, REST, SOLES, nothing, times, CAMERA, further)[0]
        moved.append(pose_legs(locked, sunk, REST, SOLES).joints[:, :, 2] - before)
    along = [np.abs(shift[..., 1]).mean() for shift in moved]
    risen = [shift[..., 2].mean() for shift in moved]
    assert min(risen) > 0.015  # m: there is something to correct
    assert along[1] < 0.5 * along[0]
