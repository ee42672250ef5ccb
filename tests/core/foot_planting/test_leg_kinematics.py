"""Legs of SMPL bodies: joints, soles."""

import numpy as np
import pytest

from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.foot_planting.leg_kinematics import LEG_JOINTS, Legs, Soles, feet_on_soles, pose_legs, soles_from_template
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support import synthetic_gait
from tests.support.synthetic_template import REST, synthetic_template

TIMES = np.arange(60) / 30
SOLES = Soles(np.array([REST[ankle] + point for ankle in (7, 8) for point in (synthetic_gait.HEEL, synthetic_gait.TOE)]))


def posed(walker: synthetic_gait.Walker) -> Legs:
    return pose_legs(walker.rotmats, walker.pelvis, REST, SOLES)


@pytest.mark.parametrize("motion", [synthetic_gait.walk, synthetic_gait.squat, synthetic_gait.jump])
def test_legs_are_posed_like_the_whole_body(motion):
    truth = motion(TIMES)
    legs = posed(truth)
    np.testing.assert_allclose(legs.joints, truth.joints[:, LEG_JOINTS], atol=1e-12)
    np.testing.assert_allclose(legs.points, truth.points, atol=1e-12)


@pytest.mark.parametrize("motion", [synthetic_gait.walk, synthetic_gait.squat, synthetic_gait.jump])
def test_people_on_their_legs_are_on_their_soles(motion):
    assert feet_on_soles(posed(motion(TIMES))).all()


def test_feet_of_people_who_lie_on_their_side_or_face_are_not():
    walker = synthetic_gait.squat(TIMES[:1])
    straight = np.tile(np.eye(3), walker.rotmats.shape[:2] + (1, 1))

    def feet(turn, left_ankle=(0.0, 0.0, 0.0)):
        """Of somebody straight who is turned from standing with the face to -y, by a rotation vector in the world."""
        rotmats = straight.copy()
        rotmats[:, 0] = rotmat_from_rotvec(turn) @ WORLD_FROM_BODY
        rotmats[:, 7] = rotmat_from_rotvec(left_ankle)
        return feet_on_soles(pose_legs(rotmats, walker.pelvis, REST, SOLES))[0].tolist()

    quarter = np.pi / 2
    assert feet((0.0, 0.0, 0.0), (0.0, 0.0, quarter)) == [True] * 4  # an ankle is rolled below an upright leg
    assert feet((0.0, quarter, 0.0)) == feet((0.0, -quarter, 0.0)) == [False] * 4
    assert feet((quarter, 0.0, 0.0), (np.radians(60), 0.0, 0.0)) == [False, False, True, True]  # on the face, one foot stretched


def test_soles_are_on_the_plane_below_the_feet():
    template = synthetic_template(seed=3)
    betas = np.random.default_rng(2).normal(size=10)
    soles = soles_from_template(template, betas)
    assert np.ptp(soles.points[:, 1]) == 0
    vertices = template.rest_vertices(betas)
    np.testing.assert_allclose(soles.points[1, [0, 2]], vertices[template.landmarks["left_big_toe"]][[0, 2]])
