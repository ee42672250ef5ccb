"""Train the mesh generator of methods/hmr.py, PC-HMR's mesh stream; it is frozen at the smallest validation error.

    .venv/bin/python -m scripts.train.hmr MOCAP --state STATE.pt [--steps 6000]     train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.hmr MOCAP --state STATE.pt --export           write addon_models/hmr.*

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree). Frames
are drawn once, on the open body with random betas in random cameras, and stored beside STATE.pt; detector noise and silhouette holes are
drawn anew in every step. SUBJECT_SPLITS of scripts/train/calibration/filmed_windows.py holds the validation and test subjects.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hmr import Hmr, window_coordinates, window_rotation_to_axis
from scripts.train.calibration.detector_noise import detect_keypoints, generator_inputs
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS, FilmedWindows, film_windows, read_split_clips, unpack_silhouettes
from scripts.train.checkpoint import Checkpoint
from scripts.train.command_line import training_parser
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_best

BATCH, LEARNING_RATE, WARM_UP_STEPS = 256, 1e-3, 200
FRAMES, STEP = 9, 14  # frames of a window of the pool, and recorded frames between them
WINDOWS = {"training": 5000, "validation": 220}
LOSS_WEIGHTS = {"vertices": 10.0, "joints": 10.0, "rotations": 1.0, "betas": 0.02, "camera": 2.0}
VALIDATION_INTERVAL = 250  # steps between two validations


def main() -> None:
    parser = training_parser(__doc__, 6000, ("--state", "--export"), changes={"--state": {"required": True}})
    settings = parser.parse_args()
    if settings.export:
        export(settings)
    else:
        train(settings)


def load_windows(settings: argparse.Namespace, part: str, state: Path | None = None) -> FilmedWindows:
    """The frames of a split as FilmedWindows of one frame each, drawn at the first call, beside the checkpoint or another `state`."""
    path = (state or settings.state).with_suffix(f".{part}.pt")
    if not path.exists():
        body = make_body(load_body())
        with torch.no_grad():
            rng = np.random.default_rng([settings.seed, sorted(WINDOWS).index(part)])
            pool = film_windows(
                rng, body, JointProjector(body).h36m17_image, read_split_clips(settings.mocap, part), WINDOWS[part], FRAMES, STEP
            )
        torch.save(vars(pool.flatten_windows()), path)
    return FilmedWindows(**torch.load(path, weights_only=True))


def compute_losses(
    network: Hmr, surface: SurfacePoints, rng: np.random.Generator, pool: FilmedWindows, rows: torch.Tensor, noisy: bool = True
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The terms of the loss on some frames, and the vertex error of each frame relative to the pelvis, (N,) m."""
    chosen = pool.select(rows)
    rays, confidence = detect_keypoints(rng, chosen, noisy)
    points, silhouettes = generator_inputs(rng, chosen, rays, confidence, unpack_silhouettes(chosen.silhouettes), noisy)
    output = network(points[:, 0], silhouettes[:, 0])
    true = chosen.rotmats[:, 0].clone()
    windows = chosen.windows[:, 0]
    true[:, 0] = window_rotation_to_axis(windows) @ true[:, 0]
    vertices, joints = surface.pose(output.betas, output.rotmats, torch.zeros(len(rows), 3))
    true_vertices, true_joints = surface.pose(chosen.betas, true, torch.zeros(len(rows), 3))
    root, true_root = joints[:, :1], true_joints[:, :1]
    vertex_error = (vertices - root - true_vertices + true_root).norm(dim=-1)
    joint_error = (joints - root - true_joints + true_root).norm(dim=-1)
    terms = {
        "vertices": vertex_error.mean(),
        "joints": joint_error.mean(),
        "rotations": (output.rotmats - true).square().mean(),
        "betas": (output.betas - chosen.betas).square().mean(),
        "camera": (output.camera - true_camera(chosen.joints[:, 0, :1], windows)).abs().mean(),
    }
    return terms, vertex_error.mean(1)


def true_camera(hip: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
    """The weak-perspective camera (N,3) of windows (N,4) that projects the hip (N,1,3) m, in camera axes, correctly."""
    hip_in_window = (window_rotation_to_axis(windows) @ hip[:, 0, :, None])[..., 0]
    position = window_coordinates(hip[..., :2] / hip[..., 2:], windows)[:, 0]
    scale = 2 / (hip_in_window[:, 2:] * windows[:, 2:3])
    return torch.cat([scale, position], 1)


def train(settings: argparse.Namespace) -> None:
    """Train up to the given step; writes the checkpoint at every validation."""
    torch.manual_seed(settings.seed)
    training, validating = (load_windows(settings, part) for part in ("training", "validation"))
    surface = SurfacePoints(load_body(), spacing=0.05)
    network = Hmr()
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    state, running = Checkpoint(settings.state, network=network, optimiser=optimiser), RunningMean()
    best = state.others.get("best", (math.inf, 0, None))
    for step in range(state.step, settings.steps):
        rng = np.random.default_rng([settings.seed, 2, step])
        rows = torch.as_tensor(rng.integers(len(training.betas), size=BATCH))
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        terms, _ = compute_losses(network.train(), surface, rng, training, rows)
        optimise(optimiser, sum_losses(LOSS_WEIGHTS[name] * term for name, term in terms.items()), network, 5.0)
        running.update({name: term.item() for name, term in terms.items()})
        if (step + 1) % VALIDATION_INTERVAL == 0 or step + 1 == settings.steps:
            error = validate(network, surface, validating)
            if error < best[0]:
                best = error, step + 1, {name: value.clone() for name, value in network.state_dict().items()}
            print(f"step {step + 1} {running.text()} | validation {1000 * error:.1f} mm, {state.seconds:.0f} s", flush=True)
            state.save(step + 1, best=best)


@torch.no_grad()
def validate(network: Hmr, surface: SurfacePoints, pool: FilmedWindows) -> float:
    """Mean MPVE of the validation frames, m."""
    rng, network = np.random.default_rng(0), network.eval()
    parts = torch.arange(len(pool.betas)).split(BATCH)
    return float(torch.cat([compute_losses(network, surface, rng, pool, rows)[1] for rows in parts]).mean())


def export(settings: argparse.Namespace) -> None:
    """Write the network with the smallest validation error as fp16, and the metrics file."""

    def numbers(error: float) -> dict[str, object]:
        return {
            "validation_subjects": SUBJECT_SPLITS["validation"],
            "test_subjects": SUBJECT_SPLITS["test"],
            "validation_mpve_mm": round(1000 * error, 1),
        }

    export_best("hmr", settings.state, settings.seed, numbers)


if __name__ == "__main__":
    main()
