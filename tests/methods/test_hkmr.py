"""HKMR: the supplement's sizes, what each joint is conditioned on, the pose prior, and the generator that ships."""

import numpy as np
import pytest
import torch

import blender_meshrec.backend.lifting.estimators  # noqa: F401 (registers them, and the generators)
from blender_meshrec.backend.registry import ESTIMATORS, GENERATORS
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.cameras import default_intrinsics, project
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS, SMPL_PARENTS, mirror_indices
from blender_meshrec.methods import hkmr
from blender_meshrec.methods.image_networks.resnet50 import FEATURE_WIDTH, ResNet50
from tests.support.synthetic_gait import walk

FRAMES, INTRINSICS = 24, default_intrinsics((1280, 720))
TIMES = np.arange(FRAMES) / 30
INPUTS = {"root": 2070, "head": 2076, "left_leg": 2082, "right_leg": 2082, "left_arm": 2085, "right_arm": 2085}


def count(module):
    return sum(value.numel() for value in module.parameters())


@pytest.fixture(scope="module")
def printed():
    """The network as printed, on pictures."""
    torch.manual_seed(0)
    network = hkmr.Hkmr(ResNet50(), FEATURE_WIDTH).eval()
    for value in network.chains.parameters():
        torch.nn.init.normal_(value, std=0.05)
    return network


def test_chains_cover_the_skeleton_from_parent_to_child():
    joints = [joint for chain in hkmr.CHAINS.values() for joint in chain]
    assert sorted(joints) == list(range(24))
    for chain in hkmr.CHAINS.values():
        assert [SMPL_PARENTS[joint] for joint in chain[1:]] == list(chain[:-1])


def test_sizes_are_the_supplements(printed):
    for name, inputs in INPUTS.items():
        chain, joints = printed.chains[name], len(hkmr.CHAINS[name])
        assert chain.psi1.in_features == inputs == hkmr.chain_input_width(name, FEATURE_WIDTH)
        assert count(chain.psi1) == 32 * inputs + 32 and count(chain.psi2) == 32 * 32 + 32
        assert [layer.in_features for layer in chain.outwards] == [32 + 3 * known for known in range(joints)]
        assert [layer.in_features for layer in chain.inwards] == [32 + 3 * known for known in range(joints - 1, -1, -1)]
        assert all(layer.out_features == 3 for layer in (*chain.outwards, *chain.inwards))
    for head, outputs in ((printed.shape, 10), (printed.camera, 3)):
        assert [layer.out_features for layer in head if isinstance(layer, torch.nn.Linear)] == [512, 128, outputs]
    assert (printed.config.inner, printed.config.outer) == (4, 3)
    linear = [layer for layer in hkmr.PosePrior().modules() if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(69, 512), (512, 32), (512, 32), (32, 512), (512, 69)]


def test_pictures_give_bodies(printed):
    with torch.inference_mode():
        found = printed(torch.randn(2, 3, 224, 224))
    assert found.rotmats.shape == (2, 24, 3, 3) and found.betas.shape == (2, 10) and found.camera.shape == (2, 3)
    assert torch.allclose(found.rotmats @ found.rotmats.mT, torch.eye(3).expand(2, 24, 3, 3), atol=1e-5)


@pytest.mark.parametrize("name", hkmr.CHAINS)
def test_a_joint_is_conditioned_on_its_ancestors_outwards_and_on_those_below_inwards(printed, name):
    chain, embedded = printed.chains[name], torch.randn(1, 32)
    angles = torch.randn(1, len(hkmr.CHAINS[name]), 3)
    for give, is_reached in ((chain.pass_outwards, np.greater_equal), (chain.pass_inwards, np.less_equal)):
        for moved in range(angles.shape[1]):
            other = angles.clone()
            other[:, moved] += 1
            is_changed = (give(embedded, other) != give(embedded, angles)).any(-1)[0].numpy()
            assert (is_changed == is_reached(np.arange(angles.shape[1]), moved)).all()


def test_inner_iterations_alternate_the_passes(printed, monkeypatch):
    chain, called = printed.chains["head"], []
    for name in ("pass_outwards", "pass_inwards"):
        own = getattr(chain, name)
        monkeypatch.setattr(chain, name, lambda *inputs, name=name, own=own: called.append(name) or own(*inputs))
    with torch.inference_mode():
        printed.regress(torch.randn(1, FEATURE_WIDTH))
    assert called == ["pass_outwards", "pass_inwards"] * 2 * 3


def test_psi_sees_its_inputs_in_one_layer(printed):
    """The feature's part of the first layer is computed once: the sum is what one layer over all inputs gives."""
    chain, parts = printed.chains["left_arm"], [torch.randn(2, width) for width in (2048, 15, 12, 10)]
    with torch.inference_mode():
        whole = torch.relu(chain.psi2(torch.relu(chain.psi1(torch.cat(parts, 1)))))
        assert torch.allclose(chain.embed(chain.embed_feature(parts[0]), *parts[1:]), whole, atol=1e-5)


def test_chains_see_the_root_chain_and_not_one_another(printed):
    feature = torch.randn(1, FEATURE_WIDTH)
    with torch.inference_mode():
        before = printed.regress(feature).angles
        for moved in ("root", "left_leg"):
            layer = printed.chains[moved].outwards[0]
            layer.bias += 0.3
            after = printed.regress(feature).angles
            layer.bias -= 0.3
            changed = {name for name, joints in hkmr.CHAINS.items() if (after != before)[0, list(joints)].any()}
            # The left leg reaches the others by way of betas alone, which the shape head makes of the whole pose.
            assert changed == set(hkmr.CHAINS)
            first = [name for name in hkmr.CHAINS if (after - before)[0, list(hkmr.CHAINS[name])].abs().max() > 0.05]
            assert moved in first and (moved == "root" or first == [moved])


def test_kl_divergence_is_that_of_normal_distributions():
    mean, log_variance = torch.randn(5, 32), torch.randn(5, 32) * 0.3
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(hkmr.kl_divergence(mean, log_variance), expected, atol=1e-4)


def test_the_prior_samples_in_training_only():
    torch.manual_seed(0)
    prior, pose = hkmr.PosePrior(dropout=0.0), torch.randn(8, 69)
    sampled = [prior.train()(pose)[0] for _ in range(2)]
    fixed = [prior.eval()(pose)[0] for _ in range(2)]
    assert not torch.equal(*sampled) and torch.equal(*fixed) and fixed[0].shape == (8, 69)


def test_the_answer_in_use_is_the_same_for_a_mirrored_person():
    torch.manual_seed(1)
    network = hkmr.MirrorAverage(hkmr.Hkmr()).eval()
    for value in network.network.encoder.parameters():
        torch.nn.init.normal_(value, std=0.05)
    points, silhouettes = torch.rand(3, 17, 3), torch.rand(3, hkmr.SILHOUETTE_SIZE, hkmr.SILHOUETTE_SIZE).round()
    swapped = points[:, mirror_indices(H36M17).tolist()] * torch.tensor([-1.0, 1, 1])
    flip = torch.diag(torch.tensor([-1.0, 1, 1]))
    with torch.inference_mode():
        here, there = network(points, silhouettes), network(swapped, silhouettes.flip(-1))
    assert torch.allclose(there.rotmats, flip @ here.rotmats[:, mirror_indices(SMPL_JOINTS).tolist()] @ flip, atol=1e-4)
    assert torch.allclose(there.camera, here.camera * torch.tensor([1.0, -1, 1]), atol=1e-5)
    assert torch.allclose(there.betas, here.betas, atol=1e-5)


# ---- the weights that ship --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def joints():
    """A walker of h36m17 in camera axes, 4 m away, (F,17,3) m."""
    world = walk(TIMES, turn=0.6).h36m17
    world = world - world[:, :1]
    return np.stack([world[..., 0], -world[..., 2], world[..., 1]], -1) + [0.2, 0.1, 4.0]


def observed(joints, hidden=()):
    keypoints = np.concatenate([project(joints, INTRINSICS), np.ones((len(joints), 17, 1))], -1)
    for name in hidden:
        keypoints[:, H36M17.index(name)] = 0
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
    return Observations("h36m17", boxes, keypoints, np.ones(len(joints), bool))


def joint_error(generated, joints):
    """Mean distance of the joints relative to the hip, m."""
    params = generated.body
    found = make_body(load_body()).h36m17(params.betas, params.global_orient, params.body_pose).numpy()
    return np.linalg.norm((found - found[:, :1]) - (joints - joints[:, :1]), axis=-1).mean()


def test_generated_joints_project_to_the_keypoints(joints):
    observations = observed(joints)
    generated = GENERATORS.get("hkmr")(observations, INTRINSICS, TIMES, torch.device("cpu"))
    height = (observations.boxes[:, 3] - observations.boxes[:, 1])[:, None]
    off = np.linalg.norm(generated.points - observations.keypoints[..., :2], axis=-1) / height
    assert np.median(off) < 0.06  # of the person's height
    assert joint_error(generated, joints) < 0.13


@pytest.mark.parametrize("chain", ["left_leg", "right_leg", "left_arm", "right_arm"])
def test_a_hidden_limb_costs_less_than_with_hmr(joints, chain):
    side, _, limb = chain.partition("_")
    hidden = [f"{side}_{name}" for name in (("hip", "knee", "ankle") if limb == "leg" else ("shoulder", "elbow", "wrist"))]
    seen = observed(joints, hidden)
    errors = {name: joint_error(GENERATORS.get(name)(seen, INTRINSICS, TIMES, torch.device("cpu")), joints) for name in ("hmr", "hkmr")}
    assert errors["hkmr"] < errors["hmr"]


def test_the_method_starts_from_the_generators_mesh(joints):
    seen = observed(joints)
    params = GENERATORS.get("hkmr")(seen, INTRINSICS, TIMES, torch.device("cpu")).body
    estimate = ESTIMATORS.get("hkmr")(seen, INTRINSICS, TIMES, torch.device("cpu"))
    body = make_body(load_body()).h36m17(params.betas, params.global_orient, params.body_pose).numpy()
    np.testing.assert_allclose(estimate.joints, body - body[:, :1], atol=1e-5)
    again = make_body(load_body()).h36m17(params.betas, estimate.rotmats[:, 0], estimate.rotmats[:, 1:]).numpy()
    np.testing.assert_allclose(again, body, atol=1e-4)
    calibrated = ESTIMATORS.get("pc-hmr-hkmr")(seen, INTRINSICS, TIMES, torch.device("cpu")).body
    np.testing.assert_allclose(calibrated.poses, params.poses, atol=1e-6)
