"""Convert motion capture to SKEL and measure it: the table in docs/skel_accuracy.md.

    .venv/bin/python -m scripts.evaluate.skel MOCAP [--frames 60] [--every 1] [--out docs/skel_accuracy.md]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. Of every clip the middle frames are converted, on the open body with
random betas (seeded). Nothing is trained, so no subject is held out. A second table has SKELify, from true 2D joints of the
subjects that the lifter was not trained on. PVE is the mean distance of the two skins' vertices in
a frame, maxPVE the largest; acceleration is that of hips, knees, ankles, shoulders, elbows, wrists and head.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.skel import Skel
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.rotations import rotvec_from_rotmat
from blender_meshrec.core.skel.inverse_kinematics import SMPL_SOURCE_JOINTS
from blender_meshrec.core.skel.template import load_skel
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS, limit_excess
from blender_meshrec.methods.smpl_to_skel import FLAG_DISTANCE, convert_smpl_to_skel
from scripts import ROOT
from scripts.evaluate.skelify import MAX_FRAMES, skelify_rows
from scripts.train.data.recordings import CREDIT, FPS, read_recordings, rotmats_from_quats

COMPARED_JOINTS = [
    joint for joint, name in enumerate(SKEL_JOINTS) if name.split("_")[0] in ("femur", "tibia", "talus", "humerus", "ulna", "hand", "head")
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth clip")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "skel_accuracy.md")
    chosen = parser.parse_args()
    body, skel = make_body(load_body()), Skel(load_skel())
    rows = []
    for number, recording in enumerate(read_recordings(chosen.mocap)[:: chosen.every]):
        start = max(0, (len(recording.quats) - chosen.frames) // 2)
        poses, trans = motion_from_recording(recording, slice(start, start + chosen.frames))
        rows.append(measure_conversion(body, skel, recording.text, poses, trans, np.random.default_rng(number).normal(0, 0.7, 10)))
        print(f"{number:4d} {recording.text[:50]:<50} {table_row(rows[-1:])}", flush=True)
    fitted = []
    for row in skelify_rows(chosen.mocap, skel, chosen.every):
        fitted.append(row)
        print(row, flush=True)
    write_page(chosen, rows, fitted)


def motion_from_recording(recording, rows):
    """Poses (F,72) rad and trans (F,3) m of some frames of a Recording, z up."""
    rotmats = rotmats_from_quats(recording.quats[rows])
    rotmats[:, 0] = WORLD_FROM_BODY @ rotmats[:, 0]
    return rotvec_from_rotmat(rotmats).reshape(-1, 72), recording.trans[rows] @ WORLD_FROM_BODY.T


def measure_conversion(body, skel, text, poses, trans, betas):
    """What converting a clip, poses (F,72) rad and trans (F,3) m, costs: by frame, by joint and frame, and as a whole."""
    begun = time.perf_counter()
    found = convert_smpl_to_skel(body, skel, poses, betas, trans)
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        source = body.joints(betas, poses[:, :3], poses[:, 3:], trans).numpy()[:, SMPL_SOURCE_JOINTS[COMPARED_JOINTS]]
        made = skel.joints(found.q, betas, found.skel_trans).numpy()[:, COMPARED_JOINTS]
    return {
        "text": text,
        "within": found.within_limits,
        "pve": found.pve,
        "max_pve": found.max_pve,
        "excess": np.degrees(limit_excess(found.q).max()),
        "accelerations": [np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).ravel() * FPS**2 for joints in (source, made)],
        "seconds": seconds,
    }


def table_row(rows):
    """The numbers of some clips as cells of a table."""
    within, pve, max_pve = (np.concatenate([row[name] for row in rows]) for name in ("within", "pve", "max_pve"))
    source, made = (np.concatenate([row["accelerations"][which] for row in rows]) for which in (0, 1))
    ratio = np.quantile(made, 0.99) / np.quantile(source, 0.99) if len(source) else np.nan
    kept = within.any()
    return " | ".join(
        [
            f"{len(pve)}",
            f"{100 * within.mean():.0f} %",
            f"{1000 * pve[within].mean():.1f} mm" if kept else "-",
            f"{100 * (max_pve[within] < FLAG_DISTANCE).mean():.1f} %" if kept else "-",
            f"{1000 * pve.mean():.1f} mm",
            f"{100 * (max_pve < FLAG_DISTANCE).mean():.1f} %",
            f"{max(row['excess'] for row in rows):.3f} deg",
            f"{ratio:.2f}",
            f"{sum(row['seconds'] for row in rows) / len(pve) * 300:.0f} s",
        ]
    )


def write_page(chosen, rows, fitted):
    """Write the page of all tables, and print it."""
    kinds = {
        "all": rows,
        "walking": [row for row in rows if "walk" in row["text"]],
        "dance": [row for row in rows if any(word in row["text"] for word in ("dance", "jete", "salsa", "indian"))],
    }
    heads = "frames | within limits | PVE within | maxPVE < 6 cm within | PVE | maxPVE < 6 cm | over a limit | acceleration | 300 frames"
    lines = [
        "# SMPL motion as SKEL's angles",
        "",
        f"Made by `scripts/evaluate/skel.py --frames {chosen.frames} --every {chosen.every}` from {len(rows)} clips of the CMU Graphics",
        'Lab Motion Capture Database. "Within" are the frames whose source keeps to SKEL\'s limits; the others are held at the limits and',
        "flagged. \"Acceleration\" is the 99th percentile of SKEL's joints over that of SMPL's. Times are of two shared cores.",
        "",
        f"| clips | {heads} |",
        "|" + "---|" * (heads.count("|") + 2),
        *(f"| {name} ({len(part)}) | {table_row(part)} |" for name, part in kinds.items() if part),
        "",
        "## SKELify",
        "",
        f"True 2D joints of {len(fitted)} clips of at most {MAX_FRAMES} frames, of subjects the lifter was not trained on, seen by one",
        "random camera each. PA-MPJPE over the 12 limb joints, means over clips; the reprojection error is the median over frames.",
        "",
        "| | PA-MPJPE | reprojection error |",
        "|---|---|---|",
        *skelify_lines(fitted),
        "",
        CREDIT,
    ]
    chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def skelify_lines(fitted):
    """The rows of the second table."""
    errors, before, after = (np.mean([row[column] for row in fitted], 0) for column in (1, 2, 3))
    names = ("SMPL, as recovered", "the same in SKEL's angles", "after SKELify")
    pixels = ("", f"{before:.1f} px", f"{after:.1f} px")
    return [f"| {name} | {error:.1f} mm | {seen} |" for name, error, seen in zip(names, errors, pixels)]


if __name__ == "__main__":
    main()
