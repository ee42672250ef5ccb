"""Convert motion capture to SKEL, measure the conversion, and write docs/skel_accuracy.md.

    .venv/bin/python -m scripts.evaluate.skel MOCAP [--frames 60] [--every 1] [--out docs/skel_accuracy.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. The middle frames of every clip are converted, on the open body with
random betas (seeded). The conversion has no trained parameters, so no subject is held out. The second table measures SKELify on true
2D joints of the subjects that the lifter was not trained on. PVE is the mean distance between corresponding vertices of the two skins
in a frame, maxPVE the largest; accelerations are those of hips, knees, ankles, shoulders, elbows, wrists and head.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import BoolArray, FloatArray
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skel.inverse_kinematics import SMPL_SOURCE_JOINTS
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS, limit_excess
from blender_meshrec.methods.smpl_to_skel import FLAG_DISTANCE, convert_smpl_to_skel
from scripts import ROOT
from scripts.evaluate.skelify import MAX_FRAMES, SkelifyRow, skelify_rows
from scripts.train.data.recordings import CREDIT, FPS, Recording, read_recordings, rotmats_from_quats

COMPARED_JOINTS = [
    joint for joint, name in enumerate(SKEL_JOINTS) if name.split("_")[0] in ("femur", "tibia", "talus", "humerus", "ulna", "hand", "head")
]


@dataclass(frozen=True)
class Conversion:
    """Measurements of one converted clip.

    within_limits: (F,), source frames within SKEL's limits. pve, max_pve: (F,) m. limit_excess: largest angle beyond a limit, degrees.
    source_accelerations, skel_accelerations: m/s^2, of COMPARED_JOINTS in all frames. seconds: time that the conversion took.
    """

    text: str
    within_limits: BoolArray
    pve: FloatArray
    max_pve: FloatArray
    limit_excess: float
    source_accelerations: FloatArray
    skel_accelerations: FloatArray
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth clip")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "skel_accuracy.md")
    arguments = parser.parse_args()
    body, skel = make_body(load_body()), Skel(load_skel())
    conversions = []
    for number, recording in enumerate(read_recordings(arguments.mocap)[:: arguments.every]):
        start = max(0, (len(recording.quats) - arguments.frames) // 2)
        poses, trans = motion_from_recording(recording, slice(start, start + arguments.frames))
        betas = np.random.default_rng(number).normal(0, 0.7, 10)
        conversions.append(measure_conversion(body, skel, recording.text, poses, trans, betas))
        print(f"{number:4d} {recording.text[:50]:<50} {table_row(conversions[-1:])}", flush=True)
    fitted = []
    for row in skelify_rows(arguments.mocap, skel, arguments.every):
        fitted.append(row)
        print(row, flush=True)
    write_page(arguments, conversions, fitted)


def motion_from_recording(recording: Recording, rows: slice) -> tuple[FloatArray, FloatArray]:
    """Poses (F,72) rad and trans (F,3) m of some frames of a Recording, z up."""
    rotmats = rotmats_from_quats(recording.quats[rows])
    rotmats[:, 0] = WORLD_FROM_BODY @ rotmats[:, 0]
    return rotvec_from_rotmat(rotmats).reshape(-1, 72), recording.trans[rows] @ WORLD_FROM_BODY.T


def measure_conversion(body: Smpl, skel: Skel, text: str, poses: FloatArray, trans: FloatArray, betas: FloatArray) -> Conversion:
    """Convert a clip, poses (F,72) rad and trans (F,3) m, and measure the result."""
    begun = time.perf_counter()
    motion = convert_smpl_to_skel(body, skel, poses, betas, trans)
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        source = body.joints(betas, poses[:, :3], poses[:, 3:], trans).numpy()[:, SMPL_SOURCE_JOINTS[COMPARED_JOINTS]]
        converted = skel.joints(motion.q, betas, motion.skel_trans).numpy()[:, COMPARED_JOINTS]
    excess = float(np.degrees(limit_excess(motion.q).max()))
    accelerations = (joint_accelerations(joints) for joints in (source, converted))
    return Conversion(text, motion.within_limits, motion.pve, motion.max_pve, excess, *accelerations, seconds=seconds)


def joint_accelerations(joints: FloatArray) -> FloatArray:
    """Magnitudes of the accelerations of joints (F,J,3) m in all frames, m/s^2, flattened."""
    return np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).ravel() * FPS**2


def table_row(conversions: Sequence[Conversion]) -> str:
    """The numbers of some clips as cells of a table."""
    within = np.concatenate([conversion.within_limits for conversion in conversions])
    pve = np.concatenate([conversion.pve for conversion in conversions])
    max_pve = np.concatenate([conversion.max_pve for conversion in conversions])
    source = np.concatenate([conversion.source_accelerations for conversion in conversions])
    converted = np.concatenate([conversion.skel_accelerations for conversion in conversions])
    ratio = np.quantile(converted, 0.99) / np.quantile(source, 0.99) if len(source) else np.nan
    any_within = within.any()
    return " | ".join(
        [
            f"{len(pve)}",
            f"{100 * within.mean():.0f} %",
            f"{1000 * pve[within].mean():.1f} mm" if any_within else "-",
            f"{100 * (max_pve[within] < FLAG_DISTANCE).mean():.1f} %" if any_within else "-",
            f"{1000 * pve.mean():.1f} mm",
            f"{100 * (max_pve < FLAG_DISTANCE).mean():.1f} %",
            f"{max(conversion.limit_excess for conversion in conversions):.3f} deg",
            f"{ratio:.2f}",
            f"{sum(conversion.seconds for conversion in conversions) / len(pve) * 300:.0f} s",
        ]
    )


def write_page(arguments: argparse.Namespace, conversions: Sequence[Conversion], fitted: Sequence[SkelifyRow]) -> None:
    """Write the page with both tables, and print it."""
    kinds = {
        "all": conversions,
        "walking": [conversion for conversion in conversions if "walk" in conversion.text],
        "dance": [
            conversion for conversion in conversions if any(word in conversion.text for word in ("dance", "jete", "salsa", "indian"))
        ],
    }
    heads = (
        "frames | within limits | PVE, within limits | maxPVE < 6 cm, within limits | PVE | maxPVE < 6 cm | limit excess"
        " | acceleration ratio | time for 300 frames"
    )
    lines = [
        "# Conversion of SMPL motion to SKEL's angles",
        "",
        f"Made by `scripts/evaluate/skel.py --frames {arguments.frames} --every {arguments.every}` from {len(conversions)} clips of the",
        'CMU Graphics Lab Motion Capture Database. "Within limits" are the frames whose source pose is within SKEL\'s joint limits; other',
        "frames are clamped to the limits and flagged. The acceleration ratio is the 99th percentile of the accelerations of SKEL's joints",
        "over that of SMPL's joints. Times are measured on two shared cores.",
        "",
        f"| clips | {heads} |",
        "|" + "---|" * (heads.count("|") + 2),
        *(f"| {name} ({len(part)}) | {table_row(part)} |" for name, part in kinds.items() if part),
        "",
        "## SKELify",
        "",
        f"True 2D joints of {len(fitted)} clips of at most {MAX_FRAMES} frames, of subjects that the lifter was not trained on, one random",
        "camera per clip. PA-MPJPE over the 12 limb joints is the mean over clips; the reprojection error is the median over frames.",
        "",
        "| | PA-MPJPE | reprojection error |",
        "|---|---|---|",
        *skelify_lines(fitted),
        "",
        CREDIT,
    ]
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def skelify_lines(fitted: Sequence[SkelifyRow]) -> list[str]:
    """The rows of the second table."""
    errors = np.mean([row.errors for row in fitted], 0)
    before, after = np.mean([row.reprojection_before for row in fitted]), np.mean([row.reprojection_after for row in fitted])
    names = ("SMPL, as recovered", "converted to SKEL's angles", "after SKELify")
    pixels = ("", f"{before:.1f} px", f"{after:.1f} px")
    return [f"| {name} | {error:.1f} mm | {reprojection} |" for name, error, reprojection in zip(names, errors, pixels)]


if __name__ == "__main__":
    main()
