"""Train the contact network of methods/skeleton2mesh.py, which predicts ground contact of heels and toes.

    .venv/bin/python -m scripts.train.contacts MOCAP [--steps 2500] [--views 8] [--device cpu]   train, write addon_models/contacts.*
    .venv/bin/python -m scripts.train.contacts MOCAP --evaluate addon_models/contacts.safetensors   measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database, 30 frames per second
on SMPL's kinematic tree). Every recording is augmented and filmed by a random camera several times, with simulated detector noise, and
lifted by the shipped network. Training windows are drawn from the results, with the true contacts as labels. TEST_SUBJECTS of
scripts/train/data/recordings.py are not used for training.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from blender_meshrec.core.array_types import AnyArray, BoolArray, FloatArray
from blender_meshrec.core.contacts import contacts_from_probabilities
from blender_meshrec.core.metrics import contact_f1
from blender_meshrec.methods.lifter.even_times import FPS
from blender_meshrec.methods.lifter.foot_contacts import ContactNetwork, contact_features, read_contact_network
from blender_meshrec.methods.lifter.lifter_input import MIN_CONFIDENCE, mirror_joints, mirror_points
from blender_meshrec.methods.skeleton2mesh import Lifter, lift_clip, load_lifter
from scripts.train.command_line import training_parser
from scripts.train.data.camera_views import film_bodies, film_clip
from scripts.train.data.contact_labels import augment_piece, label_contacts, split_into_pieces
from scripts.train.data.motion_clips import Clip, read_clips, split_by_subject
from scripts.train.data.recordings import TEST_SUBJECTS
from scripts.train.optimisation import RunningMean, optimise
from scripts.train.weights_export import export_weights, write_metrics

WINDOW_FRAMES, BATCH = 96, 24  # frames of a window; windows of a batch
LEARNING_RATE = 2e-3  # the highest of AdamW
WARM_UP_FRACTION = 0.05  # of the steps
EMA_DECAY = 0.995  # of the averaged weights
STATIC_CAMERA_FRACTION, DROPOUT_FRACTION = 0.8, 0.5  # of cameras that do not move; of detectors that lose points


@dataclass(frozen=True)
class Scene:
    """A filmed and lifted piece of F frames.

    rays (F,23,2) and confidence (F,23) of the points, joints (F,17,3) as lifted, valid (F,), contacts (F,4). detected: 1.0 if the points
    are a detector's. step: time between frames, s. subject: the performer.
    """

    rays: FloatArray
    confidence: FloatArray
    joints: FloatArray
    valid: BoolArray
    contacts: BoolArray
    detected: float
    step: float
    subject: str


def main() -> None:
    parser = training_parser(__doc__, 2500, ("--device", "--evaluate"))
    parser.add_argument("--views", type=int, default=8, help="how often each recording is filmed")
    settings = parser.parse_args()
    training, testing = split_by_subject(read_clips(settings.mocap))
    if settings.evaluate:
        print(json.dumps(evaluate(read_contact_network(settings.evaluate).to(settings.device), testing, settings.device), indent=2))
        return
    begun = time.perf_counter()
    lifter = load_lifter(settings.device)
    scenes = [scene for view in range(settings.views) for scene in film_scenes(lifter, training, settings.seed, view, settings.device)]
    network = train(scenes, settings.steps, settings.seed, settings.device)
    export(settings, network, training, testing, time.perf_counter() - begun)


def film_scenes(lifter: Lifter, clips: Sequence[Clip], seed: int, view: int, device: str) -> Iterator[Scene]:
    """Yield a Scene for each piece of the recordings, augmented and filmed by the random camera number `view`."""
    for number, piece in enumerate(split_into_pieces(clips)):
        rng = np.random.default_rng([seed, view, number])
        augmented = augment_piece(rng, piece)
        static, lossy = rng.random() < STATIC_CAMERA_FRACTION, rng.random() < DROPOUT_FRACTION
        views = film_bodies(rng, augmented.points[None], augmented.axes[None], augmented.valid[None], lossy=lossy, static=static)
        # Lifted at the lifter's own frame rate; only the contact network gets the time step as an input.
        times = np.arange(len(augmented.points)) / FPS
        joints = lift_clip(lifter, views.rays[0], views.confidence[0], times, bool(views.detected[0]), device).joints
        yield Scene(
            rays=views.rays[0],
            confidence=views.confidence[0],
            joints=joints.astype(np.float32),
            valid=augmented.valid,
            contacts=augmented.contacts,
            detected=float(views.detected[0]),
            step=augmented.time_step,
            subject=piece.clip.subject,
        )


def draw_windows(scenes: Sequence[Scene], steps: int, seed: int) -> Iterator[list[torch.Tensor]]:
    """Yield a batch of windows for every step: rays, confidence, joints, valid, contacts, (B,F,...), detected and step (B,)."""
    lengths, subjects = np.array([len(scene.valid) for scene in scenes]), np.array([scene.subject for scene in scenes])
    # Performers repeat themselves: the probability of a performer grows less than the length of their recordings.
    probabilities = lengths * np.array([lengths[subjects == subject].sum() for subject in subjects]) ** -0.3
    probabilities /= probabilities.sum()
    for number in range(steps):
        rng = np.random.default_rng([seed, 1, number])
        chosen = rng.choice(len(scenes), BATCH, p=probabilities)
        drawn = [cut_window(scenes[index], int(rng.integers(max(1, lengths[index] - WINDOW_FRAMES + 1)))) for index in chosen]
        yield [torch.as_tensor(np.stack(values)) for values in zip(*drawn)]


def cut_window(scene: Scene, begin: int) -> tuple[AnyArray | np.float32, ...]:
    """A window of a scene from a frame on, padded with zeros: rays, confidence, joints, valid, contacts, detected and step."""

    def cut(values: AnyArray) -> AnyArray:
        part = values[begin : begin + WINDOW_FRAMES]
        return np.pad(part, [(0, WINDOW_FRAMES - len(part)), *[(0, 0)] * (part.ndim - 1)])

    arrays = (cut(values) for values in (scene.rays, scene.confidence, scene.joints, scene.valid, scene.contacts))
    return (*arrays, np.float32(scene.detected), np.float32(scene.step))


def train(scenes: Sequence[Scene], steps: int, seed: int, device: str) -> ContactNetwork:
    """Train for `steps` steps; returns the network with averaged weights."""
    torch.manual_seed(seed)
    network = ContactNetwork().to(device)
    mean = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(EMA_DECAY))
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP_FRACTION)
    running = RunningMean()
    for number, batch in enumerate(draw_windows(scenes, steps, seed)):
        loss = contact_loss(network, *(values.to(device) for values in batch))
        optimise(optimiser, loss, network)
        schedule.step()
        mean.update_parameters(network)
        running.update({"loss": loss.item()})
        if (number + 1) % 100 == 0:
            print(f"step {number + 1} {running.text()}", flush=True)
    averaged = mean.module.eval()
    assert isinstance(averaged, ContactNetwork)
    return averaged


def contact_loss(
    network: ContactNetwork,
    rays: torch.Tensor,
    confidence: torch.Tensor,
    joints: torch.Tensor,
    valid: torch.Tensor,
    contacts: torch.Tensor,
    detected: torch.Tensor,
    step: torch.Tensor,
) -> torch.Tensor:
    """Mean binary cross entropy over the frames with at least one visible point; the arguments are those of `draw_windows`."""
    mirrored_rays, mirrored_confidence = mirror_points(rays, confidence)
    features = contact_features(
        torch.cat([rays, mirrored_rays]),
        torch.cat([confidence, mirrored_confidence]),
        torch.cat([joints, mirror_joints(joints)]),
        detected.repeat(2),
        step.repeat(2),
    )
    logits = torch.cat(network(features).chunk(2), -1)
    error = torch.nn.functional.binary_cross_entropy_with_logits(logits, contacts.float(), reduction="none").mean(-1)
    present = ((confidence >= MIN_CONFIDENCE).any(-1) & valid).float()
    return (error * present).sum() / present.sum().clamp_min(1)


def evaluate(network: ContactNetwork, clips: list[Clip], device: str = "cpu", cameras: int = 4, seed: int = 7) -> dict[str, float]:
    """Contact F1 of the smoothed predictions by keypoint set: the mean over clips, each filmed whole by some random static cameras."""
    rows = {"h36m17 clean": ("h36m17", False)} | {f"{name} noisy": (name, True) for name in ("h36m17", "coco17", "halpe26", "blazepose33")}
    lifter = load_lifter(device)
    table: dict[str, float] = {}
    for label, (keypoint_set, noisy) in rows.items():
        scores: list[float] = []
        for number, clip in enumerate(clips):
            rng, true = np.random.default_rng([seed, number]), label_contacts(clip)
            views = film_clip(rng, clip, keypoint_set, cameras, noisy)
            times = np.arange(len(clip.hip)) / FPS
            for rays, confidence, detected in zip(views.rays, views.confidence, views.detected):
                probabilities = lift_clip(lifter, rays, confidence, times, detected, device, network).contacts
                assert probabilities is not None
                scores.append(contact_f1(contacts_from_probabilities(probabilities, times)[clip.valid], true[clip.valid]))
        table[label] = round(float(np.nanmean(scores)), 3)
    return table


def export(settings: argparse.Namespace, network: ContactNetwork, training: list[Clip], testing: list[Clip], seconds: float) -> None:
    """Write the weights as fp16, and the metrics file."""
    path = export_weights("contacts", network.state_dict(), settings.seed)
    numbers = {
        "steps": settings.steps,
        "windows": f"{BATCH} of {WINDOW_FRAMES} frames, of each recording filmed {settings.views} times",
        "training_hours": round(seconds / 3600, 2),
        "training_subjects": sorted({clip.subject for clip in training}),
        "test_subjects": list(TEST_SUBJECTS),
        "test_clips": len(testing),
        "contact_f1": evaluate(read_contact_network(path).to(settings.device), testing, settings.device),
    }
    write_metrics("contacts", settings.seed, numbers)


if __name__ == "__main__":
    main()
