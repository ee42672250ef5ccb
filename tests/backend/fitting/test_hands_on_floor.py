"""Hands that would go through the floor bend back; others stay as they are."""

from dataclasses import replace

import numpy as np
import pytest

from blender_meshrec.backend.fitting.hands_on_floor import flat_turns, hands_of, lay_hands_on_floor, least_shares
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import BodyParams
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS

WRISTS = [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]


@pytest.fixture(scope="module")
def template():
    return load_body()


@pytest.fixture(scope="module")
def body(template):
    return make_body(template)


def on_all_fours(body, heights):
    """Prone bodies, z up, whose straight arms point down from shoulders at `heights` (F,) m."""
    poses = np.zeros((len(heights), 24, 3))
    poses[:, 0] = [0, np.pi, 0]  # y up and facing +z becomes face down with the head along +y
    poses[:, SMPL_JOINTS.index("left_shoulder")] = [0, -np.pi / 2, 0]
    poses[:, SMPL_JOINTS.index("right_shoulder")] = [0, np.pi / 2, 0]
    low = BodyParams("open", np.zeros(10), poses[:, 0], poses[:, 1:].reshape(len(heights), -1), np.zeros((len(heights), 3)))
    shoulder = body.joints(low.betas, low.global_orient, low.body_pose, low.transl).numpy()[:, SMPL_JOINTS.index("left_shoulder"), 2]
    return replace(low, transl=np.stack([0 * heights, 0 * heights, heights - shoulder], -1))


def hand_heights(body, params):
    """The lowest height (F,) m of both hands' skin without thumbs, and of the wrists."""
    joints, vertices = (values.numpy() for values in body(params.betas, params.global_orient, params.body_pose, params.transl))
    rest, rest_joints = body.template.rest(params.betas)
    owner = body.template.lbs_weights.argmax(1)
    hands = [SMPL_JOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("wrist", "hand")]
    chosen = np.isin(owner, hands) & (rest[:, 2] - rest_joints[WRISTS[0], 2] < 0.045)
    return vertices[:, chosen, 2].min(1), joints[:, WRISTS, 2].min(1)


def test_a_hand_below_a_wrist_near_the_floor_lies_flat_on_it(body):
    arm = float(np.linalg.norm(np.diff(body.template.rest_joints(np.zeros(10))[[16, 18, 20]], axis=0), axis=1).sum())
    params = on_all_fours(body, arm + np.repeat([0.05, 0.3], 30))
    before, wrists = hand_heights(body, params)
    assert before[:30].max() < -0.05
    bent = lay_hands_on_floor(body.template, params, np.arange(60) / 30)
    after, wrists_after = hand_heights(body, bent)
    assert after[:25] == pytest.approx(0, abs=0.004)
    assert after.min() > -0.004
    np.testing.assert_allclose(wrists_after, wrists, atol=1e-5)  # arms stay
    assert np.array_equal(bent.body_pose[45:], params.body_pose[45:])  # a hand in the air stays
    changed = np.flatnonzero(np.abs(bent.body_pose - params.body_pose).reshape(60, 23, 3).max((0, 2)) > 1e-6) + 1
    assert changed.tolist() == WRISTS


def test_a_hand_bends_before_it_arrives(body):
    """The angle that it needs begins steeply; the motion does not."""
    arm = float(np.linalg.norm(np.diff(body.template.rest_joints(np.zeros(10))[[16, 18, 20]], axis=0), axis=1).sum())
    params = on_all_fours(body, arm + np.linspace(0.3, 0.05, 30))
    bent = lay_hands_on_floor(body.template, params, np.arange(30) / 30)
    angles = np.linalg.norm(bent.body_pose.reshape(30, 23, 3)[:, WRISTS[0] - 1], axis=-1)
    assert angles[0] == 0 and angles[-1] > 1
    assert np.diff(angles).max() < 0.15
    assert hand_heights(body, bent)[0].min() > -0.004


def test_hands_bend_back_and_not_towards_the_palm(body):
    """Fingers point where the head does: palms of straight arms that point down face the feet."""
    arm = float(np.linalg.norm(np.diff(body.template.rest_joints(np.zeros(10))[[16, 18, 20]], axis=0), axis=1).sum())
    params = lay_hands_on_floor(body.template, on_all_fours(body, arm + np.array([0.04])), np.zeros(1))
    joints = body.joints(params.betas, params.global_orient, params.body_pose, params.transl).numpy()[0]
    for side in ("left", "right"):
        fingers = joints[SMPL_JOINTS.index(f"{side}_hand")] - joints[SMPL_JOINTS.index(f"{side}_wrist")]
        assert fingers[1] / np.linalg.norm(fingers) > 0.85


def test_the_turn_grows_steadily_as_the_wrist_sinks(body):
    """And stays at what leaves least below where no turn suffices."""
    hand = hands_of(body.template, np.zeros(10))[0]
    heights = np.linspace(0.3, -0.05, 71)
    up = np.tile([-1.0, 0.0, 0.0], (len(heights), 1))  # in the axes of a left hand that points down
    shares = least_shares(hand, up, heights, flat_turns(hand.palm, up))
    assert shares[0] == 0
    assert np.diff(shares[heights > hand.thickness]).min() >= 0
    assert 0.9 < shares[-1] <= 1


def test_a_hand_lies_on_its_palm_or_on_its_back_whichever_is_nearer():
    palm = np.array([0.0, -1.0, 0.0])
    down_palm, edge, up_palm = np.array([0, 1.0, 0]), np.array([0, 0, 1.0]), np.array([0, -1.0, 0.2])
    up = np.stack([down_palm, edge, up_palm / np.linalg.norm(up_palm)])
    turns = flat_turns(palm, up)
    assert np.linalg.norm(turns, axis=1) == pytest.approx([0, np.pi / 2, np.arctan(0.2)], abs=1e-6)
    palms = (rotmat_from_rotvec(turns) @ palm * up).sum(1)
    assert palms == pytest.approx([-1, -1, 1], abs=1e-6)


def test_the_wrist_of_a_hand_that_lies_is_close_to_the_floor(template):
    """Its skin is 2.5 cm under the joint; a thumb and fingers that hang down would raise it to 5 cm."""
    left, right = hands_of(template, np.zeros(10))
    assert left.thickness == pytest.approx(0.03, abs=0.007)
    assert left.thickness == pytest.approx(right.thickness, abs=1e-3)
    np.testing.assert_allclose(left.palm * [-1, 1, 1], right.palm)
