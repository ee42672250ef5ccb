"""HSMR's training: mirrored samples, labels, and SKELify in the loop, which keeps what is better."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skel.vocabulary import limit_excess
from blender_meshrec.core.skeletons import H36M17, mirror_indices
from blender_meshrec.methods.hsmr_network import KeypointHsmr, SkelRegression
from scripts.train.calibration.filmed_windows import FilmedWindows, film_joints
from scripts.train.data.skel_labels import SkelLabels, label_poses
from scripts.train.data.skel_samples import SampleIndex, SkelBody, SkelSamples, project
from scripts.train.hsmr_refinement import LIMBS, refine_labels, reprojection_error, skelify_batch

FRAMES = 4
MIRRORED = list(mirror_indices(H36M17))
FLIP = np.array([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def body():
    return SkelBody()


@pytest.fixture(scope="module")
def pool():
    """Four frames of one walker's shape, as windows of one frame."""
    smpl, rng = make_body(load_body()), np.random.default_rng(3)
    quats = np.zeros((30, 24, 4), np.int16)
    quats[..., 0] = 32767
    angles = 0.5 * np.sin(np.arange(30)[:, None] / 5 + np.arange(4))
    for joint, angle in zip((1, 2, 16, 17), angles.T):  # hips and shoulders swing about x
        quats[:, joint, 0], quats[:, joint, 1] = 32767 * np.cos(angle / 2), 32767 * np.sin(angle / 2)
    return film_joints(rng, smpl, [(quats, np.zeros((30, 3)))], 1, FRAMES).flatten_windows()


@pytest.fixture(scope="module")
def labels(pool, body):
    q, max_pve = label_poses(make_body(load_body()), body.skel, pool.rotmats[:, 0].double().numpy(), pool.betas[0].double().numpy())
    return SkelLabels(q.unflatten(0, (2, FRAMES)), max_pve.unflatten(0, (2, FRAMES)))


@pytest.fixture
def samples(pool, labels, body):
    return SkelSamples(pool, labels, body)


def index_of(mirrored):
    return SampleIndex(torch.arange(FRAMES), torch.full((FRAMES,), mirrored))


def test_labels_pose_the_filmed_joints_and_their_mirror_image(samples, labels, body):
    assert labels.is_good.all() and limit_excess(labels.q.flatten(0, 1).double().numpy()).max() < 1e-6
    for mirrored in (0, 1):
        batch = samples.draw(np.random.default_rng(0), index_of(mirrored), noisy=False)
        apart = (body.joints17(batch.q, batch.betas) - batch.joints)[:, LIMBS].norm(dim=-1)
        assert batch.is_labelled.all() and apart.mean() < 0.02  # m


def test_a_mirrored_sample_is_the_mirror_image(samples):
    plain, mirrored = (samples.draw(np.random.default_rng(0), index_of(each)) for each in (0, 1))
    np.testing.assert_allclose(mirrored.joints, plain.joints.numpy()[:, MIRRORED] * FLIP, atol=1e-6)
    np.testing.assert_allclose(mirrored.points, plain.points.numpy()[:, MIRRORED] * FLIP, atol=1e-6)
    np.testing.assert_allclose(mirrored.positions, plain.positions.numpy()[:, MIRRORED] * FLIP[:2], atol=1e-6)
    np.testing.assert_allclose(mirrored.camera, plain.camera.numpy() * [1, -1, 1], atol=1e-6)
    assert (mirrored.q - plain.q).abs().max() > 0.05  # SKEL's own angles, not the same


def test_the_true_camera_projects_the_joints_nearly_where_they_are_seen(samples):
    batch = samples.draw(np.random.default_rng(0), index_of(0), noisy=False)
    assert (project(batch.joints, batch.camera) - batch.positions).abs().mean() < 0.1  # half windows; weak perspective


def test_quick_joints_lie_near_those_of_the_skin(samples, body):
    batch = samples.draw(np.random.default_rng(0), index_of(0))
    apart = (body.quick_joints17(batch.q, batch.betas) - body.joints17(batch.q, batch.betas)).norm(dim=-1)
    assert apart[:, LIMBS].mean() < 0.01  # m


def test_skelify_brings_every_sample_nearer(samples, body):
    batch = samples.draw(np.random.default_rng(0), index_of(0), noisy=False)
    start = SkelRegression(batch.q + torch.randn(FRAMES, 46) * 0.15, batch.betas, batch.camera)
    fitted = skelify_batch(body, batch, start)
    before, after = (reprojection_error(body, each, batch.positions) for each in (start, fitted))
    assert (after < before).all() and limit_excess(fitted.q.double().numpy()).max() < 1e-5


def test_refinement_never_makes_a_label_worse(samples, body):
    torch.manual_seed(0)
    network = KeypointHsmr()
    samples.q[0, 1:] += 0.2 * torch.randn(FRAMES - 1, 46)
    samples.is_labelled[0, 0] = False  # has none yet
    index = index_of(0)

    def errors():
        batch = samples.draw(np.random.default_rng(0), index, noisy=False)
        return reprojection_error(body, SkelRegression(batch.q, batch.betas, batch.camera), batch.positions), batch.q

    before, old = errors()
    report = refine_labels(network, samples, body, index)
    after, new = errors()
    is_changed = (old != new).any(1)
    assert report.fitted == FRAMES and report.kept == int(is_changed.sum())
    assert torch.isfinite(samples.error[0][is_changed]).all()
    assert (samples.error[0][is_changed & torch.tensor([False, *[True] * (FRAMES - 1)])] < before[is_changed & (torch.arange(4) > 0)]).all()
    np.testing.assert_array_equal(after[~is_changed], before[~is_changed])
    # A second refinement keeps only what is better than the first.
    first = samples.error.clone()
    refine_labels(network, samples, body, index)
    assert (samples.error <= first).all()


def test_large_betas_and_far_skins_are_no_labels(pool, labels, body):
    far = SkelLabels(labels.q, labels.max_pve.clone())
    far.max_pve[1, 2] = 0.07
    found = SkelSamples(pool, far, body).is_labelled
    assert not found[1, 2] and found.sum() == 2 * FRAMES - 1
    wide = FilmedWindows(**{**vars(pool), "betas": torch.full_like(pool.betas, 3.5)})
    assert not SkelSamples(wide, labels, body).is_labelled.any()
