"""Short gaps in which a person is not seen: the lifter, which learnt from motion with gaps, and the whole-clip solve fill them in."""

from dataclasses import replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.records import Observations
from ...core.time_series import LONGEST_GAP, interpolate_over_time, long_gaps


def rows_in_short_gaps(visible: BoolArray, timestamps: FloatArray) -> BoolArray:
    """The rows (F,) without the person between rows with them that are at most LONGEST_GAP s apart."""
    seen = np.flatnonzero(visible)
    between = np.zeros(len(visible), bool)
    if len(seen):
        between[seen[0] : seen[-1]] = True
    for first, last in long_gaps(visible, timestamps):
        between[first : last + 1] = False
    return between & ~visible


def with_short_gaps(observations: Observations, timestamps: FloatArray) -> Observations:
    """Observations that count the rows of short gaps as rows with the person, whose keypoints have confidence 0.

    Keypoints are interpolated there, as a start; the detector's own 3D stays 0.
    """
    visible = np.asarray(observations.visible, bool)
    filled = rows_in_short_gaps(visible, timestamps)
    if not filled.any():
        return observations
    times, keypoints = np.asarray(timestamps, float), np.array(observations.keypoints)
    keypoints[filled, :, :2] = interpolate_over_time(times[filled], times[visible], keypoints[visible, :, :2], LONGEST_GAP)
    keypoints[filled, :, 2] = 0
    boxes = np.array(observations.boxes)
    boxes[filled] = interpolate_over_time(times[filled], times[visible], boxes[visible], LONGEST_GAP)
    return replace(observations, keypoints=keypoints, boxes=boxes, visible=visible | filled)
