"""Shards of filmed clips as jobs, which other processes can run too: they cannot import a `__main__`."""

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
