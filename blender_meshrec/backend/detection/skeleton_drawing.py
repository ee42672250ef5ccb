"""A person's skeleton in the picture: drawn into a mask, limbs as lines, the trunk filled, the head as a disc; and points on it."""

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ...core.skeletons import KEYPOINT_SETS

LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("wrist", "index"), ("ankle", "foot_index"))
TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
HEAD = ("nose", "left_ear", "right_ear")
POINTS_ON_LIMB = 8
MAX_PIXEL = 30_000  # beyond this OpenCV's drawing overflows


def draw_skeleton(mask: ImageArray, points: FloatArray, keypoint_set: str, value: int, head_radius: float, width: int = 3) -> None:
    """Set the pixels of a skeleton to a value, in place; points (K,2) px, head_radius and width in px."""
    index = KEYPOINT_SETS[keypoint_set].index
    pixels = np.clip(points, -MAX_PIXEL, MAX_PIXEL).round().astype(int)

    def at(name: str) -> tuple[int, int]:
        x, y = pixels[index[name]]
        return int(x), int(y)

    for start, end in ((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in LIMBS):
        if start in index and end in index:
            cv2.line(mask, at(start), at(end), value, width)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.array([at(name) for name in TRUNK], np.int32)), value)
    head = [pixels[index[name]] for name in HEAD if name in index]
    if head:
        x, y = np.mean(head, 0).round().astype(int)
        neck = np.mean([pixels[index[name]] for name in TRUNK[:2]], 0).round().astype(int)
        cv2.circle(mask, (int(x), int(y)), max(2, round(head_radius)), value, -1)
        cv2.line(mask, (int(x), int(y)), (int(neck[0]), int(neck[1])), value, width)


def points_on_skeleton(points: FloatArray, keypoint_set: str) -> FloatArray:
    """Places (N,2) px along the limbs, around the trunk and at the nose of a skeleton; points (K,2) px."""
    index = KEYPOINT_SETS[keypoint_set].index
    names = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in LIMBS]
    names += [*zip(TRUNK, TRUNK[1:] + TRUNK[:1], strict=True), ("nose", "nose")]
    ends = np.array([[points[index[name]] for name in pair] for pair in names if index.keys() >= set(pair)])
    along = np.linspace(0, 1, POINTS_ON_LIMB)[:, None]
    return np.asarray(((1 - along) * ends[:, None, 0] + along * ends[:, None, 1]).reshape(-1, 2))
