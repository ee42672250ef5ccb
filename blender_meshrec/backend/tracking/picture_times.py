"""When the pictures were taken of footage that repeats some of them.

Footage that was converted to a faster rate shows each picture up to a frame too late: those of 24 a second at 30 a second are shown 1, 1, 1
and 2 frames apart, and everybody seems to halt six times a second. A computer that was too slow to store some pictures shows the others in
time. Which of the two holds is seen from how people move: evenly by the right times.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...core.array_types import FloatArray
from ...core.records import Observations

REACH = 12  # pictures on either side, over which the rate of pictures is even
MAX_SHIFT = 0.9  # frames, between when a picture was taken and when it is shown: pictures stay in order
SMOOTHER = 0.93  # share of the roughness of people's motion, below which even times are the right ones; it is 0.7 to 0.9 where they are


def times_of_pictures(shown: FloatArray, frame_time: float, people: Sequence[Observations], breaks: Sequence[int]) -> FloatArray:
    """The times (F,) s at which pictures were taken.

    Args:
        shown: (F,) s, of the first frame that shows each. frame_time: s, between two frames of the file. people: in these pictures.
        breaks: first rows of shots and after jump cuts.
    """
    edges = [0, *breaks, len(shown)]
    even = np.concatenate([np.zeros(0), *(evened(shown[first:last], frame_time) for first, last in pairwise(edges))])
    return even if roughness(people, even, breaks) < SMOOTHER * roughness(people, shown, breaks) else shown


def evened(shown: FloatArray, frame_time: float) -> FloatArray:
    """Times (F,) s that are as even as those of the REACH around each, and less than a frame from when the pictures are shown.

    The first picture is taken when it is shown.
    """
    if len(shown) < 3:
        return shown
    offsets = np.arange(-REACH, REACH + 1)
    rows = np.arange(len(shown))[:, None] + offsets
    weights = np.cos(0.5 * np.pi * offsets / (REACH + 1)) ** 2 * ((rows >= 0) & (rows < len(shown)))
    times = shown[np.clip(rows, 0, len(shown) - 1)]
    # The weighted least-squares line through the times around each picture, at that picture.
    total = weights.sum(1, keepdims=True)
    mean_offset, mean_time = (weights * offsets).sum(1, keepdims=True) / total, (weights * times).sum(1, keepdims=True) / total
    slope = (weights * (offsets - mean_offset) * (times - mean_time)).sum(1) / (weights * (offsets - mean_offset) ** 2).sum(1)
    even = mean_time[:, 0] - slope * mean_offset[:, 0]
    even = np.clip(even, shown - MAX_SHIFT * frame_time, shown + MAX_SHIFT * frame_time)
    even[0] = shown[0]
    return even if (np.diff(even) > 0).all() else shown


def roughness(people: Sequence[Observations], times: FloatArray, breaks: Sequence[int]) -> float:
    """The mean second difference of the velocity of people's keypoints, px/s, by some times (F,) s; inf if nobody is seen in four pictures
    in a row. People's own acceleration is in the first difference, and hardly in the second.
    """
    steps = np.diff(times)
    inside = np.ones(max(len(steps) - 2, 0), bool)
    for row in breaks:  # none of the three steps may lead across a break
        inside[max(row - 3, 0) : row] = False
    changes: list[FloatArray] = []
    for person in people:
        seen = person.visible[:-3] & person.visible[1:-2] & person.visible[2:-1] & person.visible[3:] & inside
        velocity = np.diff(person.keypoints[..., :2].astype(float), axis=0) / steps[:, None, None]
        changes.append(np.linalg.norm(np.diff(velocity, 2, axis=0), axis=-1).mean(-1)[seen])
    found = np.concatenate([np.zeros(0), *changes])
    return float(found.mean()) if len(found) else np.inf
