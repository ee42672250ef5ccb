"""The training of HKMR: what is hidden, which frames have labels, and model fitting in the loop."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.window_regression import SILHOUETTE_SIZE
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.hkmr import CHAINS, HkmrPose, PosePrior
from scripts.train.calibration.filmed_windows import FilmedWindows
from scripts.train.hierarchy.frames import _draw_rows
from scripts.train.hierarchy.hidden_chains import CHAIN_INDICES, hidden_by, observe
from scripts.train.hierarchy.model_fitting import fit_bodies, project

COUNT = 6


@pytest.fixture
def frames():
    """People 4 m away, with silhouettes that fill their windows."""
    rng = np.random.default_rng(0)
    joints = torch.as_tensor(rng.normal(0, 0.4, (COUNT, 1, 17, 3)) + [0, 0, 4], dtype=torch.float32)
    windows = torch.tensor([-0.3, -0.3, 0.6, 0.6]).expand(COUNT, 1, 4)
    full = torch.full((COUNT, 1, SILHOUETTE_SIZE**2 // 8), 255, dtype=torch.uint8)
    return FilmedWindows(torch.zeros(COUNT, 10), torch.eye(3).expand(COUNT, 1, 24, 3, 3), torch.zeros(COUNT, 1, 3), joints, windows, full)


@pytest.mark.parametrize("chain", CHAINS)
def test_a_hidden_chain_loses_its_keypoints_and_its_part_of_the_silhouette(frames, chain):
    hidden = [list(CHAIN_INDICES[chain])] + [[]] * (COUNT - 1)
    points, silhouettes, windows = observe(np.random.default_rng(1), frames, hidden, noisy=False)
    whole, shown, around = observe(np.random.default_rng(1), frames, [[]] * COUNT, noisy=False)
    assert (points[0, CHAIN_INDICES[chain], 2] == 0).all() and (points[1:, :, 2] == 1).all() and points[0, :, 2].sum() == 14
    # The window is around what is seen, and the silhouette is in it.
    seen = points[0, points[0, :, 2] > 0, :2]
    assert seen.abs().max() == pytest.approx(1 / 1.2, abs=0.08)
    assert torch.equal(windows[1:], around[1:]) and torch.equal(points[1:], whole[1:]) and torch.equal(silhouettes[1:], shown[1:])
    assert silhouettes[0].mean() < 0.97 * shown[0].mean()


def test_derived_joints_are_hidden_with_a_limb_half_of_the_time():
    rng = np.random.default_rng(2)
    thorax = [H36M17.index("thorax") in hidden_by(rng, "left_arm") for _ in range(200)]
    assert 0.35 < np.mean(thorax) < 0.65
    assert hidden_by(rng, "head") == CHAIN_INDICES["head"]


def test_frames_with_and_without_labels_never_mix():
    rng = np.random.default_rng(3)
    labelled, others = (set(_draw_rows(rng, 41, 500, each).tolist()) for each in (True, False))
    assert labelled | others == set(range(40)) and not labelled & others and len(others) == 10


def test_fitting_lowers_the_2d_error_and_says_where():
    torch.manual_seed(0)
    body, prior = make_body(load_body()), PosePrior().eval()
    angles = torch.randn(4, 24, 3) * 0.1
    root = torch.diag(torch.tensor([1.0, -1, -1])).expand(4, 3, 3)
    camera = torch.tensor([1.0, 0, 0]).expand(4, 3)
    windows = torch.tensor([-0.25, -0.25, 0.5, 0.5]).expand(4, 4)
    answer = HkmrPose(angles, root, torch.zeros(4, 10), camera)
    turned = angles + torch.randn(4, 24, 3) * 0.1 * torch.tensor([1.0, 1, 1, 0])[:, None, None]
    labels = project(body, HkmrPose(turned, root, torch.zeros(4, 10), camera).bodies(), windows)
    fitted, is_kept = fit_bodies(body, prior, answer, labels, windows)
    before, after = ((project(body, each, windows) - labels).norm(dim=-1).mean(1) for each in (answer.bodies(), fitted))
    assert is_kept.tolist() == [True, True, True, False] and (after < before).tolist() == is_kept.tolist()
    assert (after < 0.7 * before)[:3].all()


def test_projection_is_a_pinhole_cameras():
    """A body straight ahead, with the camera that its depth and the window give, is where a pinhole camera has it."""
    body = make_body(load_body())
    angles = torch.zeros(1, 24, 3)
    root = torch.diag(torch.tensor([1.0, -1, -1]))[None]
    windows, depth = torch.tensor([[-0.25, -0.25, 0.5, 0.5]]), 3.0
    answer = HkmrPose(angles, root, torch.zeros(1, 10), torch.tensor([[2 / (depth * 0.5), 0.0, 0.0]]))
    joints = body.h36m17(answer.betas, root, answer.bodies().rotmats[:, 1:])
    joints = joints - joints[:, :1] + torch.tensor([0, 0, depth])
    expected = joints[..., :2] / joints[..., 2:] / 0.25
    assert torch.allclose(project(body, answer.bodies(), windows), expected, atol=1e-5)
