"""Tables 2 and 3 of the PC-HMR paper, measured on the test subjects' windows, for docs/pc_hmr.md."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from blender_meshrec.backend.fitting.body_fit import fit_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.metrics import align_similarity
from blender_meshrec.methods.hmr import SILHOUETTE_SIZE
from blender_meshrec.methods.lifter.even_times import FPS
from blender_meshrec.methods.lifter.lifter_input import POINTS, encode_keypoints
from blender_meshrec.methods.pc_hmr import Calibration
from blender_meshrec.methods.skeleton2mesh import TOKEN_FRAMES, Lifter
from scripts import ROOT
from scripts.train.calibration.ablation_modules import CorrectionNetwork, compensate_shape
from scripts.train.calibration.experiment import FRAMES, WINDOWS, Experiment, ObservedWindows
from scripts.train.calibration.filmed_windows import SUBJECT_SPLITS
from scripts.train.calibration.mesh_and_pose_streams import Meshes, lift_with_averaging, project_generated_joints, scale_to_body

PAGE = ROOT / "docs" / "pc_hmr.md"
HAND_WRITTEN_HEADING = "\n## Discussion\n"  # the page is written by hand from here on
# MPVE on Human3.6M in the paper, mm. Its full PC-HMR compensates shape, 61.1, and so do its other rows; without it has 61.2.
PAPER_MPVE = {"HMR": 96.1, "full": 61.2, "non-rigid": 69.3, "fine-tune": 85.5, "template": 125.7, "GT": 29.9, "spin": 61.0, "shape": 61.1}


@dataclass
class Variant:
    """A calibration and the lifter it was trained with.

    nonrigid: bones stretch. tuned: the lifter is fine-tuned. serial: the lifter sees the generated joints. spin, shape: the paper's
    extra self-rotation and shape compensation; guess: the network that predicts either.
    """

    calibration: Calibration
    lifter: Lifter
    nonrigid: bool = True
    tuned: bool = False
    serial: bool = False
    spin: bool = False
    shape: bool = False
    guess: CorrectionNetwork | None = None

    def calibrate(self, body: Smpl, meshes: Meshes, target: torch.Tensor) -> torch.Tensor:
        """The vertices (N,V,3) m of Meshes calibrated onto target joints (N,17,3) m."""
        vertices, spin = meshes.vertices, None
        if self.spin and self.guess is not None:
            spin = self.guess(meshes, target)
        if self.shape and self.guess is not None:
            vertices = compensate_shape(body, meshes, self.guess(meshes, target).unflatten(1, (-1, 3)))
        return self.calibration(vertices, meshes.joints, target, self.nonrigid, spin)


class Errors(NamedTuple):
    """Mean errors over all test frames, mm."""

    mpve: float
    mpjpe: float
    pa_mpjpe: float


class TestEvaluation:
    """Measures variants on the test windows, which are drawn once for all rows."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.batches = experiment, experiment.test_batches()

    def generator_errors(self) -> Errors:
        """The errors of the generated meshes."""
        return _mean_errors([self._frame_errors(windows.generated.vertices, windows.true) for windows in self.batches])

    def variant_errors(self, variant: Variant, by_frame: bool = False, template: bool = False, true_pose: bool = False) -> Errors:
        """The errors of a Variant.

        by_frame: the lifter sees single frames. template: the mean body at rest replaces the generated mesh. true_pose: the target is the
        true pose.
        """
        measured = []
        for windows in self.batches:
            target = windows.true.joints if true_pose else self._target_pose(variant.lifter, variant.serial, windows, by_frame)
            meshes = self.experiment.rest_meshes(windows.generated) if template else windows.generated
            with torch.no_grad():
                measured.append(self._frame_errors(variant.calibrate(self.experiment.body, meshes, target), windows.true))
        return _mean_errors(measured)

    def dik_errors(self, lifter: Lifter) -> Errors:
        """The errors without a mesh: DIK of the lifted pose on the open body, with betas fitted to its bone lengths."""
        measured: list[torch.Tensor] = []
        frames = FRAMES["test"]
        for windows in self.batches:
            target = self._target_pose(lifter, False, windows, False).numpy().astype(float)
            posed = []
            for first in range(0, len(target), frames):
                joints = target[first : first + frames]
                fit = fit_body(self.experiment.template, joints, np.ones((frames, 17)), None, np.arange(frames) / FPS)
                posed.append(self.experiment.body(fit.body.betas, fit.body.global_orient, fit.body.body_pose)[1])
            measured.append(self._frame_errors(torch.cat(posed), windows.true))
        return _mean_errors(measured)

    def _target_pose(self, lifter: Lifter, serial: bool, windows: ObservedWindows, by_frame: bool) -> torch.Tensor:
        """The lifted pose (N,17,3) m that a mesh is calibrated onto."""
        rays, confidence = windows.rays, windows.confidence
        if serial:
            rays, confidence = project_generated_joints(windows.generated, windows.pool), torch.ones_like(confidence)
        return scale_to_body(lift_with_averaging(lifter, rays, confidence, by_frame), windows.generated.joints, FRAMES["test"])

    def _frame_errors(self, vertices: torch.Tensor, true: Meshes) -> torch.Tensor:
        """MPVE, MPJPE and PA-MPJPE of each frame, (N,3) m, relative to the hip."""
        vertices = vertices - (self.experiment.projector[:1] @ vertices)
        joints, vertex_error = self.experiment.projector @ vertices, (vertices - true.vertices).norm(dim=-1).mean(1)
        aligned = torch.as_tensor(align_similarity(joints.numpy(), true.joints.numpy()))
        return torch.stack([vertex_error, *((each - true.joints).norm(dim=-1).mean(1) for each in (joints, aligned))], 1)


def _mean_errors(measured: Sequence[torch.Tensor]) -> Errors:
    return Errors(*(1000 * float(value) for value in torch.cat(list(measured)).mean(0)))


def count_gigaflops(experiment: Experiment, variant: Variant) -> dict[str, float]:
    """GFLOPs per frame of the generator with its skinning, the lifter, and the calibration; a multiply-add counts as two operations."""

    def count(action: Callable[[], object]) -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            action()
        return counter.get_total_flops() / 1e9

    points, silhouette = torch.zeros(1, 17, 3), torch.zeros(1, SILHOUETTE_SIZE, SILHOUETTE_SIZE)
    vertices, joints = experiment.body.v_template[None], (experiment.projector @ experiment.body.v_template)[None]
    betas, rotmats = torch.zeros(1, 10), torch.eye(3).repeat(1, 24, 1, 1)
    frames = 20 * TOKEN_FRAMES
    encoded, _ = encode_keypoints(torch.rand(1, frames, len(POINTS), 2), torch.ones(1, frames, len(POINTS)), torch.zeros(1))
    return {
        "generator": count(lambda: (experiment.hmr(points, silhouette), experiment.body(betas, rotmats[:, 0], rotmats[:, 1:]))),
        "lifter": count(lambda: variant.lifter(encoded)) / frames,
        "calibration": count(lambda: variant.calibration(vertices, joints, joints)),
    }


def write_tables(experiment: Experiment, variants: Mapping[str, Variant]) -> None:
    """Measure every row and write docs/pc_hmr.md."""
    evaluation = TestEvaluation(experiment)
    cost = count_gigaflops(experiment, variants["full"])
    generator, shipped = evaluation.generator_errors(), evaluation.variant_errors(variants["full"])
    lines = [
        *framework_table(evaluation, variants, cost, generator, shipped),
        *ablation_table(evaluation, variants, generator, shipped),
    ]
    _, heading, by_hand = PAGE.read_text(encoding="utf-8").partition(HAND_WRITTEN_HEADING) if PAGE.exists() else ("", "", "")
    PAGE.write_text("\n".join(lines) + heading + by_hand, encoding="utf-8")
    print("\n".join(lines))


def framework_table(
    evaluation: TestEvaluation, variants: Mapping[str, Variant], cost: Mapping[str, float], generator: Errors, shipped: Errors
) -> list[str]:
    """The page's introduction and its first table, the paper's table 2; cost: of `count_gigaflops`."""
    full, first = variants["full"], variants["first"]
    total = sum(cost.values())
    rows = [
        ("generator alone", "", generator, cost["generator"]),
        ("serial", "single-frame", evaluation.variant_errors(variants["serial, frames"], by_frame=True), total),
        ("serial", "clip", evaluation.variant_errors(variants["serial"]), total),
        ("serial, as shipped", "clip, tuned for parallel", evaluation.variant_errors(replace(full, serial=True)), total),
        ("parallel", "single-frame", evaluation.variant_errors(variants["parallel, frames"], by_frame=True), total),
        ("parallel, as shipped", "clip", shipped, total),
        ("parallel", "clip, not tuned", evaluation.variant_errors(variants["untuned"]), total),
        ("lifter, DIK and betas, without a mesh", "clip, tuned", evaluation.dik_errors(full.lifter), cost["lifter"]),
        ("lifter, DIK and betas, as shipped", "clip, not tuned", evaluation.dik_errors(first.lifter), cost["lifter"]),
    ]
    return [
        "# PC-HMR: accuracy and ablation",
        "",
        f"Made by `scripts/train/pc_hmr.py --tables` from {WINDOWS['test']} windows of {FRAMES['test']} frames of the motion-capture",
        f"subjects {', '.join(SUBJECT_SPLITS['test'])}, which no network was trained on. The windows show the open body with random betas",
        "in random cameras, with simulated detector noise; half of them have silhouettes. MPVE is over all vertices, MPJPE over h36m17,",
        "both relative to the hip and without alignment. The generator is frozen.",
        "",
        "## Generators, frameworks and lifters (the paper's table 2)",
        "",
        "| framework | lifter | MPVE, mm | MPJPE, mm | PA-MPJPE, mm | GFLOPs per frame |",
        "|---|---|---:|---:|---:|---:|",
        *(f"| {name} | {lifter} | {e.mpve:.1f} | {e.mpjpe:.1f} | {e.pa_mpjpe:.1f} | {flops:.3f} |" for name, lifter, e, flops in rows),
        "",
        f"GFLOPs exclude the 2D detector: generator and skinning {cost['generator']:.3f}, lifter {cost['lifter']:.3f},",
        f"calibration {cost['calibration']:.3f}.",
        "",
    ]


def ablation_table(evaluation: TestEvaluation, variants: Mapping[str, Variant], generator: Errors, shipped: Errors) -> list[str]:
    """The page's second table, the paper's table 3."""
    full = variants["full"]
    rows = [
        ("generated mesh", generator, "HMR"),
        ("PC-HMR, parallel", shipped, "full"),
        ("without the non-rigid term", evaluation.variant_errors(variants["rigid"]), "non-rigid"),
        ("without training A and W, without fine-tuning", evaluation.variant_errors(variants["first"]), "fine-tune"),
        ("mean body in rest pose instead of the generated mesh", evaluation.variant_errors(full, template=True), "template"),
        ("true 3D pose", evaluation.variant_errors(full, true_pose=True), "GT"),
        ("with extra self-rotation", evaluation.variant_errors(variants["spin"]), "spin"),
        ("with shape compensation", evaluation.variant_errors(variants["shape"]), "shape"),
    ]
    ratios = [(name, e, PAPER_MPVE[key], e.mpve / generator.mpve, PAPER_MPVE[key] / PAPER_MPVE["HMR"]) for name, e, key in rows]
    return [
        "## Ablation (the paper's table 3)",
        "",
        "| variant | MPVE, mm | MPJPE, mm | ratio to the generator's MPVE | MPVE in the paper on Human3.6M, mm | ratio in the paper |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {e.mpve:.1f} | {e.mpjpe:.1f} | {ratio:.2f} | {paper:.1f} | {theirs:.2f} |"
            for name, e, paper, ratio, theirs in ratios
        ),
        "",
    ]
