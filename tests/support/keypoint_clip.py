"""A made-up clip of keypoints and lifted joints, and slow versions' helpers, for the tests of the lifter's parts."""

import numpy as np

from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.skeletons import H36M17
from blender_meshrec.methods.lifter.lifter_input import POINTS, TOTAL_BONE_LENGTH

FRAMES, RATE = 60, 1 / 30
ROW = {name: row for row, name in enumerate(POINTS)}
SIDED = ("hip", "knee", "ankle", "big_toe", "heel")
LEGS = [ROW[f"{side}_{part}"] for side in ("left", "right") for part in SIDED]
HIPS, ANKLES, TORSO = (
    [ROW[f"{side}_{part}"] for part in parts for side in ("left", "right")] for parts in (("hip",), ("ankle",), ("shoulder", "hip"))
)
SIZE = [row for row, name in enumerate(H36M17) if name not in ("hip", "spine", "thorax", "head_top")]


def clip(seed: int = 0, distance: float = 4.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Rays (F,23,2), confidence (F,23) and lifted joints (F,17,3) in units of the bone-length sum, of somebody who moves about."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(0, 0.02, (FRAMES, len(POINTS), 3)), 0)
    points = rng.normal(0, 0.4, (len(POINTS), 3)) * [1, 1, 0.3] + steps + 0.3 * np.sin(np.arange(FRAMES) / 9)[:, None, None]
    place = points + [0.4, 0.2, distance]
    place[::7, LEGS[::3], :2] += rng.choice([-1, 1], (len(place[::7]), len(LEGS[::3]), 2)) * 4 * distance  # beyond every limit
    confidence = np.where(rng.random((FRAMES, len(POINTS))) < 0.2, 0.1, rng.uniform(0.4, 1, (FRAMES, len(POINTS))))
    confidence[20:24] = 0.0
    joints = points[:, :17] - points[:, HIPS].mean(1, keepdims=True)
    return place[..., :2] / place[..., 2:], confidence, joints / TOTAL_BONE_LENGTH


def around(values: FloatArray, frame: int, frames: int) -> FloatArray:
    """The mean over a window of frames about one, of those that exist."""
    return values[max(frame - frames // 2, 0) : frame + frames // 2 + 1].mean(0)
