"""Train the network of methods/silhouette_refinement.py on silhouettes of the open body, drawn on the fly.

    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt [--steps 6000]          train, or go on from STATE.pt
    .venv/bin/python -m scripts.train.silhouettes MOCAP --state STATE.pt --export                write addon_models/silhouettes.*
    .venv/bin/python -m scripts.train.silhouettes MOCAP --evaluate addon_models/silhouettes.safetensors [--pictures FOLDER] [--out X.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's tree). Subjects
in scripts/train/data/recordings.py's TEST_SUBJECTS are never trained on. Each step draws its own people, cameras and mishaps from the seed
and its number, so a run that is interrupted and goes on sees what it would have seen. About an hour of one CPU core.
"""

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import roma
import torch

from blender_meshrec.bodies.silhouette_rendering import Surface, rasterise
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.silhouettes import SIDE
from blender_meshrec.methods.silhouette_refinement import (
    RefinerConfig,
    Seen,
    SilhouetteNetwork,
    end_orientations,
    look_at,
    read_network,
    turn_onto,
)
from scripts.train.checkpoint import Checkpoint, average
from scripts.train.data.recordings import CREDIT, TEST_SUBJECTS
from scripts.train.data.silhouette_bodies import AT, draw_people, guess, read_rotations, shape_from_bones, window_round
from scripts.train.data.silhouette_masks import spoil
from scripts.train.shipping import write_metrics, write_network

BATCH = 48
RATE, WARM_UP = 1.5e-3, 100  # AdamW's, in steps
EMA = 0.995
# How much the heads' errors count; camera and viewpoint are not laid on the body and help the features.
WEIGHT_ENDS, WEIGHT_CAMERA, WEIGHT_VIEW = 1.0, 5.0, 2.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--state", type=Path, help="checkpoint to go on from and to write")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=RefinerConfig.width)
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--note", default="", help="what else is to be known of the exported weights")
    parser.add_argument("--evaluate", type=Path, metavar="WEIGHTS")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what was evaluated")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table of what was evaluated to")
    settings = parser.parse_args()
    if not (settings.evaluate or settings.state):
        parser.error("to train or to export, --state says where the checkpoint is")
    if settings.evaluate or settings.export:
        from scripts.evaluate.silhouettes import evaluate, print_table, table_page

        if settings.export:
            state = torch.load(settings.state, map_location="cpu", weights_only=True)
            settings.evaluate = write_network("silhouettes", state["mean"], settings.seed)
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
        train(settings, Source(settings.mocap))


class Source:
    """Draws batches to learn from: `draw(rng, count)`."""

    def __init__(self, mocap, testing=False):
        self.template = load_body()
        self.surface = Surface(self.template)
        self.quats = read_rotations(mocap, testing)
        self.gain, self.noise = shape_from_bones(self.template)

    def draw(self, rng, count):
        """A Lesson of `count` silhouettes."""
        truth = draw_people(rng, self.quats, count)
        points, joints = self.surface.pose(*truth)
        near = points[..., 2].amin(1)
        # Nobody stands closer than half a metre.
        back = (0.5 - near).clamp_min(0)
        truth.transl[:, 2] += back
        points[..., 2] += back[:, None]
        joints[..., 2] += back[:, None]
        windows = window_round(rng, joints, count)
        silhouettes, _nearness = rasterise(points, windows, SIDE)
        hands = joints[:, [AT["left_hand"], AT["right_hand"]]]
        hands = (hands[..., :2] / hands[..., 2:] - windows[:, None, :2]) / windows[:, None, 2:] * SIDE
        masks, inside = spoil(rng, silhouettes.numpy().astype(np.uint8), hands.numpy())
        seen = Seen(torch.as_tensor(masks), torch.as_tensor(inside), windows)
        estimate = guess(rng, truth, self.gain, self.noise)
        return Lesson(*look_at(self.surface, seen, *estimate), *wanted(truth, estimate, windows, self.surface.tree))


class Lesson(NamedTuple):
    """pictures and numbers, of `look_at`, and what should be answered: betas, ends, camera, view, of Corrections."""

    pictures: torch.Tensor
    numbers: torch.Tensor
    betas: torch.Tensor
    ends: torch.Tensor
    camera: torch.Tensor
    view: torch.Tensor


def wanted(truth, estimate, windows, tree):
    """The Corrections that make of the estimate the truth: (betas, ends, camera, view).

    Ends are put where they truly point in the camera's axes, whatever is wrong with the limbs they hang on.
    """
    ends = roma.rotmat_to_rotvec(end_orientations(estimate.rotmats, tree).mT @ end_orientations(truth.rotmats, tree))
    here, there = (people.transl[:, :2] / people.transl[:, 2:] for people in (estimate, truth))
    scale = (estimate.transl[:, 2] / truth.transl[:, 2]).log()
    camera = torch.cat([scale[:, None], (there - here) / windows[:, 2:]], 1)
    turn = turn_onto(windows[:, :2] + windows[:, 2:] / 2)
    view = roma.rotmat_to_rotvec(turn @ truth.rotmats[:, 0] @ estimate.rotmats[:, 0].mT @ turn.mT)
    return truth.betas - estimate.betas, ends, camera, view


def lesson_loss(network, lesson):
    """Negative log likelihood of betas and ends (Laplace), and the absolute errors of camera and viewpoint."""
    pictures = lesson.pictures.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said = network(pictures, lesson.numbers)
    off_betas = (said.betas - lesson.betas).abs()
    off_ends = length(said.ends - lesson.ends)
    parts = {
        "betas": (off_betas * (-said.doubt_betas).exp() + said.doubt_betas).mean(),
        "ends": WEIGHT_ENDS * (off_ends * (-said.doubt_ends).exp() + said.doubt_ends).mean(),
        "camera": WEIGHT_CAMERA * (said.camera - lesson.camera).abs().mean(),
        "view": WEIGHT_VIEW * length(said.view - lesson.view).mean(),
    }
    with torch.no_grad():
        shares = {
            "betas": off_betas.mean() / lesson.betas.abs().mean(),
            "ends": off_ends.mean() / length(lesson.ends).mean(),
            "camera": (said.camera - lesson.camera).abs().mean() / lesson.camera.abs().mean(),
            "view": length(said.view - lesson.view).mean() / length(lesson.view).mean(),
        }
    return sum(parts.values()), {name: value.item() for name, value in shares.items()}


def length(vectors):
    return (vectors.square().sum(-1) + 1e-8).sqrt()


def train(settings, source):
    """Train up to the given step; writes the checkpoint every 250 steps and at the end."""
    torch.manual_seed(settings.seed)
    network, mean = (SilhouetteNetwork(RefinerConfig(width=settings.width)) for _ in range(2))
    network.to(memory_format=torch.channels_last)
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
    state, running = Checkpoint(settings.state, network=network, mean=mean, optimiser=optimiser), None

    def draw(step):
        with torch.no_grad():
            return source.draw(np.random.default_rng([settings.seed, step]), BATCH)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, state.step)
        for step in range(state.step, settings.steps):
            lesson, coming = coming.result(), pool.submit(draw, step + 1)
            fall = 0.5 * (1 + math.cos(math.pi * step / settings.steps))
            optimiser.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP) * max(fall, 1e-3)
            loss, shares = lesson_loss(network, lesson)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
            optimiser.step()
            average(mean, network, min(EMA, (step + 1) / (step + 20)))
            shares["loss"] = loss.item()
            running = shares if running is None else {n: 0.98 * running[n] + 0.02 * shares[n] for n in shares}
            if (step + 1) % 50 == 0:
                said = " ".join(f"{name} {value:.3f}" for name, value in running.items())
                print(f"step {step + 1} {said} seconds {state.seconds:.0f}", flush=True)
            if (step + 1) % 250 == 0 or step + 1 == settings.steps:
                state.save(step + 1)


if __name__ == "__main__":
    main()
