"""Measure HKMR on the test subjects: against HMR with nothing and with one chain hidden, its ablation, and PC-HMR over both.

    .venv/bin/python -m scripts.evaluate.hkmr MOCAP --state FOLDER [--ablation]     write the table of docs/hkmr.md

MOCAP is the folder of scripts/train/hkmr.py. FOLDER stores the test windows and the short trainings of the ablation, which --ablation
adds: each row is trained for --steps from the same encoder, which stays as it is. Without --ablation the rows that FOLDER holds are
measured. Test windows are those of docs/pc_hmr.md: simulated detections, half of the windows without silhouettes. With a chain hidden its
keypoints are missing, and its part of the silhouette.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from blender_meshrec.bodies.window_regression import window_rotation_to_axis
from blender_meshrec.core.metrics import align_similarity
from blender_meshrec.methods.hkmr import Hkmr, MirrorAverage, load_hkmr, read_hkmr
from blender_meshrec.methods.hmr import load_hmr
from blender_meshrec.methods.pc_hmr import LIFTER_WEIGHTS_FILE, Calibration, load_calibration
from blender_meshrec.methods.skeleton2mesh import Lifter, load_lifter
from scripts import ROOT
from scripts.train.calibration.experiment import FRAMES, TEST_BATCH, WINDOWS, Experiment
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS
from scripts.train.calibration.mesh_and_pose_streams import Meshes, lift_with_averaging, pose_meshes, scale_to_body, true_meshes
from scripts.train.command_line import training_parser
from scripts.train.hierarchy.ablation import ROWS, load_or_train_row
from scripts.train.hierarchy.hidden_chains import CHAIN_INDICES, hidden_by, observe

PAGE = ROOT / "docs" / "hkmr.md"
HAND_WRITTEN_HEADING = "\n## Discussion\n"  # the page is written by hand from here on
TIE = 1.0  # mm
# MPJPE of the paper's ablation, Human3.6M protocol 1, mm.
PAPER_MPJPE = {"full": 71.08, "forward": 75.99, "parent": 77.10}


class Errors(NamedTuple):
    """Mean errors, mm: over all vertices, over h36m17, and over h36m17 after alignment; the first two relative to the hip."""

    mpve: float
    mpjpe: float
    pa_mpjpe: float


class TestFrames:
    """The test windows, every `stride`-th frame, and what networks see of them: nothing hidden, and each chain hidden."""

    def __init__(self, experiment: Experiment, stride: int) -> None:
        self.experiment, self.stride = experiment, stride
        flat = experiment.pool("test").flatten_windows()
        self.frames = flat.select(torch.arange(0, len(flat.betas), stride))
        self.true = true_meshes(experiment.body, experiment.projector, self.frames)

    def errors(self, network: nn.Module, chain: str | None = None) -> Errors:
        """A network's errors, with a chain hidden in every frame."""
        rng = np.random.default_rng(11)
        count = len(self.frames.betas)
        hidden = [hidden_by(rng, chain) if chain else [] for _ in range(count)]
        points, silhouettes, windows = observe(rng, self.frames, hidden, none=0.5)
        with torch.no_grad():
            found = network.eval()(points, silhouettes)
            rotmats = found.rotmats.clone()
            rotmats[:, 0] = window_rotation_to_axis(windows).mT @ rotmats[:, 0]
            meshes = pose_meshes(self.experiment.body, self.experiment.projector, found.betas, rotmats)
        return mean_errors(meshes.vertices, meshes.joints, self.true)

    def calibrated_errors(self, network: nn.Module, calibration: Calibration, lifter: Lifter) -> Errors:
        """The errors of PC-HMR, as shipped, over a generator, in every `stride`-th window and with nothing hidden."""
        self.experiment.hmr = network
        errors = []
        for rows in torch.arange(0, WINDOWS["test"], self.stride).split(TEST_BATCH):
            windows = self.experiment.observe(np.random.default_rng([11, int(rows[0])]), "test", rows)
            lifted = lift_with_averaging(lifter, windows.rays, windows.confidence)
            target = scale_to_body(lifted, windows.generated.joints, FRAMES["test"])
            with torch.no_grad():
                vertices = calibration(windows.generated.vertices, windows.generated.joints, target)
            joints = self.experiment.projector @ vertices
            errors.append(mean_errors(vertices - joints[:, :1], joints - joints[:, :1], windows.true))
        return Errors(*(float(np.mean(values)) for values in zip(*errors)))


def mean_errors(vertices: torch.Tensor, joints: torch.Tensor, true: Meshes) -> Errors:
    """Errors of vertices (N,V,3) and joints (N,17,3) m, relative to the hip."""
    aligned = align_similarity(joints.numpy(), true.joints.numpy())
    pa = np.linalg.norm(aligned - true.joints.numpy(), axis=-1).mean()
    plain = [float((found - expected).norm(dim=-1).mean()) for found, expected in ((vertices, true.vertices), (joints, true.joints))]
    return Errors(*(1000 * float(value) for value in (*plain, pa)))


def main() -> None:
    parser = training_parser(__doc__, 600, ("--state",), changes={"--state": {"required": True, "help": "folder of stored results"}})
    parser.add_argument("--weights", type=Path, help="HKMR's weights; those that ship by default")
    parser.add_argument("--stride", type=int, default=3, help="one of so many test frames, and windows of PC-HMR, is measured")
    parser.add_argument("--ablation", action="store_true", help="train the rows of the ablation that are not trained yet")
    settings = parser.parse_args()
    settings.state.mkdir(parents=True, exist_ok=True)
    test = TestFrames(Experiment(settings.mocap, settings.state), settings.stride)
    hkmr = read_hkmr(settings.weights) if settings.weights else load_hkmr()
    lines = [*comparison(test, hkmr), *ablation(test, settings, hkmr), *over_generators(test, hkmr)]
    _, heading, by_hand = PAGE.read_text(encoding="utf-8").partition(HAND_WRITTEN_HEADING) if PAGE.exists() else ("", "", "")
    PAGE.write_text("\n".join(lines) + heading + by_hand, encoding="utf-8")
    print("\n".join(lines))


def comparison(test: TestFrames, hkmr: Hkmr) -> list[str]:
    """The page's introduction, and HMR against HKMR, both as they are used: HKMR's answers are averaged with its mirrored ones."""
    hmr, used = load_hmr(), MirrorAverage(hkmr)
    rows: list[tuple[str, Errors, Errors]] = []
    for name, chain in (("nothing", None), *((name.replace("_", " "), name) for name in CHAIN_INDICES)):
        before, after = test.errors(hmr, chain), test.errors(used, chain)
        rows.append((name, before, after))
    before, after = (Errors(*np.mean(side, axis=0)) for side in ([row[1] for row in rows[1:]], [row[2] for row in rows[1:]]))
    rows.append(("one chain, mean", before, after))
    rows.append(("nothing; HKMR without mirrored answers", rows[0][1], test.errors(hkmr)))
    return [
        "# HKMR: accuracy and ablation",
        "",
        f"Made by `scripts/evaluate/hkmr.py` from {len(test.frames.betas)} frames of the motion-capture subjects",
        f"{', '.join(SUBJECT_SPLITS['test'])}, which no network was trained on: the open body with random betas in random cameras, with",
        "simulated detector noise, half of the windows with silhouettes. MPVE is over all vertices, MPJPE over h36m17, both relative to",
        "the hip and without alignment.",
        "",
        "## HMR and HKMR",
        "",
        "| hidden | HMR: MPVE, MPJPE, PA-MPJPE, mm | HKMR: MPVE, MPJPE, PA-MPJPE, mm | MPJPE less by |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {_text(one)} | {_text(two)} | {100 * (1 - two.mpjpe / one.mpjpe):.0f} % |" for name, one, two in rows),
        "",
    ]


def ablation(test: TestFrames, settings: argparse.Namespace, hkmr: Hkmr) -> list[str]:
    """The paper's ablation, of the rows that are trained."""
    measured: list[tuple[str, str, Errors, Errors]] = []
    for name, row in ROWS.items():
        network = load_or_train_row(settings, name, hkmr)
        if network is not None:
            measured.append((name, row.text, test.errors(network), _mean_hidden(test, network)))
    if not measured:
        return []
    return [
        "## Ablation",
        "",
        f"Chains and heads are trained anew for {settings.steps} steps a row, on features of the shipped encoder, which stays as it is.",
        f"Differences under {TIE:.0f} mm are ties.",
        "",
        "| variant | MPVE, MPJPE, PA-MPJPE, mm | with one chain hidden | MPJPE in the paper, mm |",
        "|---|---:|---:|---:|",
        *(f"| {text} | {_text(one)} | {_text(two)} | {PAPER_MPJPE.get(name, '')} |" for name, text, one, two in measured),
        "",
    ]


def _mean_hidden(test: TestFrames, network: nn.Module) -> Errors:
    """Mean errors over the chains, each hidden in turn."""
    return Errors(*np.mean([test.errors(network, chain) for chain in CHAIN_INDICES], axis=0))


def over_generators(test: TestFrames, hkmr: Hkmr) -> list[str]:
    """PC-HMR as shipped over HMR and over HKMR."""
    calibration, lifter = load_calibration(test.experiment.template), load_lifter(weights=LIFTER_WEIGHTS_FILE)
    rows = [
        (name, test.calibrated_errors(network, calibration, lifter))
        for name, network in (("HMR", load_hmr()), ("HKMR", MirrorAverage(hkmr)))
    ]
    return [
        "## PC-HMR over either",
        "",
        "| generator | MPVE, MPJPE, PA-MPJPE of PC-HMR, mm |",
        "|---|---:|",
        *(f"| {name} | {_text(errors)} |" for name, errors in rows),
        "",
    ]


def _text(errors: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in errors)


if __name__ == "__main__":
    main()
