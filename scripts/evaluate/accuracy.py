"""Measure reconstructions of held-out motion capture through the whole pipeline, and write the tables of docs/accuracy.md.

    .venv/bin/python -m scripts.evaluate.accuracy MOCAP [--cameras 4] [--every 1] [--jobs 2] [--rows FILE.json] [--write]

MOCAP is a folder with cmu_smpl24_A.npz and cmu_smpl24_B.npz. The recordings are those of TEST_SUBJECTS in
scripts/train/data/recordings.py, which no network was trained on. Random static cameras film each recording as 2D joints (h36m17,
30 frames a second), once exactly and once with simulated detector noise. Each keypoints file is reconstructed as by
`meshrec reconstruct KEYPOINTS.npz`, once without intrinsics and once with the true ones. The ground truth of joints is the captured
joints; the ground truth of rotations, vertices and contacts is the open body with the performer's bone lengths and rotations.
"""

import argparse
import functools
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.clip import Person
from blender_meshrec.backend.pipeline import PASSES, open_clip
from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.cameras import rigid_transform
from blender_meshrec.core.conventions import WORLD_FROM_BODY
from blender_meshrec.core.files.body_template import load_body
from scripts import ROOT
from scripts.evaluate.accuracy_page import TableRow, accuracy_tables, training_table
from scripts.evaluate.filmed_keypoints import write_keypoints
from scripts.evaluate.ground_truth import ground_truth_of
from scripts.evaluate.world_measures import Comparison
from scripts.train.data.camera_views import film_clip
from scripts.train.data.motion_clips import Clip, clip_from_recording
from scripts.train.data.recordings import Recording, read_recordings

PAGE = ROOT / "docs" / "accuracy.md"
METRICS = ROOT / "addon_models" / "lifter.metrics.json"
HAND_WRITTEN_HEADING = "\n## Footage\n"  # the page is written by hand from here on, with results of other scripts


@dataclass(frozen=True)
class Task:
    """What one process measures at a time: a recording, by its number among the test recordings, with or without noise and the lens."""

    recording: Recording
    number: int
    noisy: bool
    cameras: int
    lenses: tuple[str, ...] = ("unknown", "known")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--cameras", type=int, default=4, help="how many film each clip")
    parser.add_argument("--every", type=int, default=1, help="only every Nth clip, for a quick look")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the clips")
    parser.add_argument("--rows", type=Path, help="write the numbers of every clip, camera, lens and noise setting to this JSON file")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    settings = parser.parse_args()
    begun = time.perf_counter()
    rows, num_clips = measure_clips(settings.mocap, settings.cameras, settings.every, settings.jobs)
    if settings.rows:
        settings.rows.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    text = accuracy_tables(rows, num_clips, settings.cameras) + training_table(json.loads(METRICS.read_text(encoding="utf-8")))
    print(text)
    print(f"{time.perf_counter() - begun:.0f} s")
    if settings.write:
        written_by_hand = PAGE.read_text(encoding="utf-8").partition(HAND_WRITTEN_HEADING)[2] if PAGE.exists() else "\n"
        PAGE.write_text(text + HAND_WRITTEN_HEADING + written_by_hand, encoding="utf-8")


def measure_clips(mocap: Path, cameras: int, every: int = 1, jobs: int = 1) -> tuple[list[TableRow], int]:
    """Table rows of the test recordings, one per clip, camera, lens and noise setting, and the number of recordings."""
    recordings = list(enumerate(recording for recording in read_recordings(mocap) if recording.testing))[::every]
    tasks = [Task(recording, number, noisy, cameras) for number, recording in recordings for noisy in (False, True)]
    if jobs == 1:
        measured = [measure(task) for task in tasks]
    else:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), torch.set_num_threads, (threads,)) as pool:
            measured = list(pool.map(measure, tasks))
    return [row for rows in measured for row in rows], len(recordings)


def measure(task: Task) -> list[TableRow]:
    """The table rows of one Task."""
    clip = clip_from_recording(task.recording)
    names = {"clip": clip.name, "kind": motion_kind(clip), "noisy": task.noisy}
    return [{**names, **row} for row in evaluate(open_body(), clip, task)]


@functools.cache
def open_body() -> Smpl:
    """The body that the truth wears."""
    return make_body(load_body("open"))


def motion_kind(clip: Clip) -> str:
    """The row of the table that a clip belongs to, from its description."""
    return "walking" if "walk" in clip.text else "running and jumping" if "jump" in clip.text or "run" in clip.text else "other"


def evaluate(body: Smpl, clip: Clip, task: Task) -> Iterator[TableRow]:
    """Yield the MEASURES for each camera and what is known of its lens."""
    truth = ground_truth_of(body.template, task.recording)
    views = film_clip(np.random.default_rng([7, task.number]), clip, "h36m17", task.cameras, task.noisy)
    with tempfile.TemporaryDirectory() as folder:
        for camera in range(task.cameras):
            path = Path(folder) / "keypoints.npz"
            intrinsics = write_keypoints(path, views, camera)
            # The ground truth's world is z up, the views' y up; the cameras are static.
            camera_from_world = rigid_transform(views.rotmats[camera, 0] @ WORLD_FROM_BODY.T, views.transl[camera, 0])
            for lens in task.lenses:
                person = reconstruct(path, intrinsics if lens == "known" else None)
                comparison = Comparison(body, person.recovery, person.observations, truth, camera_from_world, clip.valid)
                yield {"camera": camera, "lens": lens, **comparison.numbers()}


def reconstruct(path: Path, intrinsics: FloatArray | None) -> Person:
    """The person of a keypoints file, filmed with these intrinsics (3,3) px, or with an unknown lens."""
    clip, _tracked = open_clip(ReconstructRequest(source=str(path), device="cpu"), lambda progress: None)
    if intrinsics is not None:
        clip.intrinsics, clip.lens_sigma, clip.lens_source = intrinsics, 0.0, "given"
    for step in PASSES:
        if step.needed(clip):
            step.run(clip)
    return clip.people[0]


if __name__ == "__main__":
    main()
