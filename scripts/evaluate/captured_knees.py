"""How much longer the legs of captured skeletons are than those that moved: by the knees of people who walk.

    .venv/bin/python -m scripts.evaluate.captured_knees MOCAP

At initial contact and in terminal stance a knee is bent by 5 degrees (Perry and Burnfield 2010, Gait Analysis, chapter 3), and for a
twentieth of a walk it is bent no more. A skeleton whose thigh and shin are too long by the same share reaches the same ankle with a knee
that is bent more. Prints that share for every performer who walks, and the mean over all frames, as the lifter has learnt from them:
LEG_EXCESS in methods/lifter/knees.py.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from scripts.evaluate.posed.measures import knee_bends
from scripts.train.data.motion_clips import NODES, read_clips

STRAIGHTEST = 5.0  # degrees, of a walker's knee
MIN_FRAMES = 100  # of a performer's walks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path)
    walks: dict[str, list[FloatArray]] = defaultdict(list)
    for clip in read_clips(parser.parse_args().mocap):
        if is_walk(clip.text):
            walks[clip.subject].append(knee_bends(clip.points()[clip.valid], NODES))
    print("| performer | frames | knee, degrees, 5th percentile | legs too long, % |\n|---|---:|---:|---:|")
    shares: list[float] = []
    weights: list[int] = []
    for performer, angles in sorted(walks.items()):
        frames, straightest = sum(map(len, angles)), float(np.quantile(np.concatenate(angles), 0.05))
        if frames >= MIN_FRAMES:
            shares.append(100 * (np.cos(np.radians(STRAIGHTEST / 2)) / np.cos(np.radians(straightest / 2)) - 1))
            weights.append(frames)
            print(f"| {performer} | {frames} | {straightest:.1f} | {shares[-1]:.2f} |")
    print(f"| mean over frames | {sum(weights)} | | {np.average(shares, weights=weights):.2f} |")


def is_walk(text: str) -> bool:
    """Whether the description of a recording is that of an ordinary walk."""
    return text.strip().lower() in ("walk", "normal walk", "slow walk", "fast walk", "walking")


if __name__ == "__main__":
    main()
