"""Film the open body performing motion capture, and store what the detector reports beside the truth.

    python -m scripts.train.data.filmed_bodies MOCAP OUT --part train --clips 480
    python -m scripts.train.data.filmed_bodies MOCAP OUT --part test --clips 40

A clip has 48 to 81 frames and takes 3 s of one core. Every file OUT/PART/shard_*.npz holds the clips of SCENES_PER_SHARD scenes. Files that
exist are kept, so that a run can be stopped, repeated and extended. The same seed and number give the same scene.
"""

import argparse
import multiprocessing
from pathlib import Path

from scripts.train.data.filmed_bodies.jobs import SCENES_PER_SHARD, Job, film_shards
from scripts.train.data.filmed_bodies.motion import PARTS


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
