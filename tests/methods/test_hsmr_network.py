"""HSMR's network on keypoints: its angles, limits and invariances; the points of the paper's losses."""

import numpy as np
import pytest
import torch

from blender_meshrec.backend.lifting import image_methods, keypoint_hsmr
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.skel_rotations import RELEASED_WIDTH, WIDTH, representation_from_angles, turned_pelvis
from blender_meshrec.core.cameras import default_intrinsics, project
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.records import Observations
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import DOF_LIMITS, limit_excess
from blender_meshrec.core.skeletons import H36M17, limb_indices
from blender_meshrec.methods.hsmr_network import KeypointHsmr, KeypointHsmrConfig, joints44, limited_angles, read_keypoint_hsmr
from tests.support.synthetic_gait import walk

SIZE, FRAMES = (1280, 720), 24
INTRINSICS = default_intrinsics(SIZE)
TIMES = np.arange(FRAMES) / 30
CPU = torch.device("cpu")
LIMBS = limb_indices(H36M17)


@pytest.fixture(scope="module")
def joints():
    """A walker of h36m17 in camera axes, 4 m away, (F,17,3) m."""
    world = walk(TIMES, turn=0.6).h36m17
    world = world - world[:, :1]
    return np.stack([world[..., 0], -world[..., 2], world[..., 1]], -1) + [0.2, 0.1, 4.0]


def observed(joints, visible=None):
    keypoints = np.concatenate([project(joints, INTRINSICS), np.ones((len(joints), 17, 1))], -1)
    visible = np.ones(len(joints), bool) if visible is None else visible
    boxes = np.concatenate([keypoints[..., :2].min(1), keypoints[..., :2].max(1)], 1)
    return Observations("h36m17", boxes, keypoints * visible[:, None, None], visible)


def angles_within_limits(count):
    low, high = np.where(np.isfinite(DOF_LIMITS), DOF_LIMITS, [-1.0, 1.0]).T
    q = np.random.default_rng(0).uniform(low, high, (count, len(low)))
    return torch.as_tensor(q)


@pytest.mark.parametrize("width", [WIDTH, RELEASED_WIDTH])
def test_angles_within_limits_survive_the_representation(width):
    q = angles_within_limits(200)
    torch.testing.assert_close(limited_angles(representation_from_angles(q, width)), q, atol=1e-6, rtol=0)


@pytest.mark.parametrize("width", [WIDTH, RELEASED_WIDTH])
def test_no_output_exceeds_a_limit(width):
    torch.manual_seed(0)
    found = limited_angles(4 * torch.randn(500, width))
    assert limit_excess(found.double().numpy()).max() < 1e-6  # rad; single precision
    network = KeypointHsmr(KeypointHsmrConfig(pose_width=width)).eval()
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            values.uniform_(0.5, 1) if name.endswith("running_var") else values.normal_(std=0.3)
    with torch.no_grad():
        q = network(torch.randn(20, 17, 3), torch.zeros(20, 48, 48)).q
    assert q.shape == (20, 46) and limit_excess(q.double().numpy()).max() < 1e-6


def test_a_turned_body_has_turned_joints():
    skel = Skel(load_skel(), dtype=torch.float64)
    q, betas = angles_within_limits(5), torch.zeros(1, 10, dtype=torch.float64)
    turn = torch.tensor([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]], dtype=torch.float64)
    frame = torch.as_tensor(skel.template.bone_frames(np.zeros(10))[0])
    before, after = (skel.joints(each, betas) for each in (q, turned_pelvis(q, turn, frame)))
    torch.testing.assert_close(after - after[:, :1], (before - before[:, :1]) @ turn.T, atol=1e-9, rtol=0)


def test_the_weights_that_ship_regress_a_walker(joints):
    estimate = keypoint_hsmr.estimate_with_hsmr(observed(joints), INTRINSICS, TIMES, CPU)
    assert pa_mpjpe(estimate.joints[:, LIMBS], joints[:, LIMBS]) < 80  # mm
    assert estimate.q is not None and limit_excess(np.asarray(estimate.q, float)).max() < 1e-6
    # Its angles pose the joints that it gives: they stand in the camera's axes.
    posed, _ = keypoint_hsmr.joints_and_rotations(torch.as_tensor(np.array(estimate.q)), torch.zeros(10), CPU)
    assert np.linalg.norm(posed.numpy() - estimate.joints, axis=-1).max() < 0.25  # m: of another shape
    # SMPL's rotations are those of its bones: the left knee bends as much.
    knee = np.asarray(estimate.rotmats)[:, 4]
    bend = np.arccos(np.clip((np.trace(knee, axis1=1, axis2=2) - 1) / 2, -1, 1))
    np.testing.assert_allclose(bend, np.abs(np.asarray(estimate.q)[:, 13]), atol=np.radians(15))


def test_frames_without_the_person_are_zero(joints):
    for visible in (np.arange(FRAMES) % 3 > 0, np.zeros(FRAMES, bool)):
        estimate = keypoint_hsmr.estimate_with_hsmr(observed(joints, visible), INTRINSICS, TIMES, CPU)
        assert np.isfinite(estimate.joints).all() and not np.asarray(estimate.q)[~visible].any()
        np.testing.assert_array_equal(np.asarray(estimate.rotmats)[~visible], np.broadcast_to(np.eye(3), ((~visible).sum(), 24, 3, 3)))


def test_a_released_checkpoint_is_used_where_there_is_one(monkeypatch, tmp_path):
    monkeypatch.setattr(image_methods, "user_checkpoints", dict)
    assert not image_methods.is_image_method("hsmr") and image_methods.is_image_method("hmr2")
    monkeypatch.setattr(image_methods, "user_checkpoints", lambda: {"mine": (tmp_path, "hsmr")})
    assert image_methods.is_image_method("hsmr") and not image_methods.is_image_method("skeleton2mesh")


def test_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(ModelError):
        read_keypoint_hsmr(tmp_path / "nothing.safetensors")


def test_the_44_points_are_exact_with_any_regressor():
    """Rows that do not sum to one, of both signs, as no body has them: sums over thousands of metres."""
    rng = np.random.default_rng(0)
    vertices, joints = rng.normal(size=(2, 6890, 3)).astype(np.float32), rng.normal(size=(2, 24, 3)).astype(np.float32)
    extra, smpl = rng.normal(size=(19, 6890)).astype(np.float32), rng.normal(size=(24, 6890)).astype(np.float32)
    points = joints44(torch.as_tensor(joints), torch.as_tensor(vertices), extra, smpl).numpy()
    expected = np.einsum("jv,bvc->bjc", extra.astype(float), vertices.astype(float))
    np.testing.assert_allclose(points[:, 25:], expected, atol=2e-5)
    hip = np.einsum("v,bvc->bc", smpl[0].astype(float), vertices.astype(float))
    np.testing.assert_allclose(points[:, 8], hip, atol=2e-5)
