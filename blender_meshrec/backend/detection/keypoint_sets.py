"""Conversion of detectors' keypoints to the keypoint sets of core.skeletons."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ...core.errors import InputError
from ...core.skeletons import H36M17, HALPE26, KEYPOINT_SETS, OPENPOSE25, to_h36m17

# OpenPose's older 18-point model.
OPENPOSE18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
# The feet of COCO-WholeBody, which follow COCO's 17 points; its other 110 points are face and hands.
WHOLEBODY_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
_SET_BY_COUNT = {17: "coco17", 25: "openpose25", 26: "halpe26", 33: "blazepose33"}
# Points that a source may lack, and the joint of h36m17 that is computed in their place.
_DERIVED_POINTS = {"hip": "hip", "neck": "thorax", "head_top": "head_top"}


def convert_to_known_set(keypoints: FloatArray, source: str) -> tuple[FloatArray, str]:
    """Convert keypoints, whose set follows from their number, to a keypoint set of core.skeletons.

    Args:
        keypoints: (N,K,3) px and confidence. source: where they come from, for the error.

    Returns:
        keypoints (N,K',3) and the set's name.

    Raises:
        InputError: no known detector delivers this number of keypoints.
    """
    count = keypoints.shape[1]
    if count in _SET_BY_COUNT:
        return keypoints, _SET_BY_COUNT[count]
    if count == 18:
        return _reorder_keypoints(keypoints, OPENPOSE18, OPENPOSE25), "openpose25"
    if count == 133:
        coco = KEYPOINT_SETS["coco17"].points
        return _reorder_keypoints(keypoints[:, :23], (*coco, *WHOLEBODY_FEET), HALPE26), "halpe26"
    raise InputError(
        "keypoint-count-unknown",
        "{name} has {count} keypoints a person, which no known set has.",
        "Use one of: {known}.",
        name=source,
        count=count,
        known=sorted(KEYPOINT_SETS),
    )


def _reorder_keypoints(keypoints: FloatArray, source_points: Sequence[str], target_points: Sequence[str]) -> FloatArray:
    """(N,K,3) in the order `target_points`; missing hip, neck and head top are computed from other points, the rest are zeros."""
    coco = KEYPOINT_SETS["coco17"].points
    h36m17 = to_h36m17(keypoints[:, [source_points.index(point) for point in coco]], "coco17")
    reordered = np.zeros((len(keypoints), len(target_points), 3))
    for i, point in enumerate(target_points):
        if point in source_points:
            reordered[:, i] = keypoints[:, source_points.index(point)]
        elif point in _DERIVED_POINTS:
            reordered[:, i] = h36m17[:, H36M17.index(_DERIVED_POINTS[point])]
    return reordered
