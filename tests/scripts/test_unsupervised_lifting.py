"""The paper's unsupervised training: consistent geometry, rotations within their ranges, and reproducible steps."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.skeletons import H36M17
from scripts.train import unsupervised_lifting
from tests.scripts.test_lifter_training import made_up_clip
from tests.support.synthetic_gait import walk


def test_lifted_joints_project_to_the_input_pose():
    torch.manual_seed(0)
    lifter = unsupervised_lifting.ResidualNetwork(17, 2, norm=True).eval()
    poses, distances = 0.5 * torch.randn(20, 17, 2), torch.full((20, 1), 6.0)
    poses[:, 0] = 0
    joints = unsupervised_lifting.lift_poses(lifter, poses, distances)
    torch.testing.assert_close(unsupervised_lifting.project(joints, distances), poses, atol=1e-5, rtol=0)


def test_random_rotations_are_within_their_ranges():
    torch.manual_seed(1)
    rotmats = unsupervised_lifting.random_rotations(500, 0.5, "cpu")
    torch.testing.assert_close(rotmats @ rotmats.mT, torch.eye(3).expand(500, 3, 3), atol=1e-5, rtol=0)
    assert torch.linalg.det(rotmats).min() > 0.99
    tilt = torch.acos(rotmats[:, 1, 1].clamp(-1, 1))
    assert tilt.max() <= unsupervised_lifting.MAX_ELEVATION + unsupervised_lifting.MAX_ROLL


def test_only_backward_bent_knees_are_penalised():
    joints = torch.as_tensor(walk(np.arange(40) / 30).h36m17[..., [0, 2, 1]] * [1, -1, 1], dtype=torch.float32)
    forwards = unsupervised_lifting.knee_hyperextension(joints - joints[:, :1])
    backwards = unsupervised_lifting.knee_hyperextension((joints - joints[:, :1]) * torch.tensor([1.0, 1.0, -1.0]))
    assert forwards < 0.02 * backwards


@pytest.mark.parametrize("recipe", unsupervised_lifting.ABLATION, ids=lambda recipe: f"{recipe.adversary} {recipe.azimuth:.1f}")
def test_training_steps_are_finite_and_reproducible(recipe, monkeypatch):
    monkeypatch.setattr(unsupervised_lifting, "NUM_POSES", 256 * 3)
    clip = made_up_clip()[0]
    one, other = (unsupervised_lifting.train_unsupervised([clip], recipe, 3, seed=2, log=str)[0].state_dict() for _ in range(2))
    for name in one:
        assert torch.isfinite(one[name].float()).all()
        torch.testing.assert_close(one[name], other[name], atol=0, rtol=0)


def test_equal_proportions_have_no_variance_and_a_longer_shin_has():
    """A symmetric body has the same proportions at any scale and rotation."""
    rng = np.random.default_rng(8)
    one = torch.as_tensor(rng.normal(size=(1, 17, 3)))
    one = 0.5 * (one + one[:, unsupervised_lifting.H36M17_MIRROR] * torch.tensor([-1.0, 1.0, 1.0]))
    bodies = one * torch.tensor([10.0, 20.0, 30.0])[:, None, None] @ unsupervised_lifting.random_rotations(3, 1.0, "cpu").double().mT
    assert unsupervised_lifting.bone_proportion_variance(bodies) < 1e-6
    bodies[:, H36M17.index("left_ankle")] += bodies[:, H36M17.index("left_ankle")] - bodies[:, H36M17.index("left_knee")]
    assert unsupervised_lifting.bone_proportion_variance(bodies) > 0.01
