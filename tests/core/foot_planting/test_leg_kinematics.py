"""Legs of SMPL bodies: joints, soles."""

import numpy as np
import pytest

from blender_meshrec.core.foot_planting.leg_kinematics import LEG_JOINTS, Legs, Soles, pose_legs, soles_from_template
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


def test_soles_are_on_the_plane_below_the_feet():
    template = synthetic_template(seed=3)
    betas = np.random.default_rng(2).normal(size=10)
    soles = soles_from_template(template, betas)
    assert np.ptp(soles.points[:, 1]) == 0
    vertices = template.rest_vertices(betas)
    np.testing.assert_allclose(soles.points[1, [0, 2]], vertices[template.landmarks["left_big_toe"]][[0, 2]])
