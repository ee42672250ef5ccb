"""Train the pose prior and the hierarchical regressor of methods/hkmr.py; it is frozen at the smallest validation error.

    .venv/bin/python -m scripts.train.hkmr MOCAP --state STATE.pt [--steps 3000]     train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.hkmr MOCAP --state STATE.pt --export           write addon_models/hkmr*

MOCAP and the stored frames are those of scripts/train/hmr.py. A batch has 128 frames: half of them with a silhouette, the others joints
alone in new cameras; half of them with 2D labels only, whose poses come from model fitting in the loop
(scripts/train/hierarchy/model_fitting.py). Most frames have hidden chains (scripts/train/hierarchy/hidden_chains.py).

Losses and weights are the supplement's: pose and shape 1, 2D 1, 3D 1, KL 0.001. Units, ours: rotation matrices, joints and points of the
skin in decimetres, 2D in tenths of half a window.
"""

import argparse
import math
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import roma
import torch
from torch import nn

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints
from blender_meshrec.bodies.window_regression import WindowBodies, window_coordinates, window_rotation_to_axis
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.methods.hkmr import Hkmr, HkmrConfig, HkmrPose, PosePrior
from blender_meshrec.methods.hmr import load_hmr
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS, FilmedWindows
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.command_line import training_parser
from scripts.train.data.recordings import mirror_rotmats, rotmats_from_quats
from scripts.train.hierarchy.frames import FramePool
from scripts.train.hierarchy.hidden_chains import observe
from scripts.train.hierarchy.model_fitting import fit_bodies, project
from scripts.train.hmr import load_windows
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_best

BATCH, LEARNING_RATE, WARM_UP_STEPS = 128, 3e-4, 50
LOSS_WEIGHTS = {"smpl": 1.0, "2d": 1.0, "3d": 1.0, "kl": 0.001}
BETAS_WEIGHT = 0.1  # of squared betas' errors, relative to squared rotations'
FITTING_FROM = 0.15  # of all steps: until then the answers are too far off to be fitted
SKIN_SPACING = 0.12  # m, between the points of the skin that a loss sees
PRIOR_STEPS, PRIOR_BATCH, PRIOR_RATE, PRIOR_SIGMA = 3000, 256, 1e-3, 0.15  # sigma: rad, of the decoded pose
EMA_KEEP = 0.998
VALIDATION_INTERVAL, VALIDATION_STRIDE = 250, 4


@dataclass
class Trainer:
    """What a step needs: the body, points of its skin, frames, and the frozen prior, or None to train without it."""

    surface: SurfacePoints
    pool: FramePool
    prior: PosePrior | None
    fitting_prior: PosePrior

    def losses(self, network: Hkmr, rng: np.random.Generator, fitting: bool) -> dict[str, torch.Tensor]:
        """The terms of the loss on a new batch; fitting: with targets from model fitting for frames with 2D labels only."""
        frames, labelled = self.pool.draw(rng, BATCH)
        points, silhouettes, windows = observe(rng, frames, None)
        answer = network.regress(network.encoder(points, silhouettes))
        bodies = answer.bodies()
        rays = frames.joints[:, 0, :, :2] / frames.joints[:, 0, :, 2:].clamp_min(0.2)
        labels = window_coordinates(rays, windows)
        true = bodies_in_windows(frames, windows)
        terms = {
            "2d": 10 * (project(self.pool.body, bodies, windows) - labels).abs().mean(),
            "3d": 10 * self.distance(bodies, true, labelled),
            "smpl": pose_and_shape_error(bodies, true)[labelled].mean(),
        }
        if self.prior is not None:
            terms["kl"] = self.prior.improbability(answer.angles[:, 1:].flatten(1)).mean()
        if fitting:
            terms["smpl"] = (terms["smpl"] + self.fitted_error(answer, bodies, labels, windows, ~labelled)) / 2
        return terms

    def distance(self, bodies: WindowBodies, true: WindowBodies, rows: torch.Tensor) -> torch.Tensor:
        """Mean distance, m, of joints and points of the skin from the true ones, both relative to the pelvis."""
        errors = []
        posed = [self.surface.pose(each.betas[rows], each.rotmats[rows], each.betas.new_zeros(1, 3)) for each in (bodies, true)]
        roots = [joints[:, :1] for _, joints in posed]
        for part in range(2):
            errors.append((posed[0][part] - roots[0] - posed[1][part] + roots[1]).norm(dim=-1).mean())
        return errors[0] + errors[1]

    def fitted_error(
        self, answer: HkmrPose, bodies: WindowBodies, labels: torch.Tensor, windows: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Error of pose and shape relative to the fitted bodies, of the rows where fitting lowered the 2D error; 0 elsewhere."""
        start = HkmrPose(*(value[rows].detach() for value in answer))
        fitted, is_kept = fit_bodies(self.pool.body, self.fitting_prior, start, labels[rows], windows[rows])
        chosen = WindowBodies(*(value[rows] for value in bodies))
        return (pose_and_shape_error(chosen, fitted) * is_kept).mean()


def bodies_in_windows(frames: FilmedWindows, windows: torch.Tensor) -> WindowBodies:
    """The true bodies of FilmedWindows of one frame each, the roots in the axes of windows (N,4); the camera is not given."""
    rotmats = frames.rotmats[:, 0].clone()
    rotmats[:, 0] = window_rotation_to_axis(windows) @ rotmats[:, 0]
    return WindowBodies(rotmats, frames.betas, frames.betas.new_zeros(len(rotmats), 3))


def pose_and_shape_error(bodies: WindowBodies, true: WindowBodies) -> torch.Tensor:
    """L_smpl of each sample, (N,)."""
    rotations = (bodies.rotmats - true.rotmats).square().sum((2, 3)).mean(1)
    return rotations + BETAS_WEIGHT * (bodies.betas - true.betas).square().mean(1)


def main() -> None:
    parser = training_parser(__doc__, 3000, ("--state", "--export"), changes={"--state": {"required": True}})
    settings = parser.parse_args()
    if settings.export:
        export(settings)
    else:
        train(settings)


def make_trainer(settings: argparse.Namespace) -> Trainer:
    """The frames of the training subjects, and the prior, which is trained first."""
    template = load_body()
    pool = FramePool(load_windows(settings, "training"), settings.mocap, make_body(template), settings.seed)
    prior = load_or_train_prior(settings, pool)
    return Trainer(SurfacePoints(template, spacing=SKIN_SPACING), pool, prior, prior)


def load_or_train_prior(settings: argparse.Namespace, pool: FramePool) -> PosePrior:
    """The pose prior, from STATE.prior.pt if it is trained already."""
    path, prior = settings.state.with_suffix(".prior.pt"), PosePrior()
    if path.exists():
        prior.load_state_dict(torch.load(path, weights_only=True))
    else:
        torch.manual_seed(settings.seed)
        train_prior(prior, pool, settings.seed)
        torch.save(prior.state_dict(), path)
    return prior.eval().requires_grad_(False)


def train_prior(prior: PosePrior, pool: FramePool, seed: int) -> None:
    """Train the VAE on motion capture, half of it mirrored: squared error of the decoded pose, and KL."""
    optimiser, running = torch.optim.Adam(prior.parameters(), lr=PRIOR_RATE), RunningMean()
    for step in range(PRIOR_STEPS):
        rng = np.random.default_rng([seed, 3, step])
        local = rotmats_from_quats(pool.quats[rng.integers(len(pool.quats), size=PRIOR_BATCH)])
        mirror = rng.random(PRIOR_BATCH) < 0.5
        local[mirror] = mirror_rotmats(local[mirror])
        pose = roma.rotmat_to_rotvec(torch.as_tensor(local[:, 1:], dtype=torch.float32)).flatten(1)
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, PRIOR_STEPS, PRIOR_RATE, WARM_UP_STEPS)
        decoded, divergence = prior.train()(pose)
        error = (decoded - pose).square().sum(1)
        optimise(optimiser, (error / (2 * PRIOR_SIGMA**2) + divergence).mean())
        running.update({"rad": (error.mean().item() / pose.shape[1]) ** 0.5, "kl": divergence.mean().item()})
    print(f"pose prior: {running.text(3)}", flush=True)


def begin_network(config: HkmrConfig | None = None) -> Hkmr:
    """The network, its encoder with the weights of methods/hmr.py that ship."""
    network = Hkmr(config=config)
    network.encoder.load_state_dict(load_hmr().state_dict())
    return network


def train(settings: argparse.Namespace) -> None:
    """Train up to the given step; writes the checkpoint at every validation."""
    torch.manual_seed(settings.seed)
    trainer, validating = make_trainer(settings), load_windows(settings, "validation")
    surface = SurfacePoints(load_body(), spacing=0.05)
    network = begin_network()
    mean = deepcopy(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    state, running = Checkpoint(settings.state, network=network, mean=mean, optimiser=optimiser), RunningMean()
    best = state.others.get("best", (math.inf, 0, None))
    for step in range(state.step, settings.steps):
        torch.manual_seed(settings.seed * 1_000_000 + step)  # of dropout
        optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
        terms = trainer.losses(network.train(), np.random.default_rng([settings.seed, 2, step]), step >= FITTING_FROM * settings.steps)
        optimise(optimiser, sum_losses(LOSS_WEIGHTS[name] * term for name, term in terms.items()), network, 5.0)
        update_ema(mean, network, min(EMA_KEEP, (step + 1) / (step + 10)))
        running.update({name: term.item() for name, term in terms.items()})
        if (step + 1) % VALIDATION_INTERVAL == 0 or step + 1 == settings.steps:
            errors = validate(mean, surface, validating)
            if sum(errors) < best[0]:
                best = sum(errors), step + 1, {name: value.clone() for name, value in mean.state_dict().items()}
            text = " + ".join(f"{1000 * error:.1f}" for error in errors)
            print(f"step {step + 1} {running.text()} | validation {text} mm, {state.seconds:.0f} s", flush=True)
            state.save(step + 1, best=best)


@torch.no_grad()
def validate(network: nn.Module, surface: SurfacePoints, pool: FilmedWindows) -> tuple[float, float]:
    """Mean MPVE, m, of some validation frames with nothing hidden, and with chains hidden as in training."""
    rng, network = np.random.default_rng(0), network.eval()
    frames = pool.select(torch.arange(0, len(pool.betas), VALIDATION_STRIDE))
    errors, nothing = list[float](), [list[int]()] * len(frames.betas)
    for hidden in (nothing, None):
        points, silhouettes, windows = observe(rng, frames, hidden, none=0.5)
        found, true = network(points, silhouettes), bodies_in_windows(frames, windows)
        vertices, joints = surface.pose(found.betas, found.rotmats, torch.zeros(1, 3))
        true_vertices, true_joints = surface.pose(true.betas, true.rotmats, torch.zeros(1, 3))
        errors.append(float((vertices - joints[:, :1] - true_vertices + true_joints[:, :1]).norm(dim=-1).mean()))
    return errors[0], errors[1]


def export(settings: argparse.Namespace) -> None:
    """Write the network with the smallest validation error as fp16, and the metrics file."""

    def numbers(error: float) -> dict[str, object]:
        return {
            "validation_subjects": SUBJECT_SPLITS["validation"],
            "test_subjects": SUBJECT_SPLITS["test"],
            "validation_mpve_mm_plain_and_hidden": round(500 * error, 1),
        }

    export_best("hkmr", settings.state, settings.seed, numbers)


if __name__ == "__main__":
    main()
