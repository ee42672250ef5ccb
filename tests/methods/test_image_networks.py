"""The networks of released checkpoints against slow, obvious versions in numpy, and what their answers mean."""

import numpy as np
import pytest
import roma
import torch
from scipy.special import erf

from blender_meshrec.bodies.skel_rotations import representation_from_angles
from blender_meshrec.methods.decomr import ConvBottleneck, Hourglass, warp_features
from blender_meshrec.methods.hmr2 import SmplHead
from blender_meshrec.methods.hsmr_network import SkelHead, joints44
from blender_meshrec.methods.image_networks.resnet50 import Bottleneck, ResNet50
from blender_meshrec.methods.image_networks.token_decoder import TokenDecoder
from blender_meshrec.methods.image_networks.vision_transformer import VisionTransformer
from blender_meshrec.methods.spin import Spin


def randomised(network, scale=0.3, seed=0):
    """The network with random parameters and statistics, in evaluation mode."""
    torch.manual_seed(seed)
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            values.copy_(scale * torch.randn_like(values))
            if name.endswith("running_var"):
                values.abs_().add_(0.5)
    return network.eval().requires_grad_(False)


def numbers_of(network):
    return {name: values.double().numpy() for name, values in network.state_dict().items()}


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def normalised(x, weights, name, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def attention(query, key, value, num_heads):
    """Head by head: (N,C), (M,C), (M,C) to (N,C)."""
    found = []
    for q, k, v in zip(*(np.split(part, num_heads, 1) for part in (query, key, value))):
        scores = np.exp(q @ k.T / np.sqrt(q.shape[1]))
        found.append(scores / scores.sum(1, keepdims=True) @ v)
    return np.concatenate(found, 1)


def test_the_vision_transformer():
    network = randomised(VisionTransformer(dim=24, depth=2, num_heads=3, mlp_ratio=2))
    image = torch.randn(1, 3, 256, 192)
    weights, padded = numbers_of(network), np.pad(image[0].double().numpy(), ((0, 0), (2, 2), (2, 2)))
    kernel = weights["patch_embed.proj.weight"].reshape(24, -1)
    patches = [padded[:, y : y + 16, x : x + 16].ravel() for y in range(0, 241, 16) for x in range(0, 177, 16)]
    assert len(patches) == 192
    tokens = np.array(patches) @ kernel.T + weights["patch_embed.proj.bias"]
    tokens = tokens + weights["pos_embed"][0, 1:] + weights["pos_embed"][0, 0]
    for block in ("blocks.0", "blocks.1"):
        parts = np.split(linear(normalised(tokens, weights, f"{block}.norm1", 1e-6), weights, f"{block}.attn.qkv"), 3, 1)
        tokens = tokens + linear(attention(*parts, 3), weights, f"{block}.attn.proj")
        hidden = gelu(linear(normalised(tokens, weights, f"{block}.norm2", 1e-6), weights, f"{block}.mlp.fc1"))
        tokens = tokens + linear(hidden, weights, f"{block}.mlp.fc2")
    expected = normalised(tokens, weights, "last_norm", 1e-6)
    np.testing.assert_allclose(network(image)[0].numpy(), expected, atol=1e-4)


def test_the_token_decoder():
    network = randomised(TokenDecoder(feature_width=20, width=32, depth=2), scale=0.1)
    features = torch.randn(1, 12, 20)
    weights, known = numbers_of(network), features[0].double().numpy()
    token = weights["to_token_embedding.bias"][None] + weights["pos_embedding"][0]  # the query is the number 0
    for layer in ("transformer.layers.0", "transformer.layers.1"):
        own = np.split(linear(normalised(token, weights, f"{layer}.0.norm", 1e-5), weights, f"{layer}.0.fn.to_qkv"), 3, 1)
        token = token + linear(attention(*own, 8), weights, f"{layer}.0.fn.to_out.0")
        query = linear(normalised(token, weights, f"{layer}.1.norm", 1e-5), weights, f"{layer}.1.fn.to_q")
        key, value = np.split(linear(known, weights, f"{layer}.1.fn.to_kv"), 2, 1)
        token = token + linear(attention(query, key, value, 8), weights, f"{layer}.1.fn.to_out.0")
        hidden = gelu(linear(normalised(token, weights, f"{layer}.2.norm", 1e-5), weights, f"{layer}.2.fn.net.0"))
        token = token + linear(hidden, weights, f"{layer}.2.fn.net.3")
    np.testing.assert_allclose(network(features)[0].numpy(), token[0], atol=1e-4)


def convolved(maps, kernel, stride=1, bias=0.0):
    """Maps (C,H,W) by a kernel (D,C,K,K), pixel by pixel."""
    size = kernel.shape[-1]
    padded = np.pad(maps, ((0, 0), (size // 2,) * 2, (size // 2,) * 2))
    rows, columns = (range(0, length, stride) for length in maps.shape[1:])
    found = [[np.tensordot(kernel, padded[:, y : y + size, x : x + size], 3) for x in columns] for y in rows]
    return np.moveaxis(np.array(found), -1, 0) + np.reshape(bias, (-1, 1, 1))


def batch_normalised(maps, weights, name):
    mean, var, scale, shift = (weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias"))
    return (maps - mean) / np.sqrt(var + 1e-5) * scale + shift


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_of_resnet(stride):
    network = randomised(Bottleneck(6, 2, stride))
    maps = torch.randn(1, 6, 6, 6)
    weights, given = numbers_of(network), maps[0].double().numpy()
    found = np.maximum(batch_normalised(convolved(given, weights["conv1.weight"]), weights, "bn1"), 0)
    found = np.maximum(batch_normalised(convolved(found, weights["conv2.weight"], stride), weights, "bn2"), 0)
    found = batch_normalised(convolved(found, weights["conv3.weight"]), weights, "bn3")
    shortcut = batch_normalised(convolved(given, weights["downsample.0.weight"], stride), weights, "downsample.1")
    np.testing.assert_allclose(network(maps)[0].numpy(), np.maximum(found + shortcut, 0), atol=1e-4)


def test_the_maps_of_resnet_halve_and_their_mean_is_the_feature():
    network = randomised(ResNet50(), scale=0.02)
    images = torch.randn(1, 3, 224, 224)
    maps = network.maps(images)
    assert [tuple(part.shape[1:]) for part in maps] == [(64, 112, 112), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    np.testing.assert_allclose(network(images), maps[-1].mean((2, 3)), rtol=1e-4)


def test_a_block_of_decomr_normalises_by_groups_of_eight():
    network = randomised(ConvBottleneck(4, 32))
    maps = torch.randn(1, 4, 3, 3)
    weights, given = numbers_of(network), maps[0].double().numpy()

    def group_normalised(values, name):
        groups = values.reshape(len(values) // 8, -1)
        groups = (groups - groups.mean(1, keepdims=True)) / np.sqrt(groups.var(1, keepdims=True) + 1e-5)
        return groups.reshape(values.shape) * weights[f"{name}.weight"][:, None, None] + weights[f"{name}.bias"][:, None, None]

    found = given
    for number in "123":
        found = group_normalised(convolved(found, weights[f"conv{number}.weight"], 1, weights[f"conv{number}.bias"]), f"norm{number}")
        if number != "3":
            found = np.maximum(found, 0)
    shortcut = convolved(given, weights["skip_conv.weight"], 1, weights["skip_conv.bias"])
    np.testing.assert_allclose(network(maps)[0].numpy(), np.maximum(found + shortcut, 0), atol=1e-4)


def test_an_hourglass_adds_what_it_finds_below_to_its_input():
    network = randomised(Hourglass(16, 2))
    maps = torch.randn(2, 16, 8, 8)
    below = network.down_layers[0](maps)
    below = network.up_layers[1](network.down_layers[1](below)) + below
    torch.testing.assert_close(network(maps), network.norm(network.up_layers[0](below) + maps))


def test_features_go_to_the_texels_that_their_pixels_show():
    rng = np.random.default_rng(0)
    iuv, features = rng.uniform(size=(2, 3, 5, 7)).astype(np.float32), rng.normal(size=(2, 4, 5, 7)).astype(np.float32)
    size = 6
    expected = np.zeros((2, 7, size, size))
    for image in range(2):
        lists = {}
        for y in range(5):
            for x in range(7):
                if iuv[image, 0, y, x] > 0.5:
                    u, v = (round(float(value) * (size - 1)) for value in iuv[image, 1:, y, x])
                    lists.setdefault((v, u), []).append([*features[image, :, y, x], 2 * x / 6 - 1, 2 * y / 4 - 1])
        for (v, u), entries in lists.items():
            expected[image, :6, v, u], expected[image, 6, v, u] = np.mean(entries, 0), 1
    found = warp_features(torch.as_tensor(iuv), torch.as_tensor(features), size)
    np.testing.assert_allclose(found, expected, atol=1e-5)


# --- answers ---


def start_with(network, **buffers):
    """The network with zero weights and these starts, which are then its answers."""
    for values in network.state_dict().values():
        values.zero_()
    for name, values in buffers.items():
        getattr(network, name).copy_(torch.as_tensor(values, dtype=torch.float32))
    return network.eval().requires_grad_(False)


@pytest.fixture
def rotmats():
    torch.manual_seed(1)
    return roma.random_rotmat(24)


def test_hmr2_stores_a_rotation_as_two_columns_one_after_the_other(rotmats):
    columns = torch.cat([3 * rotmats[:, :, 0], rotmats[:, :, 1] + rotmats[:, :, 0]], 1)  # lengths and skew are no matter
    head = start_with(SmplHead(8), init_body_pose=columns.reshape(1, 144), init_betas=np.arange(10)[None], init_cam=[[0.9, 0.1, -0.2]])
    found = head(torch.zeros(2, 192, 8))
    torch.testing.assert_close(found.rotmats, rotmats.expand(2, -1, -1, -1), atol=1e-5, rtol=0)
    assert found.betas[1].tolist() == list(range(10)) and found.camera[0].tolist() == pytest.approx([0.9, 0.1, -0.2])


def test_spin_stores_a_rotation_as_two_columns_interleaved(rotmats):
    network = start_with(Spin(), init_pose=rotmats[:, :, :2].reshape(1, 144), init_shape=np.arange(10)[None], init_cam=[[0.9, 0.1, -0.2]])
    found = network.regress(torch.zeros(1, 2048))
    torch.testing.assert_close(found.rotmats[0], rotmats, atol=1e-5, rtol=0)
    assert found.betas[0].tolist() == list(range(10))


def test_spin_corrects_its_answer_three_times():
    network = start_with(Spin())
    network.deccam.bias[:] = torch.tensor([0.1, 0.2, 0.3])
    assert network.regress(torch.zeros(1, 2048)).camera[0].tolist() == pytest.approx([0.3, 0.6, 0.9])


@pytest.mark.parametrize("width", [88, 144])
def test_hsmr_gives_skels_angles_in_both_widths(width):
    q = torch.as_tensor(np.random.default_rng(0).uniform(-0.7, 0.7, (1, 46)))
    head = start_with(SkelHead(8, width), init_poses=representation_from_angles(q, width).float())
    torch.testing.assert_close(head(torch.zeros(1, 192, 8)).q, q.float(), atol=1e-5, rtol=0)


def test_the_44_points_are_openposes_and_those_of_the_regressor():
    joints, vertices = torch.zeros(1, 24, 3), torch.zeros(1, 6890, 3)
    joints[0, :, 0], vertices[0, :, 1] = torch.arange(24), torch.arange(6890)
    extra = np.zeros((19, 6890))
    extra[np.arange(19), np.arange(19) * 10] = 1
    points = joints44(joints, vertices, extra)[0]
    assert points.shape == (44, 3)
    # OpenPose's nose and big toe, heel are vertices; right knee and left wrist are SKEL's tibia_r (2) and hand_l (23).
    assert points[0].tolist() == [0, 332, 0] and points[19].tolist() == [0, 3216, 0] and points[24].tolist() == [0, 6787, 0]
    assert points[10, 0] == 2 and points[7, 0] == 23 and points[8, 0] == 0
    assert points[25:, 1].tolist() == list(range(0, 190, 10))
    regressor = np.zeros((24, 6890))
    regressor[5, 77] = 1  # SMPL's right knee
    assert joints44(joints, vertices, extra, regressor)[0, 10].tolist() == [0, 77, 0]
