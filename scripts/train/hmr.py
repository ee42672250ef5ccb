"""Train the mesh generator of methods/hmr.py: PC-HMR's mesh stream, which is frozen at its validation optimum.

    .venv/bin/python -m scripts.train.hmr MOCAP --state STATE.pt [--steps 6000]     train, or go on from STATE.pt
    .venv/bin/python -m scripts.train.hmr MOCAP --state STATE.pt --export           write addon_models/hmr.*

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's tree). Frames are
drawn once, on the open body with random betas before random cameras, and kept beside STATE.pt; 2D errors and holes are new every
step. PARTS of scripts/train/calibration/pool.py says which subjects validate and test.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.silhouette_rendering import Surface
from blender_meshrec.bodies.smpl import make_body
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hmr import Hmr, in_windows, turn_onto
from scripts.train.calibration.noise import detected, seen
from scripts.train.calibration.pool import PARTS, Pool, film, read_clips, unpacked
from scripts.train.checkpoint import Checkpoint
from scripts.train.shipping import write_metrics, write_network

BATCH, RATE, WARM_UP = 256, 1e-3, 200
FRAMES, STEP = 9, 14  # of a window of the pool, and recorded frames between them
WINDOWS = {"training": 5000, "validation": 220}
WEIGHTS = {"vertices": 10.0, "joints": 10.0, "rotations": 1.0, "betas": 0.02, "camera": 2.0}
EVERY = 250  # steps between two looks at the validation frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--state", type=Path, required=True, help="checkpoint to go on from and to write")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--export", action="store_true")
    settings = parser.parse_args()
    if settings.export:
        export(settings)
    else:
        train(settings)


def pool_of(settings, part):
    """The frames of a part, each by itself, as a Pool; drawn at the first call."""
    path = settings.state.with_suffix(f".{part}.pt")
    if not path.exists():
        body = make_body(load_body())
        with torch.no_grad():
            rng = np.random.default_rng([settings.seed, sorted(WINDOWS).index(part)])
            pool = film(rng, body, JointProjector(body).shown, read_clips(settings.mocap, part), WINDOWS[part], FRAMES, STEP)
        torch.save(vars(pool.flat()), path)
    return Pool(**torch.load(path, weights_only=True))


def losses(network, surface, rng, pool, rows, noisy=True):
    """Parts of the loss, and the mean distance of vertices from the true ones about the hip, m."""
    chosen = pool.rows(rows)
    rays, confidence = detected(rng, chosen, noisy)
    points, silhouettes = seen(rng, chosen, rays, confidence, unpacked(chosen.silhouettes), noisy)
    said = network(points[:, 0], silhouettes[:, 0])
    true = chosen.rotmats[:, 0].clone()
    windows = chosen.windows[:, 0]
    true[:, 0] = turn_onto(windows) @ true[:, 0]
    here, there = (
        surface.pose(betas, rotmats, torch.zeros(len(rows), 3)) for betas, rotmats in ((said.betas, said.rotmats), (chosen.betas, true))
    )
    off_vertices, off_joints = ((a - a0 - b + b0).norm(dim=-1) for a, a0, b, b0 in (
        (here[0], here[1][:, :1], there[0], there[1][:, :1]), (here[1], here[1][:, :1], there[1], there[1][:, :1])))  # fmt: skip
    root = (turn_onto(windows) @ (there[1][:, 0] * 0 + chosen.joints[:, 0, 0])[..., None])[..., 0]
    at = in_windows((chosen.joints[:, 0, :1, :2] / chosen.joints[:, 0, :1, 2:]), windows)[:, 0]
    size = 2 / (root[:, 2:] * windows[:, 2:3])
    parts = {
        "vertices": off_vertices.mean(),
        "joints": off_joints.mean(),
        "rotations": (said.rotmats - true).square().mean(),
        "betas": (said.betas - chosen.betas).square().mean(),
        "camera": (said.camera - torch.cat([size, at], 1)).abs().mean(),
    }
    return parts, off_vertices.mean(1)


def train(settings):
    torch.manual_seed(settings.seed)
    training, validating = (pool_of(settings, part) for part in ("training", "validation"))
    surface = Surface(load_body(), spacing=0.05)
    network = Hmr()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    state, running = Checkpoint(settings.state, network=network, optimiser=optimiser), None
    best = state.others.get("best", (math.inf, 0, None))
    for step in range(state.step, settings.steps):
        rng = np.random.default_rng([settings.seed, 2, step])
        rows = torch.as_tensor(rng.integers(len(training.betas), size=BATCH))
        fall = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        optimiser.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP) * max(fall, 1e-3)
        parts, _ = losses(network.train(), surface, rng, training, rows)
        loss = sum(WEIGHTS[name] * part for name, part in parts.items())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        now = {name: part.item() for name, part in parts.items()}
        running = now if running is None else {name: 0.98 * running[name] + 0.02 * now[name] for name in now}
        if (step + 1) % EVERY == 0 or step + 1 == settings.steps:
            error = validate(network, surface, validating)
            if error < best[0]:
                best = error, step + 1, {name: value.clone() for name, value in network.state_dict().items()}
            said = " ".join(f"{name} {value:.4f}" for name, value in running.items())
            print(f"step {step + 1} {said} | validation {1000 * error:.1f} mm, {state.seconds:.0f} s", flush=True)
            state.save(step + 1, best=best)


@torch.no_grad()
def validate(network, surface, pool):
    """Mean MPVE of the validation frames, m."""
    rng, network = np.random.default_rng(0), network.eval()
    parts = torch.arange(len(pool.betas)).split(BATCH)
    return float(torch.cat([losses(network, surface, rng, pool, rows)[1] for rows in parts]).mean())


def export(settings):
    """Write the network of the validation optimum as fp16, and what was trained on."""
    state = torch.load(settings.state, weights_only=True)
    error, step, best = state["best"]
    write_network("hmr", best, settings.seed)
    numbers = {
        "steps": state["step"],
        "frozen_at_step": step,
        "training_hours": round(state["seconds"] / 3600, 2),
        "validation_subjects": PARTS["validation"],
        "test_subjects": PARTS["test"],
        "validation_mpve_mm": round(1000 * error, 1),
    }
    write_metrics("hmr", settings.seed, numbers)


if __name__ == "__main__":
    main()
