"""Train the network of methods/lifter/joints_in_picture.py: where joints are that a detector sees beside them, and how sure that is.

    .venv/bin/python -m scripts.train.joints_in_picture FILMED [--steps 3000] [--device cpu]   train, write addon_models/joints_in_picture.*
    .venv/bin/python -m scripts.train.joints_in_picture FILMED --evaluate addon_models/joints_in_picture.safetensors

FILMED is the folder that `scripts.train.data.filmed_bodies` wrote, with its parts `train` and `test`: rendered bodies as the product's own
detector saw them. A joint's error e has the density exp(-|e| / spread) / (2 pi spread^2), whose
tails are heavier than a normal one's, as a detector's are.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17, limb_indices, to_h36m17
from blender_meshrec.methods.lifter.joints_in_picture import PictureNetwork, find_joints, read_picture_network
from blender_meshrec.methods.lifter.lifter_input import MIN_CONFIDENCE, encode_keypoints, turned_points
from scripts.train.data.camera_views import Views
from scripts.train.data.filmed_bodies.detection import clip_times
from scripts.train.data.filmed_bodies.measure import STATURE, observations_of
from scripts.train.data.filmed_bodies.shards import Shard, read_shards
from scripts.train.data.filmed_windows import FilmedWindows
from scripts.train.optimisation import RunningMean, optimise
from scripts.train.weights_export import export_weights, write_metrics

NAME = "joints_in_picture"
WINDOW_FRAMES, BATCH = 81, 24  # frames of a window; windows of a batch
LEARNING_RATE, WEIGHT_DECAY, WARM_UP_FRACTION = 2e-3, 0.05, 0.05  # AdamW's, the highest; of the steps
EMA_DECAY = 0.995  # of the averaged weights
LEAST_ERROR = 1e-3  # of the person's size, below which an error counts squared


def main() -> None:
    """Train or measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filmed", type=Path, help="folder with the parts train and test")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--evaluate", type=Path, metavar="WEIGHTS", help="measure these weights on the test subjects")
    settings = parser.parse_args()
    testing = read_shards(settings.filmed / "test")
    if settings.evaluate:
        print(json.dumps(evaluate(read_picture_network(settings.evaluate), testing), indent=2))
        return
    begun, training = time.perf_counter(), read_shards(settings.filmed / "train")
    network = train(draw_batches(training, settings.steps, settings.seed), settings.steps, settings.seed, settings.device)
    path = export_weights(NAME, network.state_dict(), settings.seed)
    numbers = {
        "steps": settings.steps,
        "windows": f"{BATCH} of {WINDOW_FRAMES} frames",
        "training_clips": len(training),
        "training_frames": len(training.arrays["visible"]),
        "training_hours": round((time.perf_counter() - begun) / 3600, 2),
        "test_clips": len(testing),
        **evaluate(read_picture_network(path), testing),
    }
    write_metrics(NAME, settings.seed, numbers)


def draw_batches(shard: Shard, steps: int, seed: int) -> Iterator[Views]:
    """Yield the windows of every step."""
    windows = FilmedWindows(shard)
    for step in range(steps):
        yield windows.draw(np.random.default_rng([seed, step]), BATCH, WINDOW_FRAMES)


def train(batches: Iterator[Views], steps: int, seed: int, device: str) -> PictureNetwork:
    """Train for `steps` steps; returns the network with averaged weights."""
    torch.manual_seed(seed)
    network = PictureNetwork().to(device)
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY))
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP_FRACTION)
    running = RunningMean()
    for number, views in enumerate(batches):
        loss, error = picture_loss(network, views, device)
        optimise(optimiser, loss, network)
        schedule.step()
        mean.update_parameters(network)
        running.update({"loss": loss.item(), "error": error.item()})
        if (number + 1) % 100 == 0:
            print(f"step {number + 1} {running.text()}", flush=True)
    averaged = mean.module.eval()
    assert isinstance(averaged, PictureNetwork)
    return averaged


def picture_loss(network: PictureNetwork, views: Views, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean negative log likelihood of joints that are seen, up to a constant, and their mean error, of the person's size."""
    assert views.own_3d is not None and views.joint_rays is not None
    rays, confidence, own, true = (
        torch.as_tensor(part).to(device) for part in (views.rays, views.confidence, views.own_3d, views.joint_rays)
    )
    encoded, person = encode_keypoints(rays, confidence, torch.ones(len(rays), device=device), own)
    shifts, log_spreads = network(encoded)
    count = len(H36M17)
    needed = turned_points(person.view, true) - turned_points(person.view, rays[:, :, :count])
    errors = shifts - needed / person.size[..., None]
    distance = (errors.square().sum(-1) + LEAST_ERROR**2).sqrt()
    seen = ((confidence[..., :count] >= MIN_CONFIDENCE) & torch.as_tensor(views.valid).to(device)[..., None]).float()
    total = seen.sum().clamp_min(1)
    return ((distance / log_spreads.exp() + 2 * log_spreads) * seen).sum() / total, (distance.detach() * seen).sum() / total


def evaluate(network: PictureNetwork, shard: Shard) -> dict[str, float]:
    """Errors of limb joints in the picture, % of the body's height there, of the keypoints and of what a network makes of them.

    within_sigma: the share of errors along an axis that are smaller than their standard deviation, %.
    """
    limbs, before, after, within = limb_indices(H36M17), list[FloatArray](), list[FloatArray](), list[FloatArray]()
    for number in range(len(shard)):
        clip = shard.clip(number)
        seen = observations_of(clip)
        joints = find_joints(network, seen, clip.intrinsics, clip_times(len(seen)))
        keypoints = to_h36m17(seen.keypoints, seen.keypoint_set)[:, limbs]
        height = STATURE * clip.intrinsics[0, 0] / clip.hip[:, 2]
        counted = (keypoints[..., 2] >= MIN_CONFIDENCE) & seen.visible[:, None]
        off, left = (points[..., :2] - clip.points[:, limbs] for points in (keypoints, joints[:, limbs]))
        percent = 100 / height[:, None]
        before.append((np.linalg.norm(off, axis=-1) * percent)[counted])
        after.append((np.linalg.norm(left, axis=-1) * percent)[counted])
        within.append((np.abs(left) < joints[:, limbs, 2:])[counted].mean(-1))
    found = {"keypoints": np.concatenate(before), "joints": np.concatenate(after)}
    numbers: dict[str, float] = {}
    for name, values in found.items():
        measures = {"median": np.median(values), "mean": np.mean(values), "90 %": np.percentile(values, 90)}
        numbers |= {f"{name}, {kind}": round(float(value), 2) for kind, value in measures.items()}
    return {**numbers, "within_sigma": round(100 * float(np.concatenate(within).mean()), 1)}


if __name__ == "__main__":
    main()
