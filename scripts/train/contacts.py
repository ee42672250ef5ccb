"""Train the network of methods/skeleton2mesh.py that tells when heels and toes touch the ground.

    .venv/bin/python -m scripts.train.contacts MOCAP [--steps 2500] [--views 8] [--device cpu]   train, write addon_models/contacts.*
    .venv/bin/python -m scripts.train.contacts MOCAP --evaluate addon_models/contacts.safetensors   measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database, 30 frames per second
on SMPL's tree). Every recording is varied and filmed by a random camera a few times, seen by a detector that errs, and lifted by
the shipped network; from that and the true contacts windows are drawn. Subjects in TEST_SUBJECTS of
scripts/train/data/recordings.py are never trained on.
"""

import argparse
import json
import time

import numpy as np
import torch

from blender_meshrec.core.contacts import contacts_from_probabilities
from blender_meshrec.core.metrics import contact_f1
from blender_meshrec.methods.skeleton2mesh import (
    FPS,
    MIN_CONFIDENCE,
    ContactNetwork,
    contact_features,
    lift_clip,
    load_lifter,
    mirror_joints,
    mirror_points,
    read_contact_network,
)
from scripts.train.command_line import training_parser
from scripts.train.data.camera_views import film_bodies, film_clip
from scripts.train.data.contact_labels import augment_piece, label_contacts, split_into_pieces
from scripts.train.data.motion_clips import Clip, read_clips, split_by_subject
from scripts.train.data.recordings import TEST_SUBJECTS
from scripts.train.optimisation import RunningMean, optimise
from scripts.train.weights_export import export_weights, write_metrics

WINDOW_FRAMES, BATCH = 96, 24  # of a window; windows
LEARNING_RATE, WARM_UP_FRACTION, EMA_DECAY = (
    2e-3,
    0.05,
    0.995,
)  # AdamW's highest; the share of the steps until then; of the weights that are kept
STATIC_CAMERA_FRACTION, DROPOUT_FRACTION = 0.8, 0.5  # share of cameras that do not move, of detectors that lose points


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


def film_scenes(lifter, clips, seed, view, device):
    """Yield each recording's pieces as a varied scene, by name what `contact_features` needs; valid (F,), contacts (F,4) and subject."""
    for number, piece in enumerate(split_into_pieces(clips)):
        rng = np.random.default_rng([seed, view, number])
        points, axes, valid, contacts, step = augment_piece(rng, piece)
        steady, lossy = rng.random() < STATIC_CAMERA_FRACTION, rng.random() < DROPOUT_FRACTION
        views = film_bodies(rng, points[None], axes[None], valid[None], lossy=lossy, steady=steady)
        scene = {"rays": views.rays[0], "confidence": views.confidence[0], "valid": valid, "contacts": contacts}
        # On the network's own clock: the step is told to the network for contacts alone.
        times, detected = np.arange(len(points)) / FPS, float(views.detected[0])
        joints, _told = lift_clip(lifter, scene["rays"], scene["confidence"], times, detected, device)
        yield {**scene, "joints": joints.astype(np.float32), "detected": detected, "step": step, "subject": piece.clip.subject}


def draw_windows(scenes, steps, seed):
    """Yield for every step a batch of windows: rays, confidence, joints, valid, contacts, (B,F,...), detected and step (B,)."""
    lengths, subjects = np.array([len(scene["valid"]) for scene in scenes]), np.array([scene["subject"] for scene in scenes])
    # Performers repeat themselves: each counts less than in proportion to what there is of them.
    chances = lengths * np.array([lengths[subjects == subject].sum() for subject in subjects]) ** -0.3
    chances /= chances.sum()

    def window(scene, begin):
        def cut(name):
            values = scene[name][begin : begin + WINDOW_FRAMES]
            return np.pad(values, [(0, WINDOW_FRAMES - len(values)), *[(0, 0)] * (values.ndim - 1)])

        cuts = (cut(name) for name in ("rays", "confidence", "joints", "valid", "contacts"))
        return (*cuts, np.float32(scene["detected"]), np.float32(scene["step"]))

    for number in range(steps):
        rng = np.random.default_rng([seed, 1, number])
        chosen = rng.choice(len(scenes), BATCH, p=chances)
        drawn = [window(scenes[index], rng.integers(max(1, lengths[index] - WINDOW_FRAMES + 1))) for index in chosen]
        yield [torch.as_tensor(np.stack(values)) for values in zip(*drawn)]


def train(scenes, steps, seed, device):
    """The running mean of the network over a schedule of so many steps."""
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
    return mean.module.eval()


def contact_loss(network, rays, confidence, joints, valid, contacts, detected, step):
    """Binary cross entropy over frames in which something of the person is seen."""
    both = [torch.cat(pair) for pair in zip((rays, confidence), mirror_points(rays, confidence))]
    seen = contact_features(*both, torch.cat([joints, mirror_joints(joints)]), detected.repeat(2), step.repeat(2))
    told = torch.cat(network(seen).chunk(2), -1)
    error = torch.nn.functional.binary_cross_entropy_with_logits(told, contacts.float(), reduction="none").mean(-1)
    present = ((confidence >= MIN_CONFIDENCE).any(-1) & valid).float()
    return (error * present).sum() / present.sum().clamp_min(1)


def evaluate(network: ContactNetwork, clips: list[Clip], device: str = "cpu", cameras: int = 4, seed: int = 7) -> dict[str, float]:
    """Contact F1 of what is told, steadied, by keypoint set: the mean over clips, each filmed whole by a few static random cameras."""
    rows = {"h36m17 clean": ("h36m17", False)} | {f"{name} noisy": (name, True) for name in ("h36m17", "coco17", "halpe26", "blazepose33")}
    lifter, table = load_lifter(device), {}
    for label, (keypoint_set, noisy) in rows.items():
        scores = []
        for number, clip in enumerate(clips):
            rng, true = np.random.default_rng([seed, number]), label_contacts(clip)
            views = film_clip(rng, clip, keypoint_set, cameras, noisy)
            times = np.arange(len(clip.hip)) / FPS
            for rays, confidence, detected in zip(views.rays, views.confidence, views.detected):
                _joints, told = lift_clip(lifter, rays, confidence, times, detected, device, network)
                scores.append(contact_f1(contacts_from_probabilities(told, times)[clip.valid], true[clip.valid]))
        table[label] = round(float(np.nanmean(scores)), 3)
    return table


def export(settings: argparse.Namespace, network: ContactNetwork, training: list[Clip], testing: list[Clip], seconds: float) -> None:
    """Write the weights as fp16 and, beside them, what was trained on and how good they are."""
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
