"""Train the lifting network of methods/skeleton2mesh.py on motion capture filmed by random cameras.

    .venv/bin/python -m scripts.train.lifter MOCAP --state STATE.pt [--steps 20000] [--device cpu]   train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.lifter MOCAP --state STATE.pt --export                         write addon_models/lifter.*
    .venv/bin/python -m scripts.train.lifter MOCAP --unsupervised --steps 12000                    the paper's own training, and its
                                                                       ablation: measured beside the supervised one, not shipped
    .venv/bin/python -m scripts.train.lifter MOCAP --evaluate addon_models/lifter.safetensors         measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database, 30 frames per second
on SMPL's kinematic tree). TEST_SUBJECTS of scripts/train/data/recordings.py are not used for training. Each step draws its windows from
the seed and its number, so an interrupted run that continues sees the same windows.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blender_meshrec.bodies.alignment import rotation_to_optical_axis
from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, limb_indices
from blender_meshrec.methods.lifter.even_times import FPS
from blender_meshrec.methods.lifter.lifter_input import MIN_CONFIDENCE, TOTAL_BONE_LENGTH, encode_keypoints
from blender_meshrec.methods.skeleton2mesh import Lifter, LifterConfig, lift_clip, read_lifter
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.command_line import require_state, training_parser
from scripts.train.data.camera_views import Views, film_bodies, film_clip
from scripts.train.data.filmed_bodies.shards import read_shards
from scripts.train.data.filmed_windows import FilmedWindows, join_views
from scripts.train.data.motion_augmentation import WindowSampler
from scripts.train.data.motion_clips import Clip, read_clips, split_by_subject
from scripts.train.data.recordings import CALIBRATION_SUBJECTS
from scripts.train.optimisation import RunningMean, optimise
from scripts.train.spread_calibration import calibrate_spread, summarise_spread
from scripts.train.unsupervised_lifting import ABLATION, Recipe, evaluate_unsupervised, train_unsupervised
from scripts.train.weights_export import MODELS_FOLDER, export_weights, write_metrics
from scripts.train.widening import widened

# Frames of a window and windows of a batch: first many short windows to learn poses, then windows as long as the receptive field.
SHORT_WINDOWS, LONG_WINDOWS = (27, 48), (81, 16)
FILMED_FRACTION = 0.25  # of the windows of a batch, where there are filmed ones
LEARNING_RATE, WARM_UP_STEPS = 6e-4, 200  # AdamW's, in steps
DECAY_FRACTION = 0.35  # of the steps, at the end: long windows, and the rate falls to zero
EMA_DECAY = 0.998
# The ends of limbs have the largest errors and matter most.
JOINT_WEIGHTS = np.ones(len(H36M17), np.float32)
JOINT_WEIGHTS[[H36M17.index(j) for j in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")]] = 1.6
JOINT_WEIGHTS[[H36M17.index(j) for j in ("left_elbow", "right_elbow", "left_knee", "right_knee")]] = 1.2
WITHIN_SPREAD, SPREAD_WEIGHT = 0.6827, 5.0  # the share of errors within a spread: a normal distribution's one sigma; mm
VELOCITY_WEIGHT, UNDETECTED_WEIGHT = 2.0, 0.02  # of velocity errors, which reduce jitter; of frames without a visible point


def main() -> None:
    parser = training_parser(
        __doc__,
        20000,
        ("--state", "--width", "--device", "--export", "--note", "--evaluate"),
        changes={"--width": {"default": LifterConfig.width}},
    )
    parser.add_argument("--filmed", type=Path, metavar="FOLDER", help="clips of scripts.train.data.filmed_bodies, seen by a real detector")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="begin with these weights of an equal or smaller lifter")
    parser.add_argument("--unsupervised", action="store_true", help="the paper's training: 2D alone, against an adversary")
    parser.add_argument("--ablation-steps", type=int, default=1500, help="of each row of the paper's table 1; 0 for none")
    settings = parser.parse_args()
    if not settings.unsupervised:
        require_state(parser, settings)
    training, testing = split_by_subject(read_clips(settings.mocap))
    calibrating = [clip for clip in training if clip.subject in CALIBRATION_SUBJECTS]
    training = [clip for clip in training if clip.subject not in CALIBRATION_SUBJECTS]
    if settings.evaluate:
        print(json.dumps(evaluate(read_lifter(settings.evaluate), testing, settings.device), indent=2))
    elif settings.export:
        export(settings, training, calibrating, testing)
    elif settings.unsupervised:
        compare_unsupervised(settings, training, testing)
    else:
        train(settings, training)


def train(settings: argparse.Namespace, clips: list[Clip]) -> None:
    """Train up to the given step; writes the checkpoint every 500 steps and at the end."""
    torch.manual_seed(settings.seed)
    lifter, mean = (Lifter(LifterConfig(width=settings.width)).to(settings.device) for _ in range(2))
    if settings.start:
        smaller = read_lifter(settings.start)
        lifter.load_state_dict(widened(smaller.state_dict(), smaller.config, lifter))
    mean.load_state_dict(lifter.state_dict())
    optimiser = torch.optim.AdamW(lifter.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    state = Checkpoint(settings.state, lifter=lifter, mean=mean, optimiser=optimiser)
    decay_from = max(state.step, round((1 - DECAY_FRACTION) * settings.steps))
    short, long = (WindowSampler(clips, frames) for frames, _batch in (SHORT_WINDOWS, LONG_WINDOWS))
    filmed = FilmedWindows(read_shards(settings.filmed)) if settings.filmed else None
    running = RunningMean()

    def draw(step: int) -> Views:
        rng = np.random.default_rng([settings.seed, step])
        windows, (frames, batch) = (short, SHORT_WINDOWS) if step < decay_from else (long, LONG_WINDOWS)
        if filmed is None:
            return film_bodies(rng, *windows.draw(rng, batch))
        count = round(FILMED_FRACTION * batch)
        return join_views(film_bodies(rng, *windows.draw(rng, batch - count)), filmed.draw(rng, count, frames))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, state.step)
        for step in range(state.step, settings.steps):
            views, coming = coming.result(), pool.submit(draw, step + 1)
            fall = (settings.steps - step) / max(settings.steps - decay_from, 1)
            optimiser.param_groups[0]["lr"] = LEARNING_RATE * min(1, (step + 1) / WARM_UP_STEPS, fall)
            loss = lifting_loss(lifter, views, settings.device)
            optimise(optimiser, loss, lifter)
            update_ema(mean, lifter, min(EMA_DECAY, (step + 1) / (step + 20)))
            running.update({"loss": loss.item()})
            if (step + 1) % 100 == 0:
                print(f"step {step + 1} {running.text(2)} seconds {state.seconds:.0f}", flush=True)
            if (step + 1) % 500 == 0 or step + 1 == settings.steps:
                state.save(step + 1)


def compare_unsupervised(settings: argparse.Namespace, training: list[Clip], testing: list[Clip]) -> None:
    """Train without supervision, also the paper's ablation on a short schedule; write each result to the lifter's metrics file.

    A row replaces an earlier row with the same recipe and steps.
    """
    path = MODELS_FOLDER / "lifter.metrics.json"
    rows = [(Recipe(), settings.steps), *((recipe, settings.ablation_steps) for recipe in ABLATION if settings.ablation_steps)]
    for recipe, steps in rows:
        lifter, seconds = train_unsupervised(training, recipe, steps, settings.seed, settings.device)
        errors = evaluate_unsupervised(lifter, testing, device=settings.device)
        key: dict[str, Any] = {
            "adversary": recipe.adversary,
            "azimuth": f"{recipe.azimuth / np.pi:.3g} pi",
            "proportions": recipe.proportions,
            "steps": steps,
        }
        row: dict[str, Any] = {**key, "training_hours": round(seconds / 3600, 2), "pa_mpjpe_mm": errors}
        print(json.dumps(row), flush=True)
        report = json.loads(path.read_text(encoding="utf-8"))
        others = [known for known in report["unsupervised"] if any(known[name] != value for name, value in key.items())]
        report["unsupervised"] = sorted([row, *others], key=lambda known: -known["steps"])
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def lifting_loss(lifter: Lifter, views: Views, device: str) -> torch.Tensor:
    """Mean weighted errors of joints and of their velocities, mm for a person of average size, and the loss of the spreads."""
    rays, confidence, detected, joints, zoom, valid = (
        torch.as_tensor(getattr(views, name), device=device) for name in ("rays", "confidence", "detected", "joints", "zoom", "valid")
    )
    own_3d = None if views.own_3d is None else torch.as_tensor(views.own_3d, device=device)
    encoded, person = encode_keypoints(rays, confidence, detected, own_3d)
    # The target is rotated by the true line of sight, independent of the assumed focal length.
    target = joints @ rotation_to_optical_axis(person.view / zoom[:, None, None]).transpose(-1, -2)
    kind = device.partition(":")[0]
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda"):  # CPUs without bfloat16 take 20 times as long
        lifted = lifter(encoded)
    error = lifted.joints - target
    present = ((confidence >= MIN_CONFIDENCE).any(-1) * (1 - UNDETECTED_WEIGHT) + UNDETECTED_WEIGHT) * valid
    weights = torch.as_tensor(JOINT_WEIGHTS, device=device)
    distance = (_length(error) * weights).mean(-1)
    velocity_error = (_length(error[:, 1:] - error[:, :-1]) * weights).mean(-1)
    both = present[:, 1:] * present[:, :-1]
    loss = 1000 * TOTAL_BONE_LENGTH * (_mean_of_windows(distance, present) + VELOCITY_WEIGHT * _mean_of_windows(velocity_error, both))
    if lifted.spread is None:
        return loss
    return loss + SPREAD_WEIGHT * _mean_of_windows(spread_loss(error.detach(), lifted.spread), present)


def spread_loss(error: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """The quantile loss (B,F) of the logarithm of spreads (B,F,17,3): least where WITHIN_SPREAD of the errors of bones are smaller.

    error: (B,F,17,3), of joints relative to the hip.
    """
    parents = list(H36M17_PARENTS[1:])
    bone_error = (error[:, :, 1:] - error[:, :, parents]).abs() + 1e-5
    excess = bone_error.log() - spread[:, :, 1:].log()
    return torch.maximum(WITHIN_SPREAD * excess, (WITHIN_SPREAD - 1) * excess).mean((-1, -2))


def _mean_of_windows(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The mean over windows of each window's weighted mean: a window with a single frame counts as much as a full one."""
    return ((values * weights).sum(1) / weights.sum(1).clamp_min(1e-3)).mean()


def _length(vectors: torch.Tensor) -> torch.Tensor:
    """Norms that are differentiable at zero."""
    return (vectors.square().sum(-1) + 1e-10).sqrt()


def evaluate(lifter: Lifter, clips: list[Clip], device: str = "cpu", cameras: int = 4, seed: int = 7) -> dict[str, dict[str, float]]:
    """PA-MPJPE over the twelve limb joints, mm: the mean over clips, each filmed whole by some random static cameras."""
    rows = {"h36m17 clean": ("h36m17", False), "h36m17 noisy": ("h36m17", True)}
    rows |= {f"{name} noisy": (name, True) for name in ("coco17", "halpe26", "blazepose33")}
    limbs = limb_indices(H36M17)
    table: dict[str, dict[str, float]] = {}
    for label, (keypoint_set, noisy) in rows.items():
        by_clip: list[float] = []
        for number, clip in enumerate(clips):
            views = film_clip(np.random.default_rng([seed, number]), clip, keypoint_set, cameras, noisy)
            times = np.arange(len(clip.hip)) / FPS
            errors: list[float] = []
            for camera in range(cameras):
                lifted = lift_clip(lifter, views.rays[camera], views.confidence[camera], times, views.detected[camera], device).joints
                true, valid = views.joints[camera] * TOTAL_BONE_LENGTH, views.valid[camera]
                errors.append(pa_mpjpe(TOTAL_BONE_LENGTH * lifted[valid][:, limbs], true[valid][:, limbs]))
            by_clip.append(float(np.mean(errors)))
        walking = np.array(["walk" in clip.text for clip in clips])
        groups = {"all": np.ones_like(walking), "walking": walking, "others": ~walking}
        table[label] = {name: round(float(np.mean(np.array(by_clip)[group])), 2) for name, group in groups.items()}
    return table


def export(settings: argparse.Namespace, training: list[Clip], calibrating: list[Clip], testing: list[Clip]) -> None:
    """Write the averaged weights as fp16, with calibrated spreads, and the metrics file."""
    state = torch.load(settings.state, map_location="cpu", weights_only=True)
    averaged = Lifter(LifterConfig(width=settings.width)).eval().requires_grad_(False)
    averaged.load_state_dict(state["mean"])
    calibrate_spread(averaged, calibrating, WITHIN_SPREAD)
    path = export_weights("lifter", averaged.state_dict(), settings.seed)
    previous = json.loads(path.with_suffix(".metrics.json").read_text(encoding="utf-8"))
    numbers = {
        "steps": state["step"],
        "windows": f"{SHORT_WINDOWS[1]} of {SHORT_WINDOWS[0]} frames, then {LONG_WINDOWS[1]} of {LONG_WINDOWS[0]}",
        "training_hours": round(state["seconds"] / 3600, 2),
        "training_subjects": sorted({clip.subject for clip in training}),
        "test_subjects": sorted({clip.subject for clip in testing}),
        "test_clips": len(testing),
        "pa_mpjpe_mm": evaluate(read_lifter(path), testing),
        "spread": summarise_spread(read_lifter(path), testing),
        "unsupervised": previous.get("unsupervised", []),
        "note": settings.note,
    }
    write_metrics("lifter", settings.seed, numbers)


if __name__ == "__main__":
    main()
