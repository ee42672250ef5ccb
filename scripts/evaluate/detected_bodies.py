"""Rendered bodies, reconstructed from what the detector reported of them: with the network of joints in the picture, and without.

    .venv/bin/python -m scripts.evaluate.detected_bodies FILMED/test [--every 2]

FILMED/test are the shards of the test subjects that `scripts.train.data.filmed_bodies` wrote. Prints a table, means over clips unless
it says otherwise: PA-MPJPE and MPJPE of the twelve limb joints, mm; how far the hip is from its place in the median frame, mm, paths being
brought to one mean distance; the angle between the true vertical and the one found, degrees, and of the knees' bends, degrees; peak speeds
of wrists and ankles and the jitter of limbs, of the truth's (medians over clips).
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.clip import Person
from blender_meshrec.backend.passes import start
from blender_meshrec.backend.pipeline import PASSES, open_clip, run
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import transform_points
from blender_meshrec.core.metrics import jitter, pa_mpjpe
from blender_meshrec.core.skeletons import H36M17, SMPL_JOINTS
from blender_meshrec.core.world_metrics import peak_speed
from scripts.evaluate.posed.measures import knee_bends
from scripts.train.data.filmed_bodies.clips import FilmedClip
from scripts.train.data.filmed_bodies.detection import KEYPOINT_SET, clip_times
from scripts.train.data.filmed_bodies.shards import read_shards
from scripts.train.data.recordings import FPS

LIMBS = [f"{side}_{part}" for side in ("left", "right") for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]
LIMBS24, LIMBS17 = ([names.index(name) for name in LIMBS] for names in (SMPL_JOINTS, H36M17))
WRISTS, ANKLES = ([LIMBS.index(f"{side}_{part}") for side in ("left", "right")] for part in ("wrist", "ankle"))
COLUMNS = ("PA-MPJPE", "MPJPE", "path", "vertical", "knees", "wrists' peaks", "ankles' peaks", "jitter")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the shards of the test subjects")
    parser.add_argument("--every", type=int, default=1, help="every so many clips")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    shard = read_shards(settings.folder)
    clips = [shard.clip(number) for number in range(0, len(shard), settings.every)]
    print(f"| {len(clips)} clips |", " | ".join(COLUMNS), "|")
    for name, finds_joints in (("keypoints alone", False), ("joints in the picture", True)):
        rows = np.array([measure(clip, reconstruct(clip, finds_joints)) for clip in clips])
        numbers = [*rows[:, :5].mean(0), *np.median(rows[:, 5:], axis=0)]
        print(f"| {name} |", " | ".join(f"{value:.{1 if column < 5 else 2}f}" for column, value in enumerate(numbers)), "|", flush=True)


def reconstruct(filmed: FilmedClip, finds_joints: bool) -> Person:
    """The person, as of a keypoints file with the detector's own 3D besides."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keypoints.npz"
        keypoints = filmed.keypoints * filmed.visible[:, None, None]
        np.savez(path, keypoints=keypoints, keypoint_set=KEYPOINT_SET, image_size=filmed.size, fps=FPS)
        clip, _tracked = open_clip(ReconstructRequest(source=str(path), device="cpu"), lambda progress: None)
    person = clip.people[0]
    person.observations = person.steady = replace(person.observations, keypoints_3d=filmed.keypoints_3d)
    run([step for step in PASSES if finds_joints or step.run is not start.find_joints_in_picture], clip)
    return person


def measure(filmed: FilmedClip, person: Person) -> tuple[float, ...]:
    """The numbers of COLUMNS."""
    recovery, seen = person.recovery, filmed.visible
    found = transform_points(recovery.camera_from_world, recovery.joints.astype(float))[:, LIMBS24]
    joints = filmed.joints.astype(float)
    true, hip = joints[:, LIMBS17], filmed.hip.astype(float)
    hips = found[:, [LIMBS.index("left_hip"), LIMBS.index("right_hip")]].mean(1)
    about_hip, true_about_hip = found - hips[:, None], true - joints[:, :1]
    scale = np.median(np.linalg.norm(hip[seen], axis=-1)) / np.median(np.linalg.norm(hips[seen], axis=-1))
    off_path = np.linalg.norm(scale * (hips - hips[seen].mean(0)) - (hip - hip[seen].mean(0)), axis=-1)[seen]
    up, true_up = recovery.camera_from_world[0, :3, 2], filmed.camera_from_world[:3, 1]
    knees = np.abs(knee_bends(recovery.joints.astype(float)) - knee_bends(joints, H36M17))[seen].mean()
    times = clip_times(len(seen))
    return (
        pa_mpjpe(found[seen], true[seen]),
        1000 * float(np.linalg.norm(about_hip - true_about_hip, axis=-1)[seen].mean()),
        1000 * float(np.median(off_path)),
        float(np.degrees(np.arccos(np.clip(up @ true_up, -1, 1)))),
        float(knees),
        *(peak_speed(about_hip[:, rows], times) / peak_speed(true_about_hip[:, rows], times) for rows in (WRISTS, ANKLES)),
        jitter(found, times) / jitter(true + hip[:, None], times),
    )


if __name__ == "__main__":
    main()
