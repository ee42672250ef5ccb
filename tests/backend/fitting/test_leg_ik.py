"""Two-bone inverse kinematics."""

import numpy as np
import pytest

from blender_meshrec.backend.fitting import leg_ik
from blender_meshrec.core.rotations import angle_between_rotmats, rotmat_from_rotvec
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST, synthetic_template

TIMES = np.arange(60) / 30
SOLES = leg_ik.Soles(
    np.array([REST[ankle] + point for ankle in (7, 8) for point in (synthetic_gait.HEEL, synthetic_gait.TOE)]), np.zeros(4)
)


def posed(truth):
    return leg_ik.pose_legs(truth.rotmats, truth.pelvis, REST, SOLES)


def bent(pose, leg, hip, target):
    """Where a leg's knee and ankle come to lie, (F,3) m each."""
    thigh, shin = leg_ik.solve_leg_ik(pose.joints[:, leg], pose.rotations[:, leg], hip, target)
    chain = leg_ik.LEG_JOINTS[leg]
    knee = hip + thigh @ (REST[chain[1]] - REST[chain[0]])
    return knee, knee + shin @ (REST[chain[2]] - REST[chain[1]]), thigh, shin


@pytest.mark.parametrize("motion", [synthetic_gait.walk, synthetic_gait.squat, synthetic_gait.jump])
def test_legs_are_posed_as_the_whole_body_is(motion):
    truth = motion(TIMES)
    pose = posed(truth)
    np.testing.assert_allclose(pose.joints, truth.joints[:, leg_ik.LEG_JOINTS], atol=1e-12)
    np.testing.assert_allclose(pose.points, truth.points, atol=1e-12)


@pytest.mark.parametrize("leg", [0, 1])
def test_an_ankle_reaches_its_target_and_the_knee_keeps_its_plane(leg):
    rng = np.random.default_rng(0)
    pose = posed(synthetic_gait.squat(TIMES))
    hip = pose.joints[:, leg, 0] + rng.normal(scale=0.01, size=(60, 3))
    target = pose.joints[:, leg, 2] + rng.normal(scale=0.02, size=(60, 3)) + [0, 0, 0.05]
    knee, ankle, thigh, shin = bent(pose, leg, hip, target)
    np.testing.assert_allclose(ankle, target, atol=1e-9)
    for rotmats in (thigh, shin):
        np.testing.assert_allclose(rotmats @ np.swapaxes(rotmats, -1, -2), np.broadcast_to(np.eye(3), rotmats.shape), atol=1e-9)
    before = np.cross(pose.joints[:, leg, 1] - pose.joints[:, leg, 0], pose.joints[:, leg, 2] - pose.joints[:, leg, 1])
    after = np.cross(knee - hip, ankle - knee)
    clear = np.linalg.norm(before, axis=-1) > 0.3 * 0.38 * 0.4  # bent by 17 degrees or more
    assert clear.sum() > 30
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert np.degrees(np.arccos(np.clip(cosine[clear], -1, 1))).max() < 15


def test_a_leg_at_its_target_stays_as_it_is():
    pose = posed(synthetic_gait.walk(TIMES))
    thigh, shin = leg_ik.solve_leg_ik(pose.joints[:, 0], pose.rotations[:, 0], pose.joints[:, 0, 0], pose.joints[:, 0, 2])
    assert np.degrees(angle_between_rotmats(thigh, pose.rotations[:, 0, 0])).max() < 1e-4
    assert np.degrees(angle_between_rotmats(shin, pose.rotations[:, 0, 1])).max() < 1e-4


def test_out_of_reach_is_approached_and_never_turns_the_knee_round():
    pose = posed(synthetic_gait.squat(TIMES))
    hip = pose.joints[:, 0, 0]
    far = hip + 2.0 * (pose.joints[:, 0, 2] - hip) / np.linalg.norm(pose.joints[:, 0, 2] - hip, axis=-1, keepdims=True)
    knee, ankle, thigh, _shin = bent(pose, 0, hip, far)
    short = leg_ik.reach_shortfall(hip, pose.joints[:, 0], far)
    np.testing.assert_allclose(ankle, far - short, atol=1e-6)
    length = sum(np.linalg.norm(REST[b] - REST[a]) for a, b in ((1, 4), (4, 7)))
    np.testing.assert_allclose(np.linalg.norm(ankle - hip, axis=-1), leg_ik.MAX_STRETCH * length, atol=1e-6)
    flexion = (np.cross(knee - hip, ankle - knee) * (thigh @ leg_ik.KNEE_AXIS)).sum(-1)
    assert (flexion > -1e-3).all()  # m^2: a straight knee, but not one bent the wrong way


def test_a_straight_leg_folds_at_its_hinge():
    """Nothing but the thigh's own axis says which way a straight knee bends: forwards."""
    rotmats = np.broadcast_to(rotmat_from_rotvec([np.pi / 2, 0, 0]), (1, 4, 3, 3)).copy()
    joints = np.array([[[0, 0, 0.9], [0, 0, 0.5], [0, 0, 0.1], [0, -0.1, 0.0]]])
    thigh, _shin = leg_ik.solve_leg_ik(joints, rotmats, joints[:, 0], np.array([[0, 0, 0.2]]))
    knee = joints[0, 0] + thigh[0] @ rotmats[0, 0].T @ (joints[0, 1] - joints[0, 0])
    assert knee[1] < -0.1  # the subject faces -y


def test_ease_is_no_more_than_reach_and_nothing_where_nothing_is_asked():
    rng = np.random.default_rng(1)
    pose = posed(synthetic_gait.walk(TIMES))
    hip, joints = pose.joints[:, 0, 0], pose.joints[:, 0]
    np.testing.assert_allclose(leg_ik.soft_reach_shortfall(hip, joints, joints[:, 2]), 0, atol=1e-12)
    target = joints[:, 2] + rng.normal(scale=0.1, size=(60, 3))
    hard, soft = (np.linalg.norm(out(hip, joints, target), axis=-1) for out in (leg_ik.reach_shortfall, leg_ik.soft_reach_shortfall))
    assert (soft >= hard - 1e-12).all() and (soft < hard + 0.1).all()


def test_soles_lie_on_the_plane_under_the_feet():
    template = synthetic_template(seed=3)
    betas = np.random.default_rng(2).normal(size=10)
    soles = leg_ik.soles_from_template(template, betas)
    assert np.ptp(soles.points[:, 1]) == 0 and not soles.clearance.any()
    vertices = template.rest_vertices(betas)
    np.testing.assert_allclose(soles.points[1, [0, 2]], vertices[template.landmarks["left_big_toe"]][[0, 2]])


def test_shortest_turns():
    rng = np.random.default_rng(4)
    source, target = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    turned = (leg_ik.rotation_between(source, target) @ source[..., None])[..., 0]
    np.testing.assert_allclose(
        turned / np.linalg.norm(turned, axis=-1, keepdims=True), target / np.linalg.norm(target, axis=-1, keepdims=True), atol=1e-12
    )
    np.testing.assert_allclose(leg_ik.rotation_between(source, 2 * source), np.broadcast_to(np.eye(3), (30, 3, 3)), atol=1e-7)
