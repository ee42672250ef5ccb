"""The lifter's input: features against a slow version."""

import numpy as np
import pytest
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17_PARENTS
from blender_meshrec.methods.lifter.lifter_input import MIN_CONFIDENCE, POINTS, encode_keypoints, moving_average
from tests.support.keypoint_clip import FRAMES, SIZE, TORSO, around, clip


def slow_encoding(rays: FloatArray, confidence: FloatArray, detected: float, own: FloatArray) -> FloatArray:
    usable = (confidence >= MIN_CONFIDENCE).astype(float)
    weight = 0.02 * usable
    weight[:, TORSO] = usable[:, TORSO]
    total, ray = weight.sum(1), (weight[..., None] * rays).sum(1)
    centre = np.zeros((FRAMES, 2))
    for f in range(FRAMES):
        share = total[f] + 1e-3 * around(total, f, 81) + 1e-6 * total.mean()
        centre[f] = (ray[f] + 1e-3 * around(ray, f, 81) + 1e-6 * ray.mean(0)) / max(share, 1e-9)
    view = np.array([around(centre, f, 5) for f in range(FRAMES)])
    turns = rotation_to_optical_axis(torch.as_tensor(view)).numpy()

    def turned(at: FloatArray, f: int) -> FloatArray:
        direction = turns[f] @ [*at, 1.0]
        return direction[:2] / max(direction[2], 0.05)

    offset = np.array([[turned(rays[f, p], f) - turned(centre[f], f) for p in range(len(POINTS))] for f in range(FRAMES)])
    spread = ((offset[:, SIZE] ** 2).sum(-1) * usable[:, SIZE]).sum(1)
    count = usable[:, SIZE].sum(1)
    has_own = own.any((1, 2)).astype(float)
    length = np.array([sum(np.linalg.norm(own[f, j] - own[f, H36M17_PARENTS[j]]) for j in range(1, 17)) for f in range(FRAMES)])
    rows = []
    for f in range(FRAMES):
        size = max(np.sqrt(around(spread, f, 81) / max(around(count, f, 81), 1e-6)), 1e-4)
        frame_size = max(np.sqrt(spread[f] / max(count[f], 1e-6)), 1e-4)
        present = float(usable[f].any())
        points = [[*(np.clip(offset[f, p] / size, -5, 5) * usable[f, p]), confidence[f, p] * usable[f, p]] for p in range(len(POINTS))]
        away = np.clip((centre[f] - around(centre, f, 81)) / size, -5, 5)
        whole = [*view[f], np.log(size) + 2, np.clip(np.log(frame_size / size), -2, 2), *away, present, detected]
        unit = 0.1 * max(around(length, f, 81) / max(around(has_own, f, 81), 1e-6), 0.1)
        own_3d = np.clip(own[f] / unit, -5, 5).ravel()
        rows.append(present * np.array([*np.ravel(points), *whole, *own_3d, has_own[f]]))
    return np.array(rows)


@pytest.mark.parametrize("distance", [4.0, 0.9])
def test_the_lifters_input_is_that_of_a_slow_version(distance: float):
    rays, confidence, joints = clip(1, distance)
    own = 3.0 * (joints - joints[:, :1])
    own[10:15] = 0
    inputs = torch.as_tensor(rays)[None], torch.as_tensor(confidence)[None]
    found, person = encode_keypoints(*inputs, torch.tensor([1.0]), torch.as_tensor(own)[None])
    np.testing.assert_allclose(found[0], slow_encoding(rays, confidence, 1.0, own), atol=1e-5)
    assert person.view.shape == (1, FRAMES, 2) and not found[0, 20:24].any() and found[0, 19].any()
    assert found.dtype == torch.float64


def test_running_means_are_over_the_frames_that_exist():
    values = torch.arange(7.0)[None, :, None] ** 2
    found = moving_average(values, 5)[0, :, 0]
    expected = [np.mean([k**2 for k in range(max(f - 2, 0), min(f + 3, 7))]) for f in range(7)]
    np.testing.assert_allclose(found, expected)
