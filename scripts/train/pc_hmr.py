"""Fine-tune the lifter for PC-HMR, train the calibration of methods/pc_hmr.py, and measure the paper's tables on held-out subjects.

    .venv/bin/python -m scripts.train.pc_hmr MOCAP --state FOLDER                                      train what is not trained yet
    .venv/bin/python -m scripts.train.pc_hmr MOCAP --state FOLDER --tables                             write docs/pc_hmr.md
    .venv/bin/python -m scripts.train.pc_hmr MOCAP --state FOLDER --export                             write addon_models/pc_hmr*

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz (CMU Graphics Lab Motion Capture Database on SMPL's kinematic tree). The
mesh generator is the frozen one in addon_models (scripts/train/hmr.py); the calibration is trained on its meshes.
"""

import argparse
import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from blender_meshrec.methods.pc_hmr import BONES, Calibration, initial_weights
from blender_meshrec.methods.skeleton2mesh import Lifter, load_lifter
from scripts.train.calibration.ablation_modules import CorrectionNetwork
from scripts.train.calibration.experiment import FRAMES, WINDOWS, Experiment
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS, read_split_clips
from scripts.train.calibration.lifter_tuning import TuningPlan, restore_unit_scale, tune_lifter
from scripts.train.calibration.mesh_and_pose_streams import lift_keypoints, project_generated_joints, scale_to_body
from scripts.train.calibration.paper_tables import Variant, write_tables
from scripts.train.command_line import training_parser
from scripts.train.optimisation import RunningMean, optimise
from scripts.train.weights_export import export_weights, write_metrics

BATCH = 2  # windows
FRAME_STRIDE = 3  # one of so many frames is skinned
LEARNING_RATE, LIFTER_LEARNING_RATE = 1e-3, 3e-5
EDGE_WEIGHT = 0.5  # of edge length errors, relative to vertex errors
# The lifters to fine-tune, in this order.
LIFTERS = {
    "begun": TuningPlan(None, serial=False, by_frame=False, varied=False, batch=16, steps=14000, rate=5e-4),
    "parallel": TuningPlan("begun", serial=False, by_frame=False, varied=True, batch=16, steps=4000, rate=3e-4),
    "parallel, frames": TuningPlan("parallel", serial=False, by_frame=True, varied=False, batch=4, steps=400, rate=1e-4),
    "serial": TuningPlan("parallel", serial=True, by_frame=False, varied=False, batch=4, steps=800, rate=1e-4),
    "serial, frames": TuningPlan("parallel, frames", serial=True, by_frame=True, varied=False, batch=4, steps=250, rate=1e-4),
}
# The calibrations to train: what differs from the full method.
DEFAULT_RUN = {"nonrigid": True, "tuned": True, "serial": False, "spin": False, "shape": False}
RUNS: dict[str, dict[str, bool]] = {
    "full": {},
    "untuned": {"tuned": False},
    "rigid": {"nonrigid": False},
    "serial": {"serial": True},
    "spin": {"spin": True},
    "shape": {"shape": True},
}


def main() -> None:
    parser = training_parser(
        __doc__, 150, ("--state", "--export"), seed=3, changes={"--state": {"required": True, "help": "folder of checkpoints"}}
    )
    parser.add_argument("--hmr", type=Path, help="a generator's weights; those that ship by default")
    parser.add_argument(
        "--joint-steps", type=int, default=800, help="of calibration and lifter together, after --steps of the former alone"
    )
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--tables", action="store_true")
    settings = parser.parse_args()
    settings.state.mkdir(parents=True, exist_ok=True)
    experiment = Experiment(settings.mocap, settings.state, settings.hmr)
    if settings.export:
        export(experiment, settings)
        return
    lifters = {name: load_or_tune_lifter(experiment, settings, name) for name in LIFTERS}
    variants = {name: load_or_train_variant(experiment, settings, name, lifters) for name in settings.runs}
    if settings.tables:
        variants["first"] = Variant(Calibration(*initial_weights(experiment.template)), load_lifter())
        for way, run in (("parallel", "full"), ("serial", "serial")):
            variants[f"{way}, frames"] = replace(variants[run], lifter=lifters[f"{way}, frames"])
        write_tables(experiment, variants)


def load_or_tune_lifter(experiment: Experiment, settings: argparse.Namespace, name: str) -> Lifter:
    """One of LIFTERS, from FOLDER/lifter NAME.pt if it is tuned already."""
    path, plan = settings.state / f"lifter {name}.pt", LIFTERS[name]
    if not path.exists():
        lifter = load_or_tune_lifter(experiment, settings, plan.first) if plan.first else deepcopy(load_lifter())
        seconds = tune_lifter(experiment, read_split_clips(settings.mocap, "training"), lifter, plan, settings.seed)
        torch.save({"lifter": lifter.state_dict(), "seconds": seconds}, path)
    lifter = deepcopy(load_lifter())
    lifter.load_state_dict(torch.load(path, weights_only=True)["lifter"])
    return lifter


def load_or_train_variant(experiment: Experiment, settings: argparse.Namespace, name: str, lifters: Mapping[str, Lifter]) -> Variant:
    """One of RUNS as a Variant, from FOLDER/NAME.pt if it is trained already."""
    path, run = settings.state / f"{name}.pt", {**DEFAULT_RUN, **RUNS[name]}
    lifter = lifters["serial" if run["serial"] else "parallel"] if run["tuned"] else load_lifter()
    calibration = Calibration(*initial_weights(experiment.template))
    variant = Variant(calibration, deepcopy(lifter), run["nonrigid"], run["tuned"], run["serial"], run["spin"], run["shape"])
    torch.manual_seed(settings.seed)
    if variant.spin:
        variant.guess = CorrectionNetwork(len(BONES))
    elif variant.shape:
        variant.guess = CorrectionNetwork(23 * 3)
    parts = nn.ModuleDict({key: part for key, part in vars(variant).items() if isinstance(part, nn.Module)})
    if path.exists():
        parts.load_state_dict(torch.load(path, weights_only=True)["parts"])
    else:
        seconds = train(experiment, settings, name, variant)
        torch.save({"parts": parts.state_dict(), "seconds": seconds}, path)
    parts.eval().requires_grad_(False)
    return variant


def train(experiment: Experiment, settings: argparse.Namespace, name: str, variant: Variant) -> float:
    """Train the calibration with Adam, then lifter and calibration together; returns the seconds it took."""
    variant.lifter.requires_grad_(variant.tuned)
    own = [*variant.calibration.parameters(), *(variant.guess.parameters() if variant.guess else ())]
    groups: list[dict[str, Any]] = [{"params": own, "lr": LEARNING_RATE}]
    if variant.tuned:
        groups.append({"params": variant.lifter.parameters(), "lr": 0.0})
    optimiser = torch.optim.Adam(groups)
    steps, begun, running = settings.steps + settings.joint_steps, time.perf_counter(), RunningMean(0.97)
    for step in range(steps):
        fall = 0.5 * (1 + np.cos(np.pi * step / steps))
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * fall
        if variant.tuned:
            optimiser.param_groups[1]["lr"] = LIFTER_LEARNING_RATE * fall * (step >= settings.steps)
        loss = calibration_loss(experiment, variant, np.random.default_rng([settings.seed, step]))
        optimise(optimiser, loss)
        running.update({"loss": loss.item()})
        if (step + 1) % 50 == 0:
            print(f"{name} step {step + 1} loss {1000 * running.values['loss']:.1f} mm, {time.perf_counter() - begun:.0f} s", flush=True)
    return time.perf_counter() - begun


def calibration_loss(experiment: Experiment, variant: Variant, rng: np.random.Generator) -> torch.Tensor:
    """The mean errors of vertices, target joints and edge lengths on random windows, m."""
    rows = torch.as_tensor(rng.choice(WINDOWS["training"], BATCH, replace=False))
    pool, rays, confidence, generated, true = experiment.observe(rng, "training", rows)
    if variant.serial:
        rays, confidence = project_generated_joints(generated, pool), torch.ones_like(confidence)
    target = scale_to_body(lift_keypoints(variant.lifter, rays, confidence), generated.joints, FRAMES["training"])
    target_error = (target - true.joints).norm(dim=-1).mean()
    chosen = torch.arange(int(rng.integers(FRAME_STRIDE)), len(target), FRAME_STRIDE)
    calibrated = variant.calibrate(experiment.body, generated.select(chosen), target[chosen])
    vertices = true.vertices[chosen]
    vertex_error = (calibrated - vertices).norm(dim=-1).mean()
    return vertex_error + target_error + EDGE_WEIGHT * experiment.edge_error(calibrated, vertices)


def export(experiment: Experiment, settings: argparse.Namespace) -> None:
    """Write A, W and the lifter that was fine-tuned with them as fp16, and the metrics file."""
    state = torch.load(settings.state / "full.pt", weights_only=True)
    parts: dict[str, dict[str, torch.Tensor]] = {name: {} for name in ("calibration", "lifter")}
    for key, value in state["parts"].items():
        part, _, key = key.partition(".")
        parts[part][key] = value
    calibration = parts["calibration"]
    export_weights("pc_hmr", {"A": calibration["logits"].softmax(-1), "W": calibration["W"]}, settings.seed)
    lifter = deepcopy(load_lifter())
    lifter.load_state_dict(parts["lifter"])
    restore_unit_scale(experiment, read_split_clips(settings.mocap, "training"), lifter, settings.seed)
    export_weights("pc_hmr", lifter.state_dict(), settings.seed, part="_lifter")
    tuned = [torch.load(settings.state / f"lifter {name}.pt", weights_only=True)["seconds"] for name in ("begun", "parallel")]
    numbers = {
        "steps": settings.steps + settings.joint_steps,
        "lifter_steps": LIFTERS["begun"].steps + LIFTERS["parallel"].steps,
        "training_hours": round((state["seconds"] + sum(tuned)) / 3600, 2),
        "test_subjects": SUBJECT_SPLITS["test"],
        "results": "docs/pc_hmr.md",
    }
    write_metrics("pc_hmr", settings.seed, numbers)


if __name__ == "__main__":
    main()
