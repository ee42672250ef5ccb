"""How far the rotations of head, hands and feet come from keypoints of their own."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.records import Observations
from ...core.skeletons import KEYPOINT_SETS
from ...core.time_series import time_proximity
from ...methods.silhouette_refinement import END_JOINTS
from ..fitting.betas_fit import SIDES
from ..fitting.end_rotations import FACE_POINTS, MIN_CONFIDENCE

# Keypoints determine an end, less and less, for this long before and after frames in which they are reliable, s.
END_FADE_TIME = 0.3
# The keypoints that show the rotation of each of END_JOINTS; of head and wrists only with positions in metres.
END_KEYPOINTS: dict[str, tuple[str, ...]] = {
    "head": FACE_POINTS,
    **{f"{side}_wrist": (f"{side}_wrist", f"{side}_index", f"{side}_pinky") for side in SIDES},
    **{f"{side}_ankle": (f"{side}_heel", f"{side}_big_toe") for side in SIDES},
}


def end_visibility(observations: Observations, timestamps: FloatArray) -> FloatArray:
    """How far keypoints determine the rotation of each of END_JOINTS, (F,5) 0..1: 1 where they are reliable, fading around there.

    Between two reliable frames body_fit.py has interpolated the rotation. A keypoint that comes and goes must not make a foot flap
    between what it shows and what is guessed without it.
    """
    names = KEYPOINT_SETS[observations.keypoint_set].points
    is_reliable = observations.keypoints[..., 2] > MIN_CONFIDENCE
    has_metres = observations.keypoints_3d is not None
    known = np.zeros((len(observations), len(END_JOINTS)), bool)
    for column, end in enumerate(END_JOINTS):
        points = END_KEYPOINTS[end]
        if (has_metres or end.endswith("ankle")) and all(point in names for point in points):
            known[:, column] = is_reliable[:, [names.index(point) for point in points]].all(1) & observations.visible
    return np.stack([time_proximity(known[:, column], timestamps, END_FADE_TIME) for column in range(len(END_JOINTS))], 1)
