"""Measure reconstructions of held-out motion capture through the whole pipeline; the table is kept in docs/accuracy.md.

    .venv/bin/python -m scripts.evaluate.accuracy MOCAP [--cameras 4] [--write]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. The subjects of scripts/train/data/recordings.py's TEST_SUBJECTS, on whom
nothing was trained, are filmed by random static cameras: as 2D joints (h36m17, 30 frames a second, the lens not told),
without error and with a detector's. Each file goes the way of `meshrec reconstruct KEYPOINTS.npz`. Rows are means over
clips. The truth of joints is what was captured; of rotations, vertices and contacts, the open body with the performer's
bone lengths and rotations.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from blender_meshrec.backend.pipeline import recover
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core import metrics
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.skeletons import H36M17, H36M17_PARENTS, SMPL_JOINTS, limb_indices
from scripts import ROOT
from scripts.evaluate.ground_truth import ground_truth_of
from scripts.train.data.camera_views import film_clip
from scripts.train.data.motion_clips import clip_from_recording
from scripts.train.data.recordings import FPS, TEST_SUBJECTS, read_recordings

PAGE = ROOT / "docs" / "accuracy.md"
METRICS = ROOT / "addon_models" / "lifter.metrics.json"
HAND_WRITTEN_HEADING = "\n## Footage\n"  # what begins here was measured by other scripts, and stays
IMAGE_DIAGONAL = 2203  # px: a picture of 1920 x 1080
BONES = ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")
LIMBS = [(f"{side}_{start}", f"{side}_{end}") for side in ("left", "right") for start, end in BONES]
LIMBS17, LIMBS24 = (np.array([[names.index(end) for end in limb] for limb in LIMBS]) for names in (H36M17, SMPL_JOINTS))
LIMB_JOINTS17, LIMB_JOINTS24 = limb_indices(H36M17), limb_indices(SMPL_JOINTS)
# Column: what is shown of it.
COLUMNS = {
    "lifted_pa": "PA-MPJPE lifted, mm",
    "joints_pa": "PA-MPJPE joints, mm",
    "mpjpe": "MPJPE, mm",
    "mpve": "MPVE, mm",
    "acceleration": "acceleration error, m/s²",
    "bones": "bone-length variation",
    "f1": "contact F1",
    "lifted_turn": "limb direction lifted, degrees",
    "joints_turn": "limb direction joints, degrees",
    "pitch": "camera pitch error, degrees",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--cameras", type=int, default=4, help="how many film each clip")
    parser.add_argument("--every", type=int, default=1, help="only every so-manieth clip, for a look")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    settings = parser.parse_args()
    begun = time.perf_counter()
    template = load_body("open")
    recordings = [one for one in read_recordings(settings.mocap) if one.testing][:: settings.every]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number, recording in enumerate(recordings):
            clip, truth = clip_from_recording(recording), ground_truth_of(template, recording)
            for noisy in (False, True):
                for numbers in evaluate(template, clip, truth, settings.cameras, number, noisy, Path(folder)):
                    rows.append({"clip": clip.name, "kind": motion_kind(clip), "noisy": noisy, **numbers})
    text = accuracy_table(rows, len(recordings), settings.cameras) + training_table(json.loads(METRICS.read_text(encoding="utf-8")))
    print(text)
    print(f"{time.perf_counter() - begun:.0f} s")
    if settings.write:
        kept = PAGE.read_text(encoding="utf-8").partition(HAND_WRITTEN_HEADING)[2] if PAGE.exists() else "\n"
        PAGE.write_text(text + HAND_WRITTEN_HEADING + kept, encoding="utf-8")


def motion_kind(clip):
    """What the motion of a clip is, by its description."""
    return "walking" if "walk" in clip.text else "running and jumping" if "jump" in clip.text or "run" in clip.text else "other"


def evaluate(template, clip, truth, cameras, seed, noisy, folder):
    """Numbers by COLUMNS' names, a dict for each camera."""
    views = film_clip(np.random.default_rng([7, seed]), clip, "h36m17", cameras, noisy)
    body = make_body(template)
    for camera in range(cameras):
        path = folder / "keypoints.npz"
        write_keypoints(path, views, camera)
        recovery = recover(ReconstructRequest(source=str(path), device="cpu")).recoveries[0]
        # The truth's world has z up, the views' y.
        turn, transl = views.turn[camera] @ WORLD_FROM_BODY.T, views.transl[camera]
        yield compare_to_truth(body, recovery, truth, turn.astype(float), transl.astype(float), clip.valid)


def write_keypoints(path, views, camera):
    """A keypoints file, as pixels of a picture whose lens the file does not tell."""
    rays = views.rays[camera, :, : len(H36M17)] / views.zoom[camera]
    size = np.array([1920, 1080])
    pixels = rays * views.focal[camera] * IMAGE_DIAGONAL
    if np.abs(pixels[..., 1]).max() > size[1] / 2 and np.abs(pixels[..., 0]).max() <= size[1] / 2:
        size = size[::-1]  # held upright
    keypoints = np.concatenate([pixels + size / 2, views.confidence[camera, :, : len(H36M17), None]], -1)
    np.savez(path, keypoints=keypoints, keypoint_set="h36m17", image_size=size, fps=FPS)


def compare_to_truth(body, recovery, truth, turn, transl, valid):
    """Numbers by COLUMNS' names for a Recovery and a Truth that is seen by a camera: turn (F,3,3) and transl (F,3) m from its world."""

    def seen(points):
        return np.einsum("fij,fnj->fni", turn, points) + transl[:, None]

    def of_body(betas, poses, trans):
        joints, vertices = (points.numpy().astype(float) for points in body(betas, poses[:, :3], poses[:, 3:], trans))
        return vertices, joints[:, body.template.smpl_joint_indices]

    to_camera = recovery.camera_from_world
    lifted = transform_points(to_camera, recovery.lifted_joints.astype(float))
    vertices, joints = (transform_points(to_camera, points) for points in of_body(recovery.betas, recovery.poses, recovery.trans))
    true17 = seen(truth.h36m17)
    true_vertices, true24 = (seen(points) for points in of_body(truth.betas, truth.poses, truth.transl))
    times = np.arange(len(joints)) / FPS
    up = to_camera[0, :3, 2]
    true_up = turn[0, :, 2]
    mesh = np.linalg.norm((vertices - joints[:, :1]) - (true_vertices - true24[:, :1]), axis=-1).mean(1)
    return {
        "lifted_pa": metrics.pa_mpjpe(lifted[valid][:, LIMB_JOINTS17], true17[valid][:, LIMB_JOINTS17]),
        "joints_pa": metrics.pa_mpjpe(joints[valid][:, LIMB_JOINTS24], true17[valid][:, LIMB_JOINTS17]),
        "mpjpe": metrics.mpjpe(joints[valid], true24[valid], root=0),
        "mpve": 1000 * mesh[valid].mean(),
        "acceleration": metrics.acceleration_error(joints, true24, times),
        "bones": float(metrics.bone_length_variation(lifted, H36M17_PARENTS).max()),
        "f1": metrics.contact_f1(recovery.contacts, truth.contacts),
        "lifted_turn": limb_direction_error(lifted[valid], LIMBS17, true17[valid]),
        "joints_turn": limb_direction_error(joints[valid], LIMBS24, true17[valid]),
        "pitch": abs(np.degrees(np.arctan2(up[2], -up[1]) - np.arctan2(true_up[2], -true_up[1]))),
    }


def limb_direction_error(joints, limbs, true17):
    """The median angle, degrees, between limbs of joints (F,J,3) and those of the true ones (F,17,3)."""

    def directions(points, ends):
        vectors = points[:, ends[:, 1]] - points[:, ends[:, 0]]
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    cosine = (directions(joints, limbs) * directions(true17, LIMBS17)).sum(-1)
    return float(np.degrees(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def accuracy_table(rows, clips, cameras):
    """The Markdown file of all numbers."""
    lines = [
        "# Accuracy on held-out motion",
        "",
        f"Made by `scripts/evaluate/accuracy.py`: {clips} clips of motion-capture subjects {', '.join(TEST_SUBJECTS)}, on whom nothing was",
        f"trained, each filmed by {cameras} random static cameras, as 2D joints (h36m17, 30 frames a second), the lens not told.",
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
                lines.append(f"| {'as a detector errs' if noisy else 'exact'} | {kind} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def training_table(metrics):
    """The lifter's own errors by how it was trained, from its metrics file."""
    lines = [
        "\n## Training\n",
        "PA-MPJPE of the lifting network alone over the twelve limb joints, mm, exact 2D of whole clips by four random cameras.",
        "Rows without supervision are the paper's single-frame network of width 256; its table 1 has 64.3, 58.6 and 54.6.",
        "Alike: bones have two sides alike, and much the same proportions in everybody (ours).\n",
        "| training | adversary | azimuth | proportions | steps | hours | all | walking |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    own = metrics["pa_mpjpe_mm"]["h36m17 clean"]
    lines.append(f"| supervised | | | | {metrics['steps']} | {metrics['training_hours']} | {own['all']:.1f} | {own['walking']:.1f} |")
    for row in metrics["unsupervised"]:
        known = "alike" if row["proportions"] else ""
        errors, how = row["pa_mpjpe_mm"], f"{row['adversary']} | {row['azimuth']} | {known} | {row['steps']} | {row['training_hours']}"
        lines.append(f"| unsupervised | {how} | {errors['all']:.1f} | {errors['walking']:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
