"""The centre of mass of a few joints is that of the body, and who stands upright has it above their feet."""

import numpy as np

from blender_meshrec.backend.fitting.body_masses import STANCE, centre_of_mass_of_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.foot_planting.leg_kinematics import soles_from_template
from scripts.evaluate.body_masses import centre_of_volume

BETAS = np.zeros(10)


def test_a_body_at_rest_is_balanced():
    template = load_body()
    joints = template.rest_joints(BETAS)[template.smpl_joint_indices].astype(float)
    centre = centre_of_mass_of_body(joints[None])[0]
    assert np.abs(centre - centre_of_volume(template.rest_vertices(BETAS).astype(float), template.faces)).max() < 0.012  # m
    stance = np.tile(STANCE, 2) @ soles_from_template(template, BETAS).points / 2
    np.testing.assert_allclose(centre[[0, 2]], stance[[0, 2]], atol=0.003)
