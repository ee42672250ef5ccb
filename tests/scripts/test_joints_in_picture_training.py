"""Training of the network of joints in the picture: it learns where joints are, and how sure that is."""

import numpy as np
import pytest
import torch

from blender_meshrec.core.cameras import project
from blender_meshrec.core.skeletons import H36M17
from scripts.train import joints_in_picture as training
from scripts.train.data.filmed_bodies.clips import FilmedClip
from scripts.train.data.filmed_bodies.shards import read_shards, write_shard
from tests.support.walk_before_camera import LANDMARK_ROWS, walk_about_hip

INTRINSICS = np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
FRAMES = 60
BESIDE = np.array([0.0, 6.0])  # px, from every keypoint to its joint


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """A walk of which the detector sees every joint too high, by the same much."""
    joints, rows = walk_about_hip(np.arange(FRAMES) / 30), LANDMARK_ROWS
    place = joints + [0.0, 0, 4]
    pixels = project(place, INTRINSICS)
    keypoints = np.concatenate([pixels[:, rows] - BESIDE, np.ones((FRAMES, len(rows), 1))], -1)
    clip = FilmedClip(
        "walk", "nobody", "walk", keypoints, joints[:, rows], np.ones(FRAMES, bool), joints,
        pixels, place[:, 0], INTRINSICS, np.array([320, 240]), np.eye(4), np.zeros(10),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("filmed")
    write_shard(folder / "shard_0000.npz", [clip], 0)
    return read_shards(folder)


@pytest.fixture(scope="module")
def network(shard):
    steps = 250
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "BATCH", 3)
        return training.train(training.draw_batches(shard, steps, seed=1), steps, 1, "cpu")


def test_training_learns_where_joints_are(shard, network):
    numbers = training.evaluate(network, shard)
    assert numbers["joints, mean"] < 0.5 * numbers["keypoints, mean"]
    assert 30 < numbers["within_sigma"] <= 100


def test_the_loss_is_least_for_true_joints_and_their_spread(shard):
    """Joints 5 % of the person's size off: a spread of half of that is better than one ten times as large or small."""
    views = next(training.draw_batches(shard, 1, seed=2))

    class Fixed(torch.nn.Module):
        def __init__(self, spread):
            super().__init__()
            self.spread = spread

        def forward(self, encoded):
            shape = (*encoded.shape[:2], len(H36M17))
            return torch.zeros(*shape, 2), torch.full(shape, float(np.log(self.spread)))

    losses = {spread: training.picture_loss(Fixed(spread), views, "cpu") for spread in (0.005, 0.05, 0.5)}
    error = float(losses[0.05][1])
    best = float(training.picture_loss(Fixed(error / 2), views, "cpu")[0])
    assert 0.02 < error < 0.3
    assert all(best <= float(loss) for loss, _error in losses.values())
