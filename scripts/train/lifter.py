"""Train the lifting network of methods/skeleton2mesh.py on motion capture filmed by random cameras.

    .venv/bin/python -m scripts.train.lifter MOCAP --state STATE.pt [--steps 20000] [--device cpu]   train, or go on from STATE.pt
    .venv/bin/python -m scripts.train.lifter MOCAP --state STATE.pt --export                         write addon_models/lifter.*
    .venv/bin/python -m scripts.train.lifter MOCAP --unsupervised --steps 12000                    the paper's own training, and its
                                                                       ablation: measured beside the supervised one, not shipped
    .venv/bin/python -m scripts.train.lifter MOCAP --evaluate addon_models/lifter.safetensors         measure on the test subjects

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database, 30 frames per second
on SMPL's tree). Subjects in scripts/train/data/recordings.py's TEST_SUBJECTS are never trained on. Each step draws its own windows from the
seed and its number, so a run that is interrupted and goes on sees what it would have seen.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.core.metrics import pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, limb_indices
from blender_meshrec.methods.skeleton2mesh import BONE_SUM, FPS, SURE, Lifter, LifterConfig, encode, lift_clip, read_lifter, turn_onto
from scripts.train.checkpoint import Checkpoint, average
from scripts.train.data.camera_views import SET_NAMES, see
from scripts.train.data.lifter_bodies import Windows
from scripts.train.data.motion_clips import read_clips, split
from scripts.train.shipping import OUT, write_metrics, write_network
from scripts.train.unsupervised_lifting import ABLATION, Recipe, evaluate_unsupervised, train_unsupervised

# Frames of a window and windows of a batch: short and many to learn poses, then as long as the network reaches.
SHORT, LONG = (27, 48), (81, 16)
RATE, WARM_UP = 6e-4, 200  # AdamW's, in steps
DECAY = 0.35  # the last share of the steps: long windows, and the rate falls to zero
EMA = 0.998
# The ends of limbs are the hardest and matter most; velocity keeps them from trembling.
WEIGHTS = np.ones(len(H36M17), np.float32)
WEIGHTS[[H36M17.index(j) for j in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")]] = 1.6
WEIGHTS[[H36M17.index(j) for j in ("left_elbow", "right_elbow", "left_knee", "right_knee")]] = 1.2
VELOCITY, ABSENT = 2.0, 0.02  # weights of velocity, and of frames that the detector did not see


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--state", type=Path, help="checkpoint to go on from and to write")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=LifterConfig.width)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--unsupervised", action="store_true", help="the paper's training: 2D alone, against an adversary")
    parser.add_argument("--ablation-steps", type=int, default=1500, help="of each row of the paper's table 1; 0 for none")
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--note", default="", help="what else is to be known of the exported weights")
    parser.add_argument("--evaluate", type=Path, metavar="WEIGHTS")
    settings = parser.parse_args()
    if not (settings.evaluate or settings.unsupervised or settings.state):
        parser.error("to train or to export, --state says where the checkpoint is")
    training, testing = split(read_clips(settings.mocap))
    if settings.evaluate:
        print(json.dumps(evaluate(read_lifter(settings.evaluate), testing, settings.device), indent=2))
    elif settings.export:
        export(settings, training, testing)
    elif settings.unsupervised:
        compare_unsupervised(settings, training, testing)
    else:
        train(settings, training)


def train(settings, clips):
    """Train up to the given step; writes the checkpoint every 500 steps and at the end."""
    torch.manual_seed(settings.seed)
    lifter, mean = (Lifter(LifterConfig(width=settings.width)).to(settings.device) for _ in range(2))
    mean.load_state_dict(lifter.state_dict())
    optimiser = torch.optim.AdamW(lifter.parameters(), lr=RATE, weight_decay=0.01)
    state = Checkpoint(settings.state, lifter=lifter, mean=mean, optimiser=optimiser)
    decay_from = max(state.step, round((1 - DECAY) * settings.steps))
    short, long = (Windows(clips, frames) for frames, _batch in (SHORT, LONG))
    running = None

    def draw(step):
        rng = np.random.default_rng([settings.seed, step])
        windows, (_frames, batch) = (short, SHORT) if step < decay_from else (long, LONG)
        return see(rng, *windows.draw(rng, batch))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, state.step)
        for step in range(state.step, settings.steps):
            views, coming = coming.result(), pool.submit(draw, step + 1)
            fall = (settings.steps - step) / max(settings.steps - decay_from, 1)
            optimiser.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP, fall)
            loss = lifting_loss(lifter, views, settings.device)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(lifter.parameters(), 1.0)
            optimiser.step()
            average(mean, lifter, min(EMA, (step + 1) / (step + 20)))
            running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
            if (step + 1) % 100 == 0:
                print(f"step {step + 1} loss {running:.2f} seconds {state.seconds:.0f}", flush=True)
            if (step + 1) % 500 == 0 or step + 1 == settings.steps:
                state.save(step + 1)


def compare_unsupervised(settings, training, testing):
    """Train without supervision, the paper's rows on a short schedule too; put each beside the supervised numbers as it is done.

    A row takes the place of an earlier one of its recipe and its steps.
    """
    path = OUT / "lifter.metrics.json"
    rows = [(Recipe(), settings.steps), *((recipe, settings.ablation_steps) for recipe in ABLATION if settings.ablation_steps)]
    for recipe, steps in rows:
        lifter, seconds = train_unsupervised(training, recipe, steps, settings.seed, settings.device)
        errors = evaluate_unsupervised(lifter, testing, device=settings.device)
        key = {
            "adversary": recipe.adversary,
            "azimuth": f"{recipe.azimuth / np.pi:.3g} pi",
            "proportions": recipe.proportions,
            "steps": steps,
        }
        row = {**key, "training_hours": round(seconds / 3600, 2), "pa_mpjpe_mm": errors}
        print(json.dumps(row), flush=True)
        report = json.loads(path.read_text(encoding="utf-8"))
        others = [known for known in report["unsupervised"] if any(known[name] != value for name, value in key.items())]
        report["unsupervised"] = sorted([row, *others], key=lambda known: -known["steps"])
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def lifting_loss(lifter, views, device):
    """Mean weighted distance of joints and of their velocities from the truth, in mm of a person of ordinary size."""
    rays, confidence, detected, joints, zoom, valid = (
        torch.as_tensor(getattr(views, name), device=device) for name in ("rays", "confidence", "detected", "joints", "zoom", "valid")
    )
    encoded, towards = encode(rays, confidence, detected)
    # The truth is turned by the true line of sight, whatever lens was assumed.
    target = joints @ turn_onto(towards / zoom[:, None, None]).transpose(-1, -2)
    with torch.autocast(str(device).partition(":")[0], dtype=torch.bfloat16):
        error = lifter(encoded) - target
    present = ((confidence >= SURE).any(-1) * (1 - ABSENT) + ABSENT) * valid
    weights = torch.as_tensor(WEIGHTS, device=device)
    distance = (_length(error) * weights).mean(-1)
    moved = (_length(error[:, 1:] - error[:, :-1]) * weights).mean(-1)
    both = present[:, 1:] * present[:, :-1]
    return 1000 * BONE_SUM * (_mean_of_windows(distance, present) + VELOCITY * _mean_of_windows(moved, both))


def _mean_of_windows(values, weights):
    """The mean over windows of each window's weighted mean: one frame alone counts as much as a clip."""
    return ((values * weights).sum(1) / weights.sum(1).clamp_min(1e-3)).mean()


def _length(vectors):
    return (vectors.square().sum(-1) + 1e-10).sqrt()


def evaluate(lifter, clips, device="cpu", cameras=4, seed=7):
    """PA-MPJPE over the twelve limb joints in mm, the mean over clips, each filmed whole by a few static random cameras."""
    rows = {"h36m17 clean": ("h36m17", False), "h36m17 noisy": ("h36m17", True)}
    rows |= {f"{name} noisy": (name, True) for name in ("coco17", "halpe26", "blazepose33")}
    limbs, table = limb_indices(H36M17), {}
    for label, (keypoint_set, noisy) in rows.items():
        by_clip = []
        for number, clip in enumerate(clips):
            rng = np.random.default_rng([seed, number])
            whole = (np.repeat(array[None], cameras, 0) for array in (clip.points(), clip.axes, clip.valid))
            views = see(rng, *whole, sets=[SET_NAMES.index(keypoint_set)] * cameras, noisy=noisy, lossy=False, steady=True)
            times, errors = np.arange(len(clip.hip)) / FPS, []
            for camera in range(cameras):
                lifted, _contacts = lift_clip(lifter, views.rays[camera], views.confidence[camera], times, views.detected[camera], device)
                true, valid = views.joints[camera] * BONE_SUM, views.valid[camera]
                errors.append(pa_mpjpe(BONE_SUM * lifted[valid][:, limbs], true[valid][:, limbs]))
            by_clip.append(float(np.mean(errors)))
        walks = [error for error, clip in zip(by_clip, clips) if "walk" in clip.text]
        table[label] = {"all": round(np.mean(by_clip), 2), "walking": round(float(np.mean(walks)), 2)}
        table[label]["others"] = round(float(np.mean([e for e, c in zip(by_clip, clips) if "walk" not in c.text])), 2)
    return table


def export(settings, training, testing):
    """Write the averaged weights as fp16 and, beside them, what was trained on and how good they are."""
    state = torch.load(settings.state, map_location="cpu", weights_only=True)
    path = write_network("lifter", state["mean"], settings.seed)
    kept = json.loads(path.with_suffix(".metrics.json").read_text(encoding="utf-8"))
    numbers = {
        "steps": state["step"],
        "windows": f"{SHORT[1]} of {SHORT[0]} frames, then {LONG[1]} of {LONG[0]}",
        "training_hours": round(state["seconds"] / 3600, 2),
        "training_subjects": sorted({clip.subject for clip in training}),
        "test_subjects": sorted({clip.subject for clip in testing}),
        "test_clips": len(testing),
        "pa_mpjpe_mm": evaluate(read_lifter(path), testing),
        "unsupervised": kept.get("unsupervised", []),
        "note": settings.note,
    }
    write_metrics("lifter", settings.seed, numbers)


if __name__ == "__main__":
    main()
