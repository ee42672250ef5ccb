"""Painting over people who are known already, so that a landmarker sees those beside and behind them.

A landmarker reports the most prominent person of a crop. In a hug, a fight or a crowd the others come out only where that person no
longer attracts it.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ...core.skeletons import KEYPOINT_SETS
from .detections import Detection, body_size, person_box

# Widths of a limb and of the trunk's edge, and the radius of a head, as fractions of the person's size (`body_size`).
LIMB_WIDTH, TRUNK_EDGE, HEAD_RADIUS = 0.11, 0.1, 0.11
# The colours that are painted come from an image of this width, px, in which the people are filled in from around them.
FILL_WIDTH = 96
_LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
_HEAD = ("nose", "left_ear", "right_ear")
_MAX_PIXEL = 30_000  # beyond this OpenCV's drawing overflows


def paint_over(image: ImageArray, people: Sequence[Detection], keypoint_set: str) -> ImageArray:
    """The image (H,W,3) uint8 RGB with the bodies of people filled in by the colours around them; the image itself without people."""
    if not people:
        return image
    mask = np.zeros(image.shape[:2], np.uint8)
    for person in people:
        _draw_body(mask, np.asarray(person.keypoints, float), keypoint_set)
    height, width = mask.shape
    size = (min(FILL_WIDTH, width), max(2, round(height * min(FILL_WIDTH, width) / width)))
    is_covered = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 0, np.uint8)
    filled = cv2.inpaint(cv2.resize(image, size, interpolation=cv2.INTER_AREA), is_covered, 3, cv2.INPAINT_TELEA)
    painted = image.copy()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return image
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    smooth = np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    part, covered = painted[top:bottom, left:right], mask[top:bottom, left:right] > 0
    part[covered] = smooth[top:bottom, left:right][covered]
    return painted


def _draw_body(mask: ImageArray, keypoints: FloatArray, keypoint_set: str) -> None:
    """Set the pixels of a person to 255, in place."""
    index = KEYPOINT_SETS[keypoint_set].index
    size = body_size(person_box(keypoints, keypoint_set))
    points = np.clip(keypoints[:, :2], -_MAX_PIXEL, _MAX_PIXEL).round().astype(int)

    def pixel(name: str) -> tuple[int, int]:
        x, y = points[index[name]]
        return int(x), int(y)

    width = max(2, round(LIMB_WIDTH * size))
    for start, end in ((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _LIMBS):
        cv2.line(mask, pixel(start), pixel(end), 255, width)
    trunk = cv2.convexHull(np.array([pixel(name) for name in _TRUNK], np.int32))
    cv2.fillConvexPoly(mask, trunk, 255)
    cv2.polylines(mask, [trunk], True, 255, max(2, round(TRUNK_EDGE * size)))
    head = [pixel(name) for name in _HEAD if name in index]
    if head:
        x, y = np.mean(head, 0).round().astype(int)
        shoulders = np.mean([pixel(name) for name in _TRUNK[:2]], 0).round().astype(int)
        cv2.circle(mask, (int(x), int(y)), max(2, round(HEAD_RADIUS * size)), 255, -1)
        cv2.line(mask, (int(x), int(y)), (int(shoulders[0]), int(shoulders[1])), 255, width)
