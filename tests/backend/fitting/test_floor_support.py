"""People who sit or lie on the floor tell which way is up: what touches the ground is below their centre of mass."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting.floor_support import PITCHES, ROLLS, find_resting_body, log_of_support, on_tilts, overhangs
from blender_meshrec.core.skeletons import H36M17
from tests.support import synthetic_gait

TIMES = np.arange(60) / 30
LEVEL = np.abs(PITCHES).argmin(), np.abs(ROLLS).argmin()


def lying(bearing):
    """Joints (F,17,3) and soles (F,4,3) m in the world of somebody on their back, the head towards `bearing` rad."""
    along = {"hip": 0.0, "spine": 0.25, "thorax": 0.5, "nose": 0.6, "head_top": 0.75, "knee": -0.42, "ankle": -0.82, "shoulder": 0.48}
    along |= {"elbow": 0.2, "wrist": 0.0}
    across = {"hip": 0.1, "knee": 0.1, "ankle": 0.1, "shoulder": 0.18, "elbow": 0.3, "wrist": 0.35}
    sides = {"left": 1, "right": -1}
    joints = np.zeros((17, 3))
    for row, name in enumerate(H36M17):
        side, _, part = name.partition("_") if name.partition("_")[0] in sides else ("", "", name)
        joints[row] = along[part], sides.get(side, 0) * across.get(part, 0.0), 0.1
    soles = np.array([(-0.87, sign * 0.1, height) for sign in (1, -1) for height in (0.05, 0.25)])  # heels and toes
    cosine, sine = np.cos(bearing), np.sin(bearing)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return tuple(np.tile(points @ turn.T, (len(TIMES), 1, 1)) for points in (joints, soles))


def resting(points, view, visible=None):
    joints, soles = (view.joints(part) for part in points)
    return find_resting_body(joints, soles, np.ones(len(joints), bool) if visible is None else visible, TIMES[: len(joints)])


@pytest.mark.parametrize("bearing, axis", [(0.0, [0.0, 1.0]), (np.pi / 2, [1.0, 0.0])])
def test_somebody_who_lies_hangs_in_the_air_at_a_wrong_tilt(bearing, axis):
    """Across the view, the roll tips them over their head or heels; along it, the pitch does."""
    view = synthetic_gait.make_view(distance=4, pitch=0.0, look_at=(0, 0, 0.3))
    body = resting(lying(bearing), view)
    log = log_of_support([body])
    assert log[LEVEL] == log.max() == 0
    for angle in (-0.4, 0.4):
        pitch, roll = angle * np.array(axis)
        assert on_tilts(log, np.array([pitch]), np.array([roll]))[0, 0] < -2
        row, column = np.abs(PITCHES - pitch).argmin(), np.abs(ROLLS - roll).argmin()
        assert overhangs(body).mean(1).reshape(log.shape)[row, column] > 0.2  # m
    np.testing.assert_allclose(on_tilts(log, PITCHES, ROLLS), log, atol=1e-9)


def test_people_on_their_feet_and_people_who_move_say_nothing():
    view = synthetic_gait.make_view(distance=4)
    sits = synthetic_gait.squat(np.full(60, 1.25), depth=0.33, ahead=synthetic_gait.ANKLE_TO_WEIGHT, back=0.4, lean=0.0)
    for motion in (synthetic_gait.stand(TIMES), sits):
        assert resting((motion.h36m17, motion.points), view) is None
    points = lying(0.6)
    assert resting(tuple(part + TIMES[:, None, None] * [1.0, 0, 0] for part in points), view) is None  # 1 m/s
    assert resting(points, view, np.zeros(60, bool)) is None
    assert resting(points, view).weight == 1 > resting(tuple(part[:5] for part in points), view).weight
