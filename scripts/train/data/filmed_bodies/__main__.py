"""Film the open body performing motion capture, and store what the detector reports beside the truth.

    python -m scripts.train.data.filmed_bodies MOCAP OUT --part train --clips 480
    python -m scripts.train.data.filmed_bodies MOCAP OUT --part test --clips 40

A clip has 48 to 81 frames and takes 3 s of one core. Every file OUT/PART/shard_*.npz holds the clips of SCENES_PER_SHARD scenes. Files that
exist are kept, so that a run can be stopped, repeated and extended. The same seed and number give the same scene.
"""

import argparse
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.bodies.make_body import make_body
from blender_meshrec.core.files.body_template import load_body
from scripts.train.data.filmed_bodies.clips import FilmedClip, draw_scene, watch_scene
from scripts.train.data.filmed_bodies.detection import make_detector
from scripts.train.data.filmed_bodies.motion import PARTS, MotionDrawer
from scripts.train.data.filmed_bodies.shards import write_shard
from scripts.train.data.recordings import read_recordings

SCENES_PER_SHARD = 16


@dataclass(frozen=True)
class Job:
    """The shard `number` of a part of the data."""

    mocap: Path
    out: Path
    part: str
    number: int
    seed: int
    model: Path | None

    @property
    def path(self) -> Path:
        return self.out / self.part / f"shard_{self.number:04d}.npz"


def film_shards(jobs: list[Job]) -> None:
    """Film the scenes of shards of one part and write them, one after another; those that exist are left out."""
    torch.set_num_threads(1)
    jobs = [job for job in jobs if not job.path.exists()]
    if not jobs:
        return
    motions, body = MotionDrawer(read_recordings(jobs[0].mocap), jobs[0].part), make_body(load_body())
    detector = make_detector(jobs[0].model)
    try:
        for job in jobs:
            started, clips = time.perf_counter(), list[FilmedClip]()
            for scene_number in range(job.number * SCENES_PER_SHARD, (job.number + 1) * SCENES_PER_SHARD):
                rng = np.random.default_rng((job.seed, PARTS.index(job.part), scene_number))
                clip = watch_scene(detector, draw_scene(rng, body, motions))
                if clip is not None:
                    clips.append(clip)
            write_shard(job.path, clips, SCENES_PER_SHARD - len(clips))
            frames, seconds = sum(len(clip.joints) for clip in clips), time.perf_counter() - started
            print(f"{job.path.name}: {len(clips)} of {SCENES_PER_SHARD} clips, {frames} frames, {seconds:.0f} s", flush=True)
    finally:
        detector.close()


def main() -> None:
    """Film as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, help="folder of the motion capture")
    parser.add_argument("out", type=Path, help="folder for the shards")
    parser.add_argument("--part", choices=PARTS, default="train", help="whose motion: by the split of scripts/train/data/recordings.py")
    parser.add_argument("--clips", type=int, default=480, help="number of scenes, rounded up to whole shards")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--model", type=Path, help="another pose landmarker bundle (.task)")
    settings = parser.parse_args()
    (settings.out / settings.part).mkdir(parents=True, exist_ok=True)
    shards = range(-(-settings.clips // SCENES_PER_SHARD))
    jobs = [Job(settings.mocap, settings.out, settings.part, number, settings.seed, settings.model) for number in shards]
    if settings.jobs == 1:
        film_shards(jobs)
        return
    with multiprocessing.get_context("spawn").Pool(settings.jobs) as pool:
        pool.map(film_shards, [jobs[first :: settings.jobs] for first in range(settings.jobs)])


if __name__ == "__main__":
    main()
