"""Train the network of methods/silhouette_refinement.py on silhouettes of the open body that are rendered during training.

    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt [--steps 6000]          train, or continue from STATE.pt
    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt --export                write addon_models/silhouettes.*
    .venv/bin/python -m scripts.train.silhouettes MOCAP --evaluate addon_models/silhouettes.safetensors [--pictures FOLDER] [--out X.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree).
TEST_SUBJECTS of scripts/train/data/recordings.py are not used for training. Each step draws people, cameras and segmentation errors from
the seed and its number, so an interrupted run that continues sees the same samples. It takes about an hour on one CPU core.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import roma
import torch

from blender_meshrec.bodies.lbs import KinematicTree
from blender_meshrec.bodies.silhouette_rendering import SurfacePoints, rasterise
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.silhouettes import MASK_SIZE
from blender_meshrec.methods.silhouette_refinement import (
    RefinerConfig,
    SilhouetteCrops,
    SilhouetteNetwork,
    encode_inputs,
    end_rotmats,
    read_network,
    rotation_to_optical_axis,
)
from scripts.train.checkpoint import Checkpoint, update_ema
from scripts.train.command_line import require_state, training_parser
from scripts.train.data.recordings import CREDIT, TEST_SUBJECTS
from scripts.train.data.silhouette_bodies import (
    JOINT_INDEX,
    People,
    betas_from_bone_lengths,
    crop_windows,
    draw_people,
    perturb_estimate,
    read_rotations,
)
from scripts.train.data.silhouette_masks import corrupt_masks
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise, sum_losses
from scripts.train.weights_export import export_weights, write_metrics

if TYPE_CHECKING:
    from scripts.evaluate.silhouettes import Report

BATCH = 48
LEARNING_RATE, WARM_UP_STEPS = 1.5e-3, 100  # AdamW's, in steps
EMA_DECAY = 0.995
# Loss weights. Camera and viewpoint are auxiliary outputs: they improve the features and are not applied to the body.
WEIGHT_ENDS, WEIGHT_CAMERA, WEIGHT_VIEW = 1.0, 5.0, 2.0


def main() -> None:
    parser = training_parser(
        __doc__, 6000, ("--state", "--width", "--export", "--note", "--evaluate"), changes={"--width": {"default": RefinerConfig.width}}
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what was evaluated")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table of what was evaluated to")
    settings = parser.parse_args()
    require_state(parser, settings)
    if settings.export:
        export(settings)
    elif settings.evaluate:
        measure(settings, settings.evaluate)
    else:
        train(settings, SampleGenerator(settings.mocap))


def measure(settings: argparse.Namespace, weights: Path) -> "Report":
    """Evaluate weights on the test subjects, print the table, and write the page and the pictures that the settings name."""
    from scripts.evaluate.silhouettes import evaluate, print_table, table_page

    report = evaluate(settings.mocap, read_network(weights), settings.pictures)
    print_table(report)
    if settings.out:
        settings.out.write_text(table_page(report, CREDIT), encoding="utf-8")
    return report


def export(settings: argparse.Namespace) -> None:
    """Write the averaged weights as fp16, and the metrics file."""
    state = torch.load(settings.state, map_location="cpu", weights_only=True)
    report = measure(settings, export_weights("silhouettes", state["mean"], settings.seed))
    numbers = {
        "steps": state["step"],
        "silhouettes_a_step": BATCH,
        "training_hours": round(state["seconds"] / 3600, 2),
        "test_subjects": sorted(TEST_SUBJECTS),
        **report,
        "note": settings.note,
    }
    write_metrics("silhouettes", settings.seed, numbers)


class TrainingSample(NamedTuple):
    """Inputs (pictures and numbers, of `encode_inputs`) and targets (betas, ends, camera, view, of Corrections)."""

    pictures: torch.Tensor
    numbers: torch.Tensor
    betas: torch.Tensor
    ends: torch.Tensor
    camera: torch.Tensor
    view: torch.Tensor


class SampleGenerator:
    """Draws training batches: `draw(rng, count)`."""

    def __init__(self, mocap: Path, testing: bool = False) -> None:
        self.template = load_body()
        self.surface = SurfacePoints(self.template)
        self.quats = read_rotations(mocap, testing)
        self.shape_model = betas_from_bone_lengths(self.template)

    def draw(self, rng: np.random.Generator, count: int) -> TrainingSample:
        """A TrainingSample of `count` silhouettes."""
        truth = draw_people(rng, self.quats, count)
        points, joints = self.surface.pose(*truth)
        # Move people back who are closer than half a metre.
        shift = (0.5 - points[..., 2].amin(1)).clamp_min(0)
        truth.transl[:, 2] += shift
        points[..., 2] += shift[:, None]
        joints[..., 2] += shift[:, None]
        windows = crop_windows(rng, joints, count)
        silhouettes, _nearness = rasterise(points, windows, MASK_SIZE)
        hands = joints[:, [JOINT_INDEX["left_hand"], JOINT_INDEX["right_hand"]]]
        hands = (hands[..., :2] / hands[..., 2:] - windows[:, None, :2]) / windows[:, None, 2:] * MASK_SIZE
        masks, inside = corrupt_masks(rng, silhouettes.numpy().astype(np.uint8), hands.numpy())
        crops = SilhouetteCrops(torch.as_tensor(masks), torch.as_tensor(inside), windows)
        estimate = perturb_estimate(rng, truth, self.shape_model)
        inputs = encode_inputs(self.surface, crops, *estimate)
        return TrainingSample(*inputs, *target_corrections(truth, estimate, windows, self.surface.tree))


def target_corrections(
    truth: People, estimate: People, windows: torch.Tensor, tree: KinematicTree
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The Corrections from the estimate to the truth: betas, ends, camera, view.

    End joints get their true rotations in camera axes, independent of errors of the limbs.
    """
    ends = roma.rotmat_to_rotvec(end_rotmats(estimate.rotmats, tree).mT @ end_rotmats(truth.rotmats, tree))
    estimated_ray, true_ray = (people.transl[:, :2] / people.transl[:, 2:] for people in (estimate, truth))
    scale = (estimate.transl[:, 2] / truth.transl[:, 2]).log()
    camera = torch.cat([scale[:, None], (true_ray - estimated_ray) / windows[:, 2:]], 1)
    axis_from_ray = rotation_to_optical_axis(windows[:, :2] + windows[:, 2:] / 2)
    view = roma.rotmat_to_rotvec(axis_from_ray @ truth.rotmats[:, 0] @ estimate.rotmats[:, 0].mT @ axis_from_ray.mT)
    return truth.betas - estimate.betas, ends, camera, view


def correction_loss(network: SilhouetteNetwork, sample: TrainingSample) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss and the relative errors of the outputs.

    The loss is the negative log likelihood (Laplace) of betas and ends, and the absolute errors of camera and viewpoint.
    """
    pictures = sample.pictures.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(pictures, sample.numbers)
    betas_error = (output.betas - sample.betas).abs()
    ends_error = vector_norm(output.ends - sample.ends)
    terms = (
        (betas_error * (-output.log_scale_betas).exp() + output.log_scale_betas).mean(),
        WEIGHT_ENDS * (ends_error * (-output.log_scale_ends).exp() + output.log_scale_ends).mean(),
        WEIGHT_CAMERA * (output.camera - sample.camera).abs().mean(),
        WEIGHT_VIEW * vector_norm(output.view - sample.view).mean(),
    )
    with torch.no_grad():
        relative_errors = {
            "betas": betas_error.mean() / sample.betas.abs().mean(),
            "ends": ends_error.mean() / vector_norm(sample.ends).mean(),
            "camera": (output.camera - sample.camera).abs().mean() / sample.camera.abs().mean(),
            "view": vector_norm(output.view - sample.view).mean() / vector_norm(sample.view).mean(),
        }
    return sum_losses(terms), {name: value.item() for name, value in relative_errors.items()}


def vector_norm(vectors: torch.Tensor) -> torch.Tensor:
    """Norms that are differentiable at zero."""
    return (vectors.square().sum(-1) + 1e-8).sqrt()


def train(settings: argparse.Namespace, source: SampleGenerator) -> None:
    """Train up to the given step; writes the checkpoint every 250 steps and at the end."""
    torch.manual_seed(settings.seed)
    network, mean = (SilhouetteNetwork(RefinerConfig(width=settings.width)) for _ in range(2))
    network.to(memory_format=torch.channels_last)  # pyrefly: ignore[no-matching-overload]  the stub lacks this overload
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    state, running = Checkpoint(settings.state, network=network, mean=mean, optimiser=optimiser), RunningMean()

    def draw(step: int) -> TrainingSample:
        with torch.no_grad():
            return source.draw(np.random.default_rng([settings.seed, step]), BATCH)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, state.step)
        for step in range(state.step, settings.steps):
            sample, coming = coming.result(), pool.submit(draw, step + 1)
            optimiser.param_groups[0]["lr"] = cosine_learning_rate(step, settings.steps, LEARNING_RATE, WARM_UP_STEPS)
            loss, relative_errors = correction_loss(network, sample)
            optimise(optimiser, loss, network, 2.0)
            update_ema(mean, network, min(EMA_DECAY, (step + 1) / (step + 20)))
            running.update({**relative_errors, "loss": loss.item()})
            if (step + 1) % 50 == 0:
                print(f"step {step + 1} {running.text(3)} seconds {state.seconds:.0f}", flush=True)
            if (step + 1) % 250 == 0 or step + 1 == settings.steps:
                state.save(step + 1)


if __name__ == "__main__":
    main()
