"""VideoPose3D: which frames a result sees, against a slow version in numpy, and the keypoints that it takes."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.errors import InputError
from blender_meshrec.core.skeletons import COCO17, H36M17, KEYPOINT_SETS
from blender_meshrec.methods import videopose3d
from blender_meshrec.methods.videopose3d import VideoPose3D, input_points, lift, lift_clip, normalise_points
from tests.methods.test_image_networks import numbers_of, randomised


def make(num_layers=3, causal=False, channels=6, **options):
    return randomised(VideoPose3D(num_layers, causal=causal, channels=channels, **options))


def slow_forward(weights, points, num_layers, causal):
    """Joints of points (F,34), convolution by convolution and frame by frame."""

    def normalised(values, name):
        mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
        return np.maximum((values - mean) / np.sqrt(var + 1e-5) * weights[f"{name}.weight"] + weights[f"{name}.bias"], 0)

    def convolved(values, kernel, dilation):
        frames = len(values) - 2 * dilation
        return np.array([sum(kernel[:, :, tap] @ values[frame + tap * dilation] for tap in range(3)) for frame in range(frames)])

    found = normalised(convolved(points, weights["expand_conv.weight"], 1), "expand_bn")
    for level in range(1, num_layers):
        dilation, layer = 3**level, 2 * (level - 1)
        shortcut = found[2 * dilation :] if causal else found[dilation:-dilation]
        found = normalised(convolved(found, weights[f"layers_conv.{layer}.weight"], dilation), f"layers_bn.{layer}")
        found = shortcut + normalised(found @ weights[f"layers_conv.{layer + 1}.weight"][:, :, 0].T, f"layers_bn.{layer + 1}")
    return found @ weights["shrink.weight"][:, :, 0].T + weights["shrink.bias"]


@pytest.mark.parametrize("causal", [False, True])
def test_the_network_against_a_slow_version(causal):
    network = make(causal=causal)
    points = torch.randn(1, 40, 17, 2)
    expected = slow_forward(numbers_of(network), points[0].flatten(1).double().numpy(), 3, causal)
    np.testing.assert_allclose(network(points)[0].flatten(1).numpy(), expected, atol=1e-4)
    assert make(num_outputs=1)(points).shape == (1, 14, 1, 3)


@pytest.mark.parametrize("causal, first, last", [(False, -13, 13), (True, -26, 0)])
def test_a_result_sees_27_frames(causal, first, last):
    network, points = make(causal=causal), torch.randn(80, 17, 2)
    plain = lift(network, points)
    assert len(plain) == 80 and network.num_frames == 27
    changed = points.clone()
    changed[40] += 1
    rows = np.flatnonzero((lift(network, changed) - plain).abs().amax((1, 2)) > 1e-6)
    assert rows.min() == 40 - last and rows.max() == 40 - first


def test_chunks_are_as_one(monkeypatch):
    network, points = make(), torch.randn(70, 17, 2)
    whole = lift(network, points)
    monkeypatch.setattr(videopose3d, "CHUNK_FRAMES", 16)
    torch.testing.assert_close(lift(network, points), whole)


def test_a_mirrored_clip_gives_mirrored_joints():
    network, points = make(), np.random.default_rng(0).normal(size=(20, 17, 2))
    mirror_in, mirror_out = (videopose3d.mirror_indices(names) for names in (COCO17, H36M17))
    found = lift_clip(network, points, COCO17)
    mirrored = lift_clip(network, points[:, mirror_in] * [-1, 1], COCO17)
    np.testing.assert_allclose(mirrored, found[:, mirror_out] * [-1, 1, 1], atol=1e-5)
    assert not found[:, 0].any()


def test_points_are_normalised_by_the_width():
    found = normalise_points(np.array([[0, 0], [1920, 1080], [960, 540.0]]), (1920, 1080))
    np.testing.assert_allclose(found, [[-1, -0.5625], [1, 0.5625], [0, 0]])


def test_the_keypoints_that_a_checkpoint_takes():
    names = KEYPOINT_SETS["blazepose33"].points
    keypoints = np.zeros((3, 33, 3))
    keypoints[..., 0] = np.arange(33)
    keypoints[2, :, 0] += 10
    keypoints[1] = 999  # nobody is there
    found = input_points(keypoints, "blazepose33", COCO17, np.array([True, False, True]))
    assert found[0, :, 0].tolist() == [names.index(name) for name in COCO17]
    np.testing.assert_allclose(found[1], found[0] + [5, 0])
    hip = input_points(keypoints, "blazepose33", H36M17, np.array([True, False, True]))[0, 0, 0]
    assert hip == (names.index("left_hip") + names.index("right_hip")) / 2
    with pytest.raises(InputError, match="left eye"):
        input_points(np.zeros((1, 17, 3)), "h36m17", COCO17, np.array([True]))
