"""SKEL's Jacobian in closed form against finite differences of the forward, pose blend shapes left out as documented."""

import numpy as np
import torch

from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.skel_jacobian import SkelJacobian, skin_with_joints
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, NUM_DOFS

STEP = 1e-5


def test_columns_agree_with_finite_differences():
    rng = np.random.default_rng(0)
    skel = Skel(load_skel(), dtype=torch.float64)
    betas = rng.normal(0, 0.7, 10)
    skin = skin_with_joints(skel, betas, skel.subset(rng.choice(len(skel.skin.v_template), 60, replace=False))._replace(posedirs=None))
    q = torch.as_tensor(rng.uniform(*np.clip(DOF_LIMITS, -2, 2).T, (3, NUM_DOFS)))
    place = torch.as_tensor(rng.normal(size=(3, 3)))
    columns = SkelJacobian(skel, betas, skin)(q, skel(q, betas, place, skin=skin))
    for unknown in range(NUM_DOFS + 3):
        step = torch.zeros(NUM_DOFS + 3, dtype=torch.float64)
        step[unknown] = STEP
        ahead, behind = (skel(q + sign * step[:NUM_DOFS], betas, place + sign * step[NUM_DOFS:], skin=skin).vertices for sign in (1, -1))
        expected = (ahead - behind) / (2 * STEP)
        assert (columns[:, unknown].mT - expected).abs().max() < 1e-6, unknown  # m a radian


def test_points_on_joints_stay_on_them_when_posed():
    rng = np.random.default_rng(1)
    skel = Skel(load_skel(), dtype=torch.float64)
    betas = rng.normal(0, 0.7, 10)
    skin = skin_with_joints(skel, betas, skel.subset([0]))
    q = np.zeros((2, NUM_DOFS))
    q[:, [6, 7, 13, 14]] = rng.uniform(0, 1, (2, 4))
    posed = skel(q, betas, skin=skin)
    straight = skel(np.zeros((1, NUM_DOFS)), betas, skin=skin)
    assert (straight.vertices[:, 1:] - straight.joints).abs().max() < 1e-9
    # A point that moves with its bone stays on the joint, because bones rotate about their joints.
    assert (posed.vertices[:, 1:] - posed.joints).abs().max() < 1e-9
