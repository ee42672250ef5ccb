"""Keypoint sets that detectors deliver and the vocabulary does not name, brought into ones that it does."""

import numpy as np

from ...core.errors import InputError
from ...core.skeletons import H36M17, HALPE26, KEYPOINT_SETS, OPENPOSE25, to_h36m17

# OpenPose's older 18-point model.
OPENPOSE18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
)  # fmt: skip
# The body and feet of COCO-WholeBody; its other 110 points are face and hands.
WHOLEBODY_FEET = ("left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel")
_SET_BY_COUNT = {17: "coco17", 25: "openpose25", 26: "halpe26", 33: "blazepose33"}


def convert_to_known_set(keypoints, source):
    """Keypoints of a detector, known by their number, in a set of core.skeletons.

    Args:
        keypoints: (N,K,3) px and confidence. source: what they come from, for the message.

    Returns:
        keypoints (N,K',3) and the set's name.

    Raises:
        InputError: no detector that is known delivers so many.
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


def _reorder_keypoints(keypoints, source_points, target_points):
    """(N,K,3) in the order `target_points`; the hips' and shoulders' middles and the head's top are made of what is there."""
    coco = KEYPOINT_SETS["coco17"].points
    body = to_h36m17(keypoints[:, [source_points.index(point) for point in coco]], "coco17")
    made = {"hip": "hip", "neck": "thorax", "head_top": "head_top"}
    arranged = np.zeros((len(keypoints), len(target_points), 3))
    for place, point in enumerate(target_points):
        if point in source_points:
            arranged[:, place] = keypoints[:, source_points.index(point)]
        elif point in made:
            arranged[:, place] = body[:, H36M17.index(made[point])]
    return arranged
