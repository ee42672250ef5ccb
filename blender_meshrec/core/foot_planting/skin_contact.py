"""Skin in contact: it rolls over the ground without slipping, as a wheel does, and touches it with its lowest points.

A foot that rolls over its heel or its ball turns about a point of the bones. What touches is the skin around that point: shoes are
round, longer than their bones, or follow the shin, and slide where the point itself stays in place.
"""

import numpy as np

from ..array_types import FloatArray, IntArray

# Points up to about this height above the lowest one touch the ground, m. Soles that partly follow the shin slide most where only one
# of their points counts, and rolling ones where many do.
TOUCH_HEIGHT = 0.002


def skin_rise(points: FloatArray, ground: FloatArray, give: float) -> FloatArray:
    """How far the skin, points (F,N,3) m, must rise to touch a ground at (F,) m with its lowest point, at most `give` m in it: (F,) m."""
    height = points[..., 2].min(1) - ground
    return np.clip(height, -give, 0.0) - height


def rolling_path(points: FloatArray, runs: IntArray, max_drift: float) -> FloatArray:
    """The horizontal movements (F,2) m of a foot with which its skin rolls without slipping during contacts; zero elsewhere.

    Args:
        points: (F,N,3) m of the skin, in the world. runs: (N,2), first and last-plus-one frames of the contacts.
        max_drift: m, the maximum of a movement. A foot that turns on the spot turns about what touches, and wanders so from the bones'
            footprints.
    """
    steps = _touching_steps(points)
    movement = np.zeros((len(points), 2))
    for first, last in runs:
        path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps[first : last - 1], axis=0)])
        path -= path.mean(0)
        farthest = float(np.linalg.norm(path, axis=1).max())
        movement[first:last] = -path * min(1.0, max_drift / max(farthest, 1e-9))
    return movement


def _touching_steps(points: FloatArray) -> FloatArray:
    """The mean horizontal steps (F-1,2) m, from each frame to the next, of those of the points (F,N,3) that are lowest in both."""
    above = points[..., 2] - points[..., 2].min(1, keepdims=True)
    above = above[:-1] + above[1:]
    weights = np.exp(-(above - above.min(1, keepdims=True)) / TOUCH_HEIGHT)
    return np.einsum("fn,fnk->fk", weights, np.diff(points[..., :2], axis=0)) / weights.sum(1)[:, None]
