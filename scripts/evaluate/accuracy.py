"""Measure reconstructions of held-out motion capture through the whole pipeline, and write the tables of docs/accuracy.md.

    .venv/bin/python -m scripts.evaluate.accuracy MOCAP [--cameras 4] [--write]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. The recordings are those of TEST_SUBJECTS in
scripts/train/data/recordings.py, which no network was trained on. Random static cameras film each recording as 2D joints (h36m17,
30 frames a second, without intrinsics), once exactly and once with simulated detector noise. Each keypoints file is reconstructed as by
`meshrec reconstruct KEYPOINTS.npz`. Table rows are means over clips. The ground truth of joints is the captured joints; the ground
truth of rotations, vertices and contacts is the open body with the performer's bone lengths and rotations.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core import metrics
from blender_meshrec.core.array_types import BoolArray, FloatArray, IntArray
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_JOINTS, limb_indices
from scripts import ROOT
from scripts.evaluate.ground_truth import GroundTruth, ground_truth_of
from scripts.train.data.camera_views import Views, film_clip
from scripts.train.data.motion_clips import Clip, clip_from_recording
from scripts.train.data.recordings import FPS, TEST_SUBJECTS, read_recordings

PAGE = ROOT / "docs" / "accuracy.md"
METRICS = ROOT / "addon_models" / "lifter.metrics.json"
HAND_WRITTEN_HEADING = "\n## Footage\n"  # the page is written by hand from here on, with results of other scripts
IMAGE_DIAGONAL = 2203  # px, of an image of 1920 x 1080
BONES = ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")
LIMBS = [(f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in BONES]
LIMBS17, LIMBS24 = (np.array([[names.index(end) for end in limb] for limb in LIMBS]) for names in (H36M17, SMPL_JOINTS))
LIMB_JOINTS17, LIMB_JOINTS24 = limb_indices(H36M17), limb_indices(SMPL_JOINTS)
# Name of a number and its heading in the table.
COLUMNS = {
    "lifted_pa": "PA-MPJPE of lifted joints, mm",
    "joints_pa": "PA-MPJPE of body joints, mm",
    "mpjpe": "MPJPE, mm",
    "mpve": "MPVE, mm",
    "acceleration": "acceleration error, m/s²",
    "bones": "bone-length variation",
    "f1": "contact F1",
    "lifted_turn": "limb direction error of lifted joints, degrees",
    "joints_turn": "limb direction error of body joints, degrees",
    "pitch": "camera pitch error, degrees",
}

TableRow = dict[str, Any]  # clip, kind, noisy, and the numbers of COLUMNS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--cameras", type=int, default=4, help="how many film each clip")
    parser.add_argument("--every", type=int, default=1, help="only every Nth clip, for a quick look")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    settings = parser.parse_args()
    begun = time.perf_counter()
    rows, num_clips = measure_clips(settings.mocap, settings.cameras, settings.every)
    text = accuracy_table(rows, num_clips, settings.cameras) + training_table(json.loads(METRICS.read_text(encoding="utf-8")))
    print(text)
    print(f"{time.perf_counter() - begun:.0f} s")
    if settings.write:
        written_by_hand = PAGE.read_text(encoding="utf-8").partition(HAND_WRITTEN_HEADING)[2] if PAGE.exists() else "\n"
        PAGE.write_text(text + HAND_WRITTEN_HEADING + written_by_hand, encoding="utf-8")


def measure_clips(mocap: Path, cameras: int, every: int) -> tuple[list[TableRow], int]:
    """Table rows of the test recordings, one per clip, camera and noise setting, and the number of recordings."""
    template = load_body("open")
    body = make_body(template)
    recordings = [recording for recording in read_recordings(mocap) if recording.testing][::every]
    rows: list[TableRow] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, recording in enumerate(recordings):
            clip, truth = clip_from_recording(recording), ground_truth_of(template, recording)
            for noisy in (False, True):
                for numbers in evaluate(body, clip, truth, cameras, number, noisy, Path(folder)):
                    rows.append({"clip": clip.name, "kind": motion_kind(clip), "noisy": noisy, **numbers})
    return rows, len(recordings)


def motion_kind(clip: Clip) -> str:
    """The row of the table that a clip belongs to, from its description."""
    return "walking" if "walk" in clip.text else "running and jumping" if "jump" in clip.text or "run" in clip.text else "other"


def evaluate(body: Smpl, clip: Clip, truth: GroundTruth, cameras: int, seed: int, noisy: bool, folder: Path) -> Iterator[dict[str, float]]:
    """Yield the numbers of COLUMNS for each camera; keypoints files are written to `folder`."""
    views = film_clip(np.random.default_rng([7, seed]), clip, "h36m17", cameras, noisy)
    for camera in range(cameras):
        path = folder / "keypoints.npz"
        write_keypoints(path, views, camera)
        recovery = recover(ReconstructRequest(source=str(path), device="cpu")).recoveries[0]
        # The ground truth's world is z up, the views' y up.
        rotmats, transl = views.rotmats[camera] @ WORLD_FROM_BODY.T, views.transl[camera]
        yield compare_to_truth(body, recovery, truth, rotmats.astype(float), transl.astype(float), clip.valid)


def write_keypoints(path: Path, views: Views, camera: int) -> None:
    """Write a keypoints file without intrinsics, in pixels of a 1920 x 1080 image (portrait if the person needs it)."""
    rays = views.rays[camera, :, : len(H36M17)] / views.zoom[camera]
    size = np.array([1920, 1080])
    pixels = rays * views.focal[camera] * IMAGE_DIAGONAL
    if np.abs(pixels[..., 1]).max() > size[1] / 2 and np.abs(pixels[..., 0]).max() <= size[1] / 2:
        size = size[::-1]  # portrait
    keypoints = np.concatenate([pixels + size / 2, views.confidence[camera, :, : len(H36M17), None]], -1)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=size, fps=FPS)


def compare_to_truth(
    body: Smpl, recovery: Recovery, truth: GroundTruth, camera_rotmats: FloatArray, camera_transl: FloatArray, valid: BoolArray
) -> dict[str, float]:
    """The numbers of COLUMNS for one reconstruction.

    Args:
        camera_rotmats, camera_transl: (F,3,3) and (F,3) m, from the ground truth's world to camera axes. valid: (F,), frames that count.
    """

    def to_camera(points: FloatArray) -> FloatArray:
        return np.einsum("fij,fnj->fni", camera_rotmats, points) + camera_transl[:, None]

    lifted = transform_points(recovery.camera_from_world, recovery.lifted_joints.astype(float))
    vertices, joints = (
        transform_points(recovery.camera_from_world, points) for points in pose_body(body, recovery.betas, recovery.poses, recovery.trans)
    )
    true17 = to_camera(truth.h36m17)
    true_vertices, true24 = (to_camera(points) for points in pose_body(body, truth.betas, truth.poses, truth.transl))
    times = np.arange(len(joints)) / FPS
    up = recovery.camera_from_world[0, :3, 2]
    true_up = camera_rotmats[0, :, 2]
    vertex_error = np.linalg.norm((vertices - joints[:, :1]) - (true_vertices - true24[:, :1]), axis=-1).mean(1)
    return {
        "lifted_pa": metrics.pa_mpjpe(lifted[valid][:, LIMB_JOINTS17], true17[valid][:, LIMB_JOINTS17]),
        "joints_pa": metrics.pa_mpjpe(joints[valid][:, LIMB_JOINTS24], true17[valid][:, LIMB_JOINTS17]),
        "mpjpe": metrics.mpjpe(joints[valid], true24[valid], root=0),
        "mpve": 1000 * float(vertex_error[valid].mean()),
        "acceleration": metrics.acceleration_error(joints, true24, times),
        "bones": float(metrics.bone_length_variation(lifted, H36M17_PARENTS).max()),
        "f1": metrics.contact_f1(recovery.contacts, truth.contacts),
        "lifted_turn": limb_direction_error(lifted[valid], LIMBS17, true17[valid]),
        "joints_turn": limb_direction_error(joints[valid], LIMBS24, true17[valid]),
        "pitch": abs(float(np.degrees(np.arctan2(up[2], -up[1]) - np.arctan2(true_up[2], -true_up[1])))),
    }


def pose_body(body: Smpl, betas: FloatArray, poses: FloatArray, trans: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Vertices (F,V,3) m and SMPL's joints (F,24,3) m of a motion in its world."""
    joints, vertices = (points.numpy().astype(float) for points in body(betas, poses[:, :3], poses[:, 3:], trans))
    return vertices, joints[:, body.template.smpl_joint_indices]


def limb_direction_error(joints: FloatArray, limbs: IntArray, true17: FloatArray) -> float:
    """Median angle, degrees, between the limbs of joints (F,J,3) and of the true joints (F,17,3); limbs (L,2): start and end joints."""

    def directions(points: FloatArray, ends: IntArray) -> FloatArray:
        vectors = points[:, ends[:, 1]] - points[:, ends[:, 0]]
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    cosine = (directions(joints, limbs) * directions(true17, LIMBS17)).sum(-1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def accuracy_table(rows: Sequence[TableRow], num_clips: int, cameras: int) -> str:
    """The first part of the page in Markdown: the means over clips by noise and kind of motion."""
    lines = [
        "# Accuracy on held-out motion",
        "",
        f"Made by `scripts/evaluate/accuracy.py` from {num_clips} clips of the motion-capture subjects {', '.join(TEST_SUBJECTS)}.",
        f"No network was trained on these subjects. {cameras} random static cameras film each clip as 2D joints (h36m17, 30 frames",
        "a second, without intrinsics).",
        "",
        "| 2D joints | motion | clips | " + " | ".join(COLUMNS.values()) + " |",
        "|---|---|" + "---:|" * (len(COLUMNS) + 1),
    ]
    for noisy in (False, True):
        for kind in ("all", "walking", "running and jumping", "other"):
            chosen = [row for row in rows if row["noisy"] == noisy and kind in ("all", row["kind"])]
            if chosen:
                means = [np.nanmean([row[name] for row in chosen]) for name in COLUMNS]
                cells = [f"{mean:.3f}" if name in ("bones", "f1") else f"{mean:.1f}" for name, mean in zip(COLUMNS, means)]
                count = len({row["clip"] for row in chosen})
                lines.append(f"| {'simulated detector noise' if noisy else 'exact'} | {kind} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def training_table(report: dict[str, Any]) -> str:
    """The second part of the page in Markdown: the errors of the lifter alone by training, from lifter.metrics.json."""
    lines = [
        "\n## Training\n",
        "PA-MPJPE, mm, of the lifting network alone over the twelve limb joints, on exact 2D joints of whole clips, four random cameras.",
        "Unsupervised rows use the paper's single-frame network of width 256; the paper's table 1 has 64.3, 58.6 and 54.6.",
        "The proportion prior (ours) penalises differences between left and right bone lengths, and between the proportions of people.\n",
        "| training | adversarial loss | azimuth range | proportion prior | steps | hours | all | walking |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    own = report["pa_mpjpe_mm"]["h36m17 clean"]
    lines.append(f"| supervised | | | | {report['steps']} | {report['training_hours']} | {own['all']:.1f} | {own['walking']:.1f} |")
    for row in report["unsupervised"]:
        prior = "yes" if row["proportions"] else ""
        setting = f"{row['adversary']} | {row['azimuth']} | {prior} | {row['steps']} | {row['training_hours']}"
        errors = row["pa_mpjpe_mm"]
        lines.append(f"| unsupervised | {setting} | {errors['all']:.1f} | {errors['walking']:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
