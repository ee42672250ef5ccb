"""Skeleton2Mesh's refinement network: its layers, its input, its corrections, and files it refuses."""

import numpy as np
import pytest
import roma
import torch
from safetensors.torch import save_file

from blender_meshrec.bodies.silhouette_rendering import rasterise
from blender_meshrec.core.errors import ModelError
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.methods.silhouette_refinement import (
    END_JOINT_INDICES,
    END_JOINTS,
    NUM_BETAS,
    RefinerConfig,
    ResNet18,
    SilhouetteCrops,
    SilhouetteNetwork,
    apply_end_corrections,
    encode_estimate,
    encode_inputs,
    end_rotmats,
    load_network,
    predict_corrections,
    read_network,
    rotation_to_optical_axis,
)
from scripts.train import silhouettes

torch.set_num_threads(1)
SIDE = 96


def person(count=2, seed=0):
    """betas, rotmats, transl and empty silhouettes in a window around the body."""
    rng = np.random.default_rng(seed)
    rotmats = rotmat_from_rotvec(rng.normal(0, 0.3, (count, 24, 3)))
    rotmats[:, 0] = rotmat_from_rotvec(np.array([np.pi, 0, 0])) @ rotmats[:, 0]
    window = torch.tensor([[-0.35, -0.35, 0.7, 0.7]]).expand(count, 4)
    nothing = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    seen = SilhouetteCrops(nothing, torch.ones_like(nothing), window)
    betas = torch.as_tensor(rng.normal(size=(count, NUM_BETAS)), dtype=torch.float32)
    transl = torch.tensor([[0.05, 0.2, 4.0]]).expand(count, 3)
    return betas, torch.as_tensor(rotmats, dtype=torch.float32), transl, seen


def test_the_features_are_resnet18s():
    network = ResNet18(4, 32)
    main = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size != (1, 1)]
    # Seventeen convolutions and the fully connected layer of the heads are eighteen; strides of 32 in all.
    assert len(main) == 17
    assert [m.out_channels for m in main] == [32] * 5 + [64] * 4 + [128] * 4 + [256] * 4
    assert network.layers[:-2](torch.zeros(1, 4, SIDE, SIDE)).shape == (1, 256, SIDE // 32, SIDE // 32)


def test_four_heads_give_corrections_of_the_right_shapes(surface):
    betas, rotmats, transl, seen = person()
    network = SilhouetteNetwork(RefinerConfig(width=8, head=16)).eval()
    assert len(network.heads) == 4
    corrections = predict_corrections(network, surface, seen, betas, rotmats, transl)
    shapes = {"betas": (2, 10), "ends": (2, 5, 3), "camera": (2, 3), "view": (2, 3), "log_scale_betas": (2, 10), "log_scale_ends": (2, 5)}
    assert {name: tuple(value.shape) for name, value in corrections._asdict().items()} == shapes


def test_the_estimate_is_rendered_in_the_same_window(surface):
    betas, rotmats, transl, seen = person()
    pictures, numbers = encode_inputs(surface, seen, betas, rotmats, transl)
    assert pictures.shape == (2, 4, SIDE, SIDE) and numbers.shape == (2, RefinerConfig().num_inputs)
    assert not pictures[:, 0].any() and pictures[:, 3].all()
    # The estimate is at the window's centre, its skin within about half a metre of its pelvis in depth.
    own = pictures[:, 1] > 0
    assert 0.02 < own.float().mean() < 0.4 and own[:, SIDE // 2 - 8 : SIDE // 2 + 8].any(1)[:, SIDE // 2].all()
    assert (pictures[:, 2][~own] == 0).all() and pictures[:, 2].abs().max() < 2
    # Twice as far in a window half as large looks the same, except for perspective and the implied size.
    far = SilhouetteCrops(seen.silhouettes, seen.inside, seen.windows / 2)
    there, more = encode_inputs(surface, far, betas, rotmats, transl * torch.tensor([1.0, 1, 2]))
    assert ((there[:, 1] > 0) == own).float().mean() > 0.97
    changed = (numbers - more).abs() > 0.02
    assert not changed[:, : -3 - NUM_BETAS][:, 6:].any() and torch.allclose(numbers[:, -3], more[:, -3], atol=0.01)


def test_lines_of_sight_are_rotated_onto_the_axis():
    middle = torch.tensor([[0.3, -0.2], [0.0, 0.0], [-0.5, 0.5]])
    towards = torch.nn.functional.normalize(torch.cat([middle, torch.ones(3, 1)], 1), dim=1)
    turned = rotation_to_optical_axis(middle)
    torch.testing.assert_close((turned @ towards[..., None])[..., 0], torch.tensor([[0.0, 0, 1]]).expand(3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turned), torch.ones(3))
    torch.testing.assert_close(turned[1], torch.eye(3))


def test_corrections_rotate_the_ends_only(surface):
    _betas, rotmats, _transl, _seen = person(seed=3)
    turns = torch.as_tensor(np.random.default_rng(1).normal(0, 0.4, (2, 5, 3)), dtype=torch.float32)
    turned = apply_end_corrections(rotmats, turns)
    others = [joint for joint in range(24) if joint not in END_JOINT_INDICES]
    torch.testing.assert_close(turned[:, others], rotmats[:, others], atol=0, rtol=0)
    torch.testing.assert_close(
        rotmats[:, END_JOINT_INDICES].mT @ turned[:, END_JOINT_INDICES], roma.rotvec_to_rotmat(turns), atol=1e-5, rtol=0
    )
    # The rotation from the estimated to the true ends is the correction that training asks for.
    tree = surface.tree
    wanted = roma.rotmat_to_rotvec(end_rotmats(rotmats, tree).mT @ end_rotmats(turned, tree))
    torch.testing.assert_close(wanted, turns, atol=1e-4, rtol=0)
    assert [SMPL_JOINTS[joint] for joint in END_JOINT_INDICES] == list(END_JOINTS)


def test_a_network_survives_a_file_in_half_precision(tmp_path):
    torch.manual_seed(1)
    network = SilhouetteNetwork().eval()
    save_file({n: v.half() for n, v in network.state_dict().items() if v.is_floating_point()}, tmp_path / "w.safetensors")
    read = read_network(tmp_path / "w.safetensors")
    assert not any(p.requires_grad for p in read.parameters()) and not read.training
    pictures, numbers = torch.rand(1, 4, SIDE, SIDE), torch.rand(1, RefinerConfig().num_inputs)
    with torch.no_grad():
        for own, other in zip(network(pictures, numbers), read(pictures, numbers)):
            torch.testing.assert_close(own, other, atol=5e-3, rtol=0)


@pytest.mark.parametrize("damage", ["a layer less", "another shape", "another network"])
def test_weights_of_another_network_are_refused(tmp_path, damage):
    state = {n: v for n, v in SilhouetteNetwork().state_dict().items() if v.is_floating_point()}
    if damage == "a layer less":
        state.pop("heads.ends.2.bias")
    elif damage == "another shape":
        state["heads.ends.2.bias"] = torch.zeros(7)
    else:
        state = {"layer": torch.zeros(3)}
    save_file({n: v.contiguous() for n, v in state.items()}, tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="not a silhouette network"):
        read_network(tmp_path / "w.safetensors")


@pytest.fixture(scope="module")
def source(shared_mocap):
    return silhouettes.SampleGenerator(shared_mocap, testing=True)


def test_shipped_weights_generalise_to_test_subjects(source):
    sample = source.draw(np.random.default_rng(8), 160)
    with torch.no_grad():
        fractions = silhouettes.correction_loss(load_network(), sample)[1]
    # Errors from one degraded silhouette, as fractions of the uncorrected errors.
    assert fractions["betas"] < 0.96 and fractions["ends"] < 0.92 and fractions["camera"] < 0.75 and fractions["view"] < 0.92


def test_training_samples_are_reproducible_and_need_corrections(source):
    one, other = (source.draw(np.random.default_rng([1, 7]), 6) for _ in range(2))
    for values, same in zip(one, other):
        torch.testing.assert_close(values, same, atol=0, rtol=0)
    assert one.pictures[:, 0].any() and one.pictures[:, 1].any() and torch.isfinite(one.numbers).all()
    assert one.betas.abs().mean() > 0.2 and one.ends.norm(dim=-1).mean() > 0.1  # there is something to correct


def test_the_estimate_is_encoded_in_axes_of_the_line_of_sight():
    """Each rotation's first two columns, betas, the window's height in metres at the person's depth as a log, and its centre."""
    betas, rotmats, _transl, _seen = person(seed=5)
    windows, depth = torch.tensor([[0.1, -0.4, 0.2, 0.6], [-0.5, 0.0, 0.1, 1e-6]]), torch.tensor([3.0, 5.0])
    numbers = encode_estimate(betas, rotmats, depth, windows)
    centre = torch.tensor([[0.2, -0.1], [-0.45, 0.0]])
    root = rotation_to_optical_axis(centre) @ rotmats[:, 0]
    turned = torch.cat([root[:, None], rotmats[:, 1:]], 1)
    columns = torch.stack([turned[:, joint, row, column] for joint in range(24) for row in range(3) for column in (0, 1)], 1)
    size = torch.tensor([[0.6 * 3.0], [1e-3]]).log()
    torch.testing.assert_close(numbers, torch.cat([columns, betas, size, centre], 1), atol=1e-6, rtol=1e-6)


def test_the_relief_is_two_for_each_metre_nearer_than_the_pelvis(surface):
    betas, rotmats, transl, seen = person(1)
    pictures, _ = encode_inputs(surface, seen, betas, rotmats, transl)
    points, joints = surface.pose(betas, rotmats, transl)
    _, nearness = rasterise(points, seen.windows, SIDE)
    own = pictures[0, 1] > 0
    expected = 2 * (joints[0, 0, 2] - 1 / nearness[0][own])
    torch.testing.assert_close(pictures[0, 2][own], expected.clamp(-2, 2), atol=1e-5, rtol=0)
    # The pelvis right before the camera: depths from 0.1 m on count.
    _, numbers = encode_inputs(surface, seen, betas, rotmats, torch.tensor([[0.0, 0, -5.0]]))
    torch.testing.assert_close(numbers[0, -3], torch.tensor(0.7 * 0.1).log())


def test_outputs_near_one_are_scaled_to_corrections():
    network = SilhouetteNetwork(RefinerConfig(width=8, head=16)).eval()
    for head in network.heads.values():
        torch.nn.init.zeros_(head[2].weight)
        torch.nn.init.constant_(head[2].bias, 1.0)
    with torch.no_grad():
        network.heads["shape"][2].bias[NUM_BETAS:] = torch.tensor([-9.0, 9, *[0.5] * 8])
        network.heads["ends"][2].bias.view(5, 4)[:, 3] = torch.tensor([-9.0, 9, 0.5, 0.5, 0.5])
        found = network(torch.zeros(1, 4, SIDE, SIDE), torch.zeros(1, RefinerConfig().num_inputs))
    for values, scale in ((found.betas, 0.7), (found.ends, 0.35), (found.camera, 0.03), (found.view, 0.1)):
        torch.testing.assert_close(values, torch.full_like(values, scale))
    torch.testing.assert_close(found.log_scale_betas[0], torch.tensor([-4.0, 3, *[0.5] * 8]))
    torch.testing.assert_close(found.log_scale_ends[0], torch.tensor([-4.0, 3, 0.5, 0.5, 0.5]))
