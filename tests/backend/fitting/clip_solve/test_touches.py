"""Hands that stay at another person's body in the picture are brought to it; hands that pass are not."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.clip_solve.body_points import NUM_OFFSETS, BodyState, point_rows, pose_points, shape_of_stature
from blender_meshrec.backend.fitting.clip_solve.touches import find_meetings
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS

TIMES = np.arange(30) / 30
HAND, OTHER_HAND = (int(point_rows((name,))[0]) for name in ("left_hand", "right_hand"))


def standing(template, pelvis):
    """Somebody in a T-pose who faces the camera, with the pelvis at (F,3) m in camera axes."""
    shape = shape_of_stature(template, np.zeros(10))
    rotmats = np.tile(np.eye(3), (len(TIMES), 24, 1, 1))
    rotmats[:, 0] = rotmat_from_rotvec([np.pi, 0, 0])
    pelvis = np.broadcast_to(pelvis, (len(TIMES), 3))
    return pose_points(shape, BodyState(pelvis.astype(float), rotmats, np.zeros(shape.basis.shape[1]), np.zeros(NUM_OFFSETS)))


@pytest.fixture(scope="module")
def pair(template):
    """The first one's left hand is at the second one's right hand in the picture, 25 cm nearer to the camera."""
    first = standing(template, [0.0, 0.0, 4.0])
    reach = first.rows[0, HAND, 0] - first.rows[0, 0, 0]
    second = standing(template, [2 * reach, 0.0, 4.0])
    depth = 4.25 / 4.0
    return first, standing(template, depth * second.state.pelvis[0] + [(1 - depth) * (second.rows[0, OTHER_HAND, 0] - 2 * reach), 0, 0])


def meetings_of(first, second, seen=None):
    """The meetings of each; seen: (F,), the frames with the first one."""
    every = np.ones(len(TIMES), bool)
    return find_meetings([first, second], [every if seen is None else seen, every], TIMES)


def test_hands_meet_in_the_middle(pair):
    one, other = meetings_of(*pair)
    assert [len(one), len(other)] == [1, 1] and one[0].rows == [HAND] and other[0].rows == [OTHER_HAND]
    assert (one[0].weights == 1).all()
    apart = one[0].places[:, 0] - other[0].places[:, 0]
    assert np.linalg.norm(apart, axis=-1) == pytest.approx(0.06, abs=1e-6)  # m, of two hands' skins
    middle = (pair[0].rows[:, HAND] + pair[1].rows[:, OTHER_HAND]) / 2
    np.testing.assert_allclose((one[0].places + other[0].places)[:, 0] / 2, middle, atol=1e-9)
    assert SMPL_JOINTS[HAND] == "left_hand"


def test_hands_far_apart_in_depth_or_in_passing_do_not(template, pair):
    first, second = pair
    far = standing(template, second.state.pelvis[0] * 1.4)
    passing = standing(template, second.state.pelvis + np.outer(TIMES - 0.5, [2.0, 0, 0]))
    for other in (far, passing):
        assert meetings_of(first, other) == [[], []]


def test_frames_without_one_of_them(pair):
    """The first one is not seen for 5 frames: the meeting's rows are those of the frames with each person."""
    first, second = pair
    seen = np.ones(len(TIMES), bool)
    seen[:5] = False
    state = replace(first.state, pelvis=first.state.pelvis[seen], rotmats=first.state.rotmats[seen])
    one, other = meetings_of(pose_points(first.shape, state), second, seen)
    assert len(one[0].weights) == 25 and len(other[0].weights) == 30 and not other[0].weights[:5].any()
