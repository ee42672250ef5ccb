"""Which frames a texture is painted from: some dozens that together show every side of the skin near, sharp and in full.

Greedy choice by what a frame adds to the best views of some hundred points of the skin; what hides a point, other than the body's own other
side, is only seen when the frames are read. F frames, N points.
"""

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray

MAX_FRAMES = 32
MIN_GAIN = 0.004  # of what all frames together show: a frame that adds less is left out
VIEWS_PER_POINT = 4  # as many views as make a point's colour sure
BLUR = 0.02  # m that a point moves between two frames, at which its picture counts half
MAX_GAP = 3  # frames between two that are chosen; fewer in short clips


def frame_quality(
    points: FloatArray, normals: FloatArray, focal: FloatArray, speed: FloatArray, trust: FloatArray, inside: BoolArray
) -> FloatArray:
    """How well each frame shows each point, (F,N) >= 0.

    Args:
        points, normals: (F,N,3) m in camera axes. focal: (F,) px. speed: (F,N) m between frames. trust: (F,) 0..1. inside: (F,N), in the
            picture.
    """
    distance = np.linalg.norm(points, axis=-1).clip(1e-3)
    cosine = (-(points * normals).sum(-1) / distance).clip(0)
    scale = (focal[:, None] / distance) ** 2
    scale /= np.quantile(scale, 0.95)
    return cosine**2 * scale.clip(max=1) * trust[:, None] * inside / (1 + (speed / BLUR) ** 2)


def choose_frames(quality: FloatArray, rows: IntArray, count: int = MAX_FRAMES) -> IntArray:
    """Indices, ascending, of at most `count` frames of quality (F,N); rows: (F,), where they lie in the footage."""
    best = np.zeros((VIEWS_PER_POINT, quality.shape[1]))
    free = quality.any(1)
    gap = int(np.clip(np.ptp(rows) // count, 1, MAX_GAP)) if len(rows) else 1
    chosen: list[int] = []
    total = np.sort(quality, axis=0)[-VIEWS_PER_POINT:].sum()
    while len(chosen) < count and free.any():
        gain = np.where(free, (quality - best[0]).clip(0).sum(1), -1.0)
        frame = int(gain.argmax())
        if gain[frame] < MIN_GAIN * total and chosen:
            break
        chosen.append(frame)
        best = np.sort(np.vstack([best, quality[frame]]), axis=0)[1:]
        free &= np.abs(rows - rows[frame]) >= gap
    return np.array(sorted(chosen), np.int64)
