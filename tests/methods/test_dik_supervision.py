"""The network of rotations: whatever it predicts, joints stay in place; invariances, chunks, and the accuracy of the shipped weights."""

import numpy as np
import pytest
import roma
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, smpl_tree
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods import dik_supervision
from blender_meshrec.methods.dik_supervision import (
    RotationNetwork,
    apply_network_twists,
    joints_in_pelvis_frame,
    load_network,
    read_network,
)
from scripts.train import rotations

FRAMES = 40
INDEX = {name: index for index, name in enumerate(SMPL_JOINTS)}


@pytest.fixture(scope="module")
def network():
    """A network with random outputs."""
    torch.manual_seed(0)
    network = RotationNetwork()
    torch.nn.init.normal_(network.leave.weight, std=0.2)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def posed():
    """Local rotations (F,24,3,3), joints (F,24,3) and rest joints (24,3)."""
    rng = np.random.default_rng(0)
    rest = torch.as_tensor(load_body().rest_joints(np.zeros(10)), dtype=torch.float32)
    rotmats = torch.as_tensor(rotmat_from_rotvec(rng.normal(0, 0.4, (FRAMES, 24, 3))), dtype=torch.float32)
    return rotmats, forward_kinematics(rotmats, rest[None], smpl_tree())[0], rest


def joints_of(rotmats, rest):
    return forward_kinematics(rotmats, rest[None], smpl_tree())


def test_joints_stay_except_tips_of_unobserved_ends(network, posed):
    rotmats, joints, rest = posed
    turned = apply_network_twists(rotmats, joints, rest, network=network)
    kept = [index for name, index in INDEX.items() if not name.endswith(("_foot", "_hand"))]
    assert (joints_of(turned, rest)[0] - joints)[:, kept].abs().max() < 1e-5  # m
    assert (turned - rotmats).abs().max() > 0.1
    assert (turned @ turned.mT - torch.eye(3)).abs().max() < 1e-5


def test_observed_ends_keep_their_position_and_rotation(network, posed):
    rotmats, joints, rest = posed
    known = np.ones((FRAMES, 5))
    known[::2] = 0
    turned = apply_network_twists(rotmats, joints, rest, known, network)
    after, world = joints_of(turned, rest)
    _, before = joints_of(rotmats, rest)
    ends = [INDEX[name] for name in ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")]
    assert (world - before)[1::2][:, ends].abs().max() < 1e-5 and (after - joints)[1::2].abs().max() < 1e-5
    assert (world - before)[::2][:, ends[1:]].abs().max() > 0.1
    seen, guessed, halfway = (
        joints_of(apply_network_twists(rotmats, joints, rest, np.full((FRAMES, 5), k), network), rest)[1] for k in (1.0, 0.0, 0.5)
    )
    angles = [roma.rotmat_geodesic_distance(halfway[:, ends[1:]], side[:, ends[1:]]) for side in (seen, guessed)]
    assert (angles[0] - angles[1]).abs().max() < 1e-3 and angles[0].max() > 0.05


def test_input_is_invariant_to_position_heading_and_size(posed):
    rotmats, joints, _ = posed
    turn = torch.as_tensor(rotmat_from_rotvec([0.4, 2.0, -0.3]), dtype=torch.float32)
    plain = joints_in_pelvis_frame(joints, rotmats[:, 0])
    moved = joints_in_pelvis_frame(1.3 * joints @ turn.T + torch.tensor([1.0, 2, 3]), turn @ rotmats[:, 0])
    assert (plain - moved).abs().max() < 1e-4


def test_chunks_of_a_clip_give_the_same_result(network, posed, monkeypatch):
    rotmats, joints, _ = posed
    seen = joints_in_pelvis_frame(joints, rotmats[:, 0])
    whole = dik_supervision._run_in_chunks(network, seen)
    monkeypatch.setattr(dik_supervision, "CHUNK_FRAMES", 9)
    assert (dik_supervision._run_in_chunks(network, seen) - whole).abs().max() < 1e-4


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"leave.weight": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="not a network"):
        read_network(tmp_path / "a.safetensors")


def test_shipped_weights_are_more_accurate_than_dik_alone(shared_mocap):
    """On subjects it was not trained on, with a lifter's errors; addon_models/rotations.metrics.json has all numbers."""
    stage = rotations.NoisySkeleton()
    clips = [clip[:90] for clip in rotations.read_rotation_clips(shared_mocap, True)][::6]
    report = rotations.evaluate(stage, load_network(), clips)
    before, after = (report[f"a lifter's joints, {name}"] for name in ("DIK", "network"))
    for number in ("upper_limbs_deg", "lower_limbs_deg", "ends_deg", "tremble"):
        assert after[number] < before[number], number


def test_a_frame_depends_on_as_many_frames_as_the_network_says(network):
    joints = torch.as_tensor(np.random.default_rng(0).normal(size=(1, 60, 15, 3)), dtype=torch.float32)
    radius = network.config.receptive_radius
    for away, changes in ((radius, True), (radius + 1, False)):
        moved = joints.clone()
        moved[0, 30 + away] += 5
        assert bool((network(moved)[0, 30] - network(joints)[0, 30]).abs().max() > 1e-5) == changes
