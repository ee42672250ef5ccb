"""PC-HMR's two architectures, what they pass on from frame to frame, and the files of its weights."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.records import BodyParams, Estimate, GeneratedMesh, Observations
from blender_meshrec.core.skeletons import COCO17, H36M17
from blender_meshrec.methods import pc_hmr

FRAMES = 5
VISIBLE = np.array([True, True, False, True, False])
CPU = torch.device("cpu")


@pytest.fixture
def streams():
    """Observations, a generator and an estimator that keep what they were given."""
    rng = np.random.default_rng(0)
    observations = Observations("coco17", rng.uniform(size=(FRAMES, 4)), rng.uniform(size=(FRAMES, len(COCO17), 3)), VISIBLE)
    body = BodyParams("open", np.zeros(10), rng.normal(size=(FRAMES, 3)), rng.normal(size=(FRAMES, 69)), np.zeros((FRAMES, 3)))
    mesh = GeneratedMesh(body, rng.uniform(50, 400, (FRAMES, 17, 2)))
    estimate = Estimate(rng.normal(size=(FRAMES, 17, 3)), np.ones((FRAMES, 17)), is_temporal=True, contacts=np.zeros((FRAMES, 4)))
    given = []
    return (
        observations,
        mesh,
        estimate,
        given,
        (lambda *inputs: given.append(inputs) or mesh),
        (lambda *inputs: given.append(inputs) or estimate),
    )


@pytest.mark.parametrize("architecture", [pc_hmr.parallel, pc_hmr.serial])
def test_the_target_is_the_estimators_and_the_mesh_the_generators(streams, architecture):
    observations, mesh, estimate, given, generate, lift = streams
    rest = (np.eye(3), np.arange(FRAMES) / 25, CPU)
    found = architecture(generate, lift)(observations, *rest)
    assert found.body is mesh.body and found.is_temporal
    for name in ("joints", "confidence", "contacts"):
        assert np.array_equal(getattr(found, name), getattr(estimate, name))
    (seen, *first), (lifted, *second) = given
    assert seen is observations and all(a is b for a, b in zip((*first, *second), (*rest, *rest)))
    if architecture is pc_hmr.parallel:
        assert lifted is observations
        return
    # Serial: the mesh's own projected joints are lifted, nothing of the picture, and nothing where nobody is seen.
    assert lifted.keypoint_set == "h36m17" and np.array_equal(lifted.visible, VISIBLE) and np.array_equal(lifted.boxes, observations.boxes)
    np.testing.assert_array_equal(lifted.keypoints[VISIBLE, :, :2], mesh.points[VISIBLE])
    assert (lifted.keypoints[VISIBLE, :, 2] == 1).all() and not lifted.keypoints[~VISIBLE].any()


def test_weights_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(1)
    A = rng.dirichlet(np.ones(16), 7).astype(np.float32)
    W = rng.uniform(size=(7, 16)).astype(np.float32)
    save_file({"A": A, "W": W}, tmp_path / "a.safetensors")
    found = pc_hmr.read_calibration(tmp_path / "a.safetensors")
    np.testing.assert_allclose(found.A.numpy(), A, atol=1e-3)
    np.testing.assert_array_equal(found.W.numpy(), W)
    assert not any(parameter.requires_grad for parameter in found.parameters())
    for wrong in ({"A": A}, {"W": W}, {"A": A, "W": W[:5]}, {"A": A[:, :9], "W": W[:, :9]}, {"A": A[0], "W": W[0]}):
        save_file(wrong, tmp_path / "b.safetensors")
        with pytest.raises(ModelError) as caught:
            pc_hmr.read_calibration(tmp_path / "b.safetensors")
        assert caught.value.name == "pc-hmr-weights-of-another-body"


def test_the_trained_weights_are_for_the_open_body_alone(template, monkeypatch):
    class Other:
        surface_model_type = "smpl"

    asked = []
    weights = np.full((7, 16), 1 / 16), np.zeros((7, 16))
    monkeypatch.setattr(pc_hmr, "initial_weights", lambda body: weights)
    monkeypatch.setattr(pc_hmr.network_file, "load_network", lambda *inputs: asked.append(inputs) or pc_hmr.Calibration(*weights))
    assert len(pc_hmr.load_calibration(Other()).W) == 7 and asked == []
    with pytest.raises(ModelError) as caught:
        pc_hmr.load_calibration(template)
    assert caught.value.name == "pc-hmr-weights-of-another-body" and asked == [(pc_hmr.read_calibration, pc_hmr.WEIGHTS_FILE, "cpu")]


def test_bones_without_length_are_moved_and_not_turned():
    joints = torch.zeros(1, 17, 3)
    target = torch.tensor(np.random.default_rng(2).normal(size=(1, 17, 3)), dtype=torch.float32)
    for source, goal in ((joints, target), (target, joints), (joints, joints)):
        moved = pc_hmr.transform_bones(source, goal)
        torch.testing.assert_close(moved.psi, torch.eye(3).expand(1, 16, 3, 3), atol=1e-6, rtol=0)
        parents, children = ([end[k] for end in pc_hmr.BONES] for k in (0, 1))
        torch.testing.assert_close((moved.psi @ source[:, parents, :, None])[..., 0] + moved.translation, goal[:, parents])
        torch.testing.assert_close((moved.psi @ source[:, children, :, None])[..., 0] + moved.translation + moved.delta, goal[:, children])
    assert len(pc_hmr.BONES) == 16 and {child for _, child in pc_hmr.BONES} == set(range(1, len(H36M17)))
