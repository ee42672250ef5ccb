"""Train the network of methods/silhouette_refinement.py on silhouettes of the open body, drawn on the fly.

    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt [--steps 6000]          train, or go on from STATE.pt
    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt --export                write addon_models/silhouettes.*
    .venv/bin/python -m scripts.train.silhouettes MOCAP --evaluate addon_models/silhouettes.safetensors [--pictures FOLDER] [--out X.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's tree). Subjects
in scripts/train/data/recordings.py's TEST_SUBJECTS are never trained on. Each step draws its own people, cameras and mishaps from the seed
and its number, so a run that is interrupted and goes on sees what it would have seen. About an hour of one CPU core.
"""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch

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
    betas_from_bone_lengths,
    crop_windows,
    draw_people,
    perturb_estimate,
    read_rotations,
)
from scripts.train.data.silhouette_masks import corrupt_masks
from scripts.train.optimisation import RunningMean, cosine_learning_rate, optimise
from scripts.train.weights_export import export_weights, write_metrics

BATCH = 48
LEARNING_RATE, WARM_UP_STEPS = 1.5e-3, 100  # AdamW's, in steps
EMA_DECAY = 0.995
# How much the heads' errors count; camera and viewpoint are not laid on the body and help the features.
WEIGHT_ENDS, WEIGHT_CAMERA, WEIGHT_VIEW = 1.0, 5.0, 2.0


def main() -> None:
    parser = training_parser(
        __doc__, 6000, ("--state", "--width", "--export", "--note", "--evaluate"), changes={"--width": {"default": RefinerConfig.width}}
    )
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what was evaluated")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table of what was evaluated to")
    settings = parser.parse_args()
    require_state(parser, settings)
    if settings.evaluate or settings.export:
        from scripts.evaluate.silhouettes import evaluate, print_table, table_page

        if settings.export:
            state = torch.load(settings.state, map_location="cpu", weights_only=True)
            settings.evaluate = export_weights("silhouettes", state["mean"], settings.seed)
        report = evaluate(settings.mocap, read_network(settings.evaluate), settings.pictures)
        print_table(report)
        if settings.out:
            settings.out.write_text(table_page(report, CREDIT), encoding="utf-8")
        if settings.export:
            numbers = {
                "steps": state["step"],
                "silhouettes_a_step": BATCH,
                "training_hours": round(state["seconds"] / 3600, 2),
                "test_subjects": sorted(TEST_SUBJECTS),
                **report,
                "note": settings.note,
            }
            write_metrics("silhouettes", settings.seed, numbers)
    else:
        train(settings, SampleGenerator(settings.mocap))


class TrainingSample(NamedTuple):
    """pictures and numbers, of `encode_inputs`, and what should be answered: betas, ends, camera, view, of Corrections."""

    pictures: torch.Tensor
    numbers: torch.Tensor
    betas: torch.Tensor
    ends: torch.Tensor
    camera: torch.Tensor
    view: torch.Tensor


class SampleGenerator:
    """Draws batches to learn from: `draw(rng, count)`."""

    def __init__(self, mocap: Path, testing: bool = False) -> None:
        self.template = load_body()
        self.surface = SurfacePoints(self.template)
        self.quats = read_rotations(mocap, testing)
        self.gain, self.noise = betas_from_bone_lengths(self.template)

    def draw(self, rng: np.random.Generator, count: int) -> TrainingSample:
        """A TrainingSample of `count` silhouettes."""
        truth = draw_people(rng, self.quats, count)
        points, joints = self.surface.pose(*truth)
        near = points[..., 2].amin(1)
        # Nobody stands closer than half a metre.
        back = (0.5 - near).clamp_min(0)
        truth.transl[:, 2] += back
        points[..., 2] += back[:, None]
        joints[..., 2] += back[:, None]
        windows = crop_windows(rng, joints, count)
        silhouettes, _nearness = rasterise(points, windows, MASK_SIZE)
        hands = joints[:, [JOINT_INDEX["left_hand"], JOINT_INDEX["right_hand"]]]
        hands = (hands[..., :2] / hands[..., 2:] - windows[:, None, :2]) / windows[:, None, 2:] * MASK_SIZE
        masks, inside = corrupt_masks(rng, silhouettes.numpy().astype(np.uint8), hands.numpy())
        seen = SilhouetteCrops(torch.as_tensor(masks), torch.as_tensor(inside), windows)
        estimate = perturb_estimate(rng, truth, self.gain, self.noise)
        return TrainingSample(
            *encode_inputs(self.surface, seen, *estimate), *target_corrections(truth, estimate, windows, self.surface.tree)
        )


def target_corrections(truth, estimate, windows, tree):
    """The Corrections that make of the estimate the truth: (betas, ends, camera, view).

    Ends are put where they truly point in the camera's axes, whatever is wrong with the limbs they hang on.
    """
    ends = roma.rotmat_to_rotvec(end_rotmats(estimate.rotmats, tree).mT @ end_rotmats(truth.rotmats, tree))
    here, there = (people.transl[:, :2] / people.transl[:, 2:] for people in (estimate, truth))
    scale = (estimate.transl[:, 2] / truth.transl[:, 2]).log()
    camera = torch.cat([scale[:, None], (there - here) / windows[:, 2:]], 1)
    turn = rotation_to_optical_axis(windows[:, :2] + windows[:, 2:] / 2)
    view = roma.rotmat_to_rotvec(turn @ truth.rotmats[:, 0] @ estimate.rotmats[:, 0].mT @ turn.mT)
    return truth.betas - estimate.betas, ends, camera, view


def correction_loss(network: SilhouetteNetwork, sample: TrainingSample) -> tuple[torch.Tensor, dict[str, float]]:
    """Negative log likelihood of betas and ends (Laplace), and the absolute errors of camera and viewpoint."""
    pictures = sample.pictures.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said = network(pictures, sample.numbers)
    off_betas = (said.betas - sample.betas).abs()
    off_ends = vector_norm(said.ends - sample.ends)
    parts = {
        "betas": (off_betas * (-said.log_scale_betas).exp() + said.log_scale_betas).mean(),
        "ends": WEIGHT_ENDS * (off_ends * (-said.log_scale_ends).exp() + said.log_scale_ends).mean(),
        "camera": WEIGHT_CAMERA * (said.camera - sample.camera).abs().mean(),
        "view": WEIGHT_VIEW * vector_norm(said.view - sample.view).mean(),
    }
    with torch.no_grad():
        shares = {
            "betas": off_betas.mean() / sample.betas.abs().mean(),
            "ends": off_ends.mean() / vector_norm(sample.ends).mean(),
            "camera": (said.camera - sample.camera).abs().mean() / sample.camera.abs().mean(),
            "view": vector_norm(said.view - sample.view).mean() / vector_norm(sample.view).mean(),
        }
    return sum(parts.values()), {name: value.item() for name, value in shares.items()}


def vector_norm(vectors: torch.Tensor) -> torch.Tensor:
    return (vectors.square().sum(-1) + 1e-8).sqrt()


def train(settings: argparse.Namespace, source: SampleGenerator) -> None:
    """Train up to the given step; writes the checkpoint every 250 steps and at the end."""
    torch.manual_seed(settings.seed)
    network, mean = (SilhouetteNetwork(RefinerConfig(width=settings.width)) for _ in range(2))
    network.to(memory_format=torch.channels_last)
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
            loss, shares = correction_loss(network, sample)
            optimise(optimiser, loss, network, 2.0)
            update_ema(mean, network, min(EMA_DECAY, (step + 1) / (step + 20)))
            running.update({**shares, "loss": loss.item()})
            if (step + 1) % 50 == 0:
                print(f"step {step + 1} {running.text(3)} seconds {state.seconds:.0f}", flush=True)
            if (step + 1) % 250 == 0 or step + 1 == settings.steps:
                state.save(step + 1)


if __name__ == "__main__":
    main()
