"""Measure HSMR's network against the mesh generator HMR on held-out subjects, and write docs/hsmr.md.

    .venv/bin/python -m scripts.evaluate.hsmr MOCAP [--windows 150] [--ablation WITH.pt WITHOUT.pt] [--out docs/hsmr.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. Windows of 9 frames of the test subjects show the open body with random
betas in random cameras, with simulated detector noise. --ablation: checkpoints of two runs of
scripts/train/hsmr.py, with and without refinement.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.joint_projector import JointProjector
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.array_types import FloatArray, IntArray
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.metrics import mpjpe, pa_mpjpe
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skel.metrics import body_volume, skel_limit_violation, smpl_limit_violation, violation_summary
from blender_meshrec.core.skel.vocabulary import limit_excess
from blender_meshrec.methods.hmr import load_hmr
from blender_meshrec.methods.hsmr_network import KeypointHsmr, load_keypoint_hsmr
from scripts import ROOT
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS, FilmedWindows, film_windows, read_split_clips
from scripts.train.data.recordings import CREDIT
from scripts.train.data.skel_labels import SkelLabels
from scripts.train.data.skel_samples import SampleIndex, SkelBody, SkelSamples, project
from scripts.train.hmr import FRAMES, STEP
from scripts.train.hsmr_refinement import LIMBS

BATCH, SEED = 150, 21


@dataclass
class Answers:
    """What a method gives for N frames.

    joints: (N,17,3) m, relative to the hip. vertex_errors: (N,) m. volumes: (N,) dm^3, of the body at rest. violation: (N,4) degrees, of
    knees and elbows. excess: degrees, the largest over any of SKEL's limits, or None. reprojection: half windows, by its own camera.
    """

    joints: FloatArray
    vertex_errors: FloatArray
    volumes: FloatArray
    violation: FloatArray
    excess: float | None
    reprojection: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--windows", type=int, default=150)
    parser.add_argument("--ablation", type=Path, nargs=2, metavar=("WITH", "WITHOUT"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "hsmr.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    experiment = Experiment(arguments.mocap, arguments.windows)
    lines = experiment.accuracy_table() + experiment.anatomy_table()
    if arguments.ablation:
        lines += experiment.ablation_table(arguments.ablation)
    write_page(arguments, lines)


class Experiment:
    """The test windows, and the answers of both methods to them."""

    @torch.no_grad()
    def __init__(self, mocap: Path, windows: int) -> None:
        self.smpl, self.body = make_body(load_body()), SkelBody()
        self.projector = JointProjector(self.smpl).h36m17_image
        clips = read_split_clips(mocap, "test")
        pool = film_windows(np.random.default_rng(SEED), self.smpl, self.projector, clips, windows, FRAMES, STEP).flatten_windows()
        self.samples = SkelSamples(pool, SkelLabels(torch.zeros(2, 0, 46), torch.zeros(2, 0)), self.body)
        betas = pool.betas.double().numpy()
        self.true_volumes = self.volumes(betas)
        poses = rotvec_from_rotmat(pool.rotmats[:, 0].double().numpy()).reshape(len(betas), -1)
        self.true_violation = smpl_limit_violation(poses)

    @property
    def pool(self) -> FilmedWindows:
        return self.samples.pool

    def volumes(self, betas: FloatArray, skel: bool = False) -> FloatArray:
        """Volumes (N,) dm^3 of the open body, or SKEL's skin, at rest."""
        template = self.body.skel.template if skel else self.smpl.template
        faces: IntArray = template.faces
        parts = [np.stack([template.rest_vertices(each) for each in part]) for part in np.array_split(betas, len(betas) // 30 + 1)]
        return np.concatenate([body_volume(vertices, faces) for vertices in parts])

    @torch.no_grad()
    def answers(self, network: KeypointHsmr | None, none: float) -> tuple[Answers, FloatArray]:
        """The Answers of HSMR's network, or the generator's for None, and the true joints (N,17,3) m.

        none: the fraction of frames without silhouettes.
        """
        rng, parts, true = np.random.default_rng(SEED), list[list[torch.Tensor]](), list[torch.Tensor]()
        for frames in torch.arange(len(self.pool.betas)).split(BATCH):
            batch = self.samples.draw(rng, SampleIndex(frames, torch.zeros_like(frames)), none=none)
            if network is None:
                found = load_hmr()(batch.points, batch.silhouettes)
                pose = found.rotmats
                vertices = self.smpl(found.betas, pose[:, 0], pose[:, 1:])[1]
            else:
                found = network(batch.points, batch.silhouettes)
                pose = found.q
                vertices = self.body.skel.vertices(found.q, found.betas)
            joints = self.projector @ vertices
            errors = self._vertex_errors(frames, vertices - joints[:, :1])
            relative = joints - joints[:, :1]
            apart = (project(relative, found.camera) - batch.positions)[:, LIMBS].norm(dim=-1).mean(1)
            parts.append([relative, errors, found.betas, pose, apart])
            true.append(batch.joints)
        relative, errors, betas, pose, apart = (torch.cat(part).double().numpy() for part in zip(*parts))
        if network is None:
            violation, excess = smpl_limit_violation(rotvec_from_rotmat(pose).reshape(len(pose), -1)), None
        else:
            violation, excess = skel_limit_violation(pose), float(np.degrees(limit_excess(pose).max()))
        volumes = self.volumes(betas, skel=network is not None)
        return Answers(relative, errors, volumes, violation, excess, float(apart.mean())), torch.cat(true).double().numpy()

    def _vertex_errors(self, frames: torch.Tensor, vertices: torch.Tensor) -> torch.Tensor:
        """Mean distance (N,) m of vertices (N,V,3), relative to the hip and in window axes, from the true ones."""
        betas, rotmats = self.pool.betas[frames], self.pool.rotmats[frames, 0].clone()
        rotmats[:, 0] = self.samples.root(frames)
        true = self.smpl(betas, rotmats[:, 0], rotmats[:, 1:])[1]
        return (vertices - true + (self.projector @ true)[:, :1]).norm(dim=-1).mean(1)

    def accuracy_table(self) -> list[str]:
        """The first table: errors of both methods, with and without silhouettes."""
        lines = [
            "## Accuracy",
            "",
            "| method | silhouettes | PA-MPJPE, mm | MPJPE, mm | MPVE, mm | own 2D, half windows | volume error, dm^3 |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        for none, word in ((1.0, "none"), (0.0, "all")):
            for name, network in (("HMR, SMPL's pose", None), ("HSMR, SKEL's angles", load_keypoint_hsmr())):
                found, true = self.answers(network, none)
                volume = np.abs(found.volumes - self.true_volumes).mean()
                lines.append(f"| {name} | {word} | {error_cells(found, true)} | {found.reprojection:.4f} | {volume:.1f} |")
        return [*lines, ""]

    def anatomy_table(self) -> list[str]:
        """The second table: violations of the limits of knees and elbows."""
        lines = [
            "## Joint limits",
            "",
            "| pose | knees > 10, 20, 30 deg | elbows > 10, 20, 30 deg | mean of both | largest over any of SKEL's limits |",
            "|---|---:|---:|---:|---:|",
            violation_row("motion capture, SMPL", self.true_violation, None),
        ]
        for name, network in (("HMR, SMPL", None), ("HSMR, SKEL", load_keypoint_hsmr())):
            found, _ = self.answers(network, 0.5)
            lines.append(violation_row(name, found.violation, found.excess))
        return [*lines, ""]

    def ablation_table(self, states: Sequence[Path]) -> list[str]:
        """The third table: two short trainings, with and without refinement of the labels."""
        lines = [
            "## Refinement in training",
            "",
            "| training | steps | PA-MPJPE, mm | MPJPE, mm | MPVE, mm | own 2D, half windows |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for name, path in zip(("with refinement", "without refinement"), states):
            state = torch.load(path, weights_only=True)
            network = KeypointHsmr()
            network.load_state_dict(state["network"])
            found, true = self.answers(network.eval(), 0.5)
            lines.append(f"| {name} | {state['step']} | {error_cells(found, true)} | {found.reprojection:.4f} |")
        return [*lines, "", ABLATION_NOTES]


def error_cells(found: Answers, true: FloatArray) -> str:
    """PA-MPJPE and MPJPE of the limb joints, and MPVE, mm, as cells."""
    limbs, true_limbs = found.joints[:, LIMBS], true[:, LIMBS]
    errors = pa_mpjpe(limbs, true_limbs), mpjpe(limbs, true_limbs), 1000 * found.vertex_errors.mean()
    return " | ".join(f"{error:.1f}" for error in errors)


def violation_row(name: str, violation: FloatArray, excess: float | None) -> str:
    """A row of the second table."""
    summary = violation_summary(violation)
    fractions = (", ".join(f"{100 * part:.1f} %" for part in summary[side].values()) for side in ("knees", "elbows"))
    return f"| {name} | {' | '.join(fractions)} | {summary['mean']:.1f} deg | {'' if excess is None else f'{excess:.1f} deg'} |"


INTRODUCTION = """# HSMR's network: accuracy and anatomy

Made by `scripts/evaluate/hsmr.py --windows {windows}` from {frames} frames of the motion-capture subjects {subjects}, on which no
network was trained: the open body with random betas in random cameras, with simulated detector noise. Each frame is regressed by itself.
PA-MPJPE and MPJPE are over the twelve limb joints, MPVE over all vertices, both relative to the hip; both methods' joints are the same
mixtures of the skin's vertices. "Own 2D" is the mean distance of a method's limb joints, projected by its own camera, from the true 2D
joints. Volume error: of the body at rest. Violations are those of HSMR's supplement S.5 (`core/skel/metrics.py`): the share of frames in
which knees or elbows exceed a limit by more than so many degrees.
"""
NOTES = """## What to expect

HSMR's angles cannot exceed a limit: the network's answer is clamped to them, and the conversion that follows is bounded by them. Its joints
are about as exact as those of the generator whose features it sees; what it adds is the skeleton. Whole clips go on to the solve, which
uses all frames at once and is more exact than either ([accuracy](accuracy.md)). SMPL's elbows violate the measure in the motion capture
itself: there the forearm's direction at rest and its rotation lie in the same joint.
"""
ABLATION_NOTES = """Two thirds of the frames have 2D joints alone, and no label at first, as the paper's pictures whose conversion fails.
Refinement fits SKEL to the 2D joints every 50 steps, starting from the latest predictions, and keeps what is nearer; a label's joints then
count as 3D joints. Where the first labels are good, poses of the generator on its own training subjects, refinement makes no difference.
"""


def write_page(arguments: argparse.Namespace, tables: Sequence[str]) -> None:
    """Write the page, and print it."""
    frames = arguments.windows * FRAMES
    introduction = INTRODUCTION.format(windows=arguments.windows, frames=frames, subjects=", ".join(SUBJECT_SPLITS["test"]))
    text = "\n".join([introduction, *tables, NOTES, CREDIT]) + "\n"
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
