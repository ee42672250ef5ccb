"""How alike two detections are: by the positions of their keypoints, by their boxes, and by the colours of the clothes."""

import cv2
import numpy as np

from ...core.array_types import AnyArray, FloatArray, ImageArray, IntArray
from ...core.skeletons import KEYPOINT_SETS
from .detections import Detection, body_size, mirror_permutation, person_box, set_limb_indices, torso_centre

# Standard deviation of a joint's position as a fraction of the person's size. Object keypoint similarity (COCO) uses
# 0.05-0.2 for limbs; one value for all is enough to distinguish people.
KEYPOINT_SPREAD = 0.1
MIN_SAME_PERSON_SIMILARITY = 0.5
# Two detections whose torsos coincide are one person: their boxes overlap by this much, and the torsos' centres are closer
# than this fraction of the body size.
MIN_SAME_PERSON_IOU, MAX_TORSO_DISTANCE = 0.3, 0.25
APPEARANCE_PATCH_SIDE = 24  # px
APPEARANCE_BINS = 16  # of hue, and of brightness


def keypoint_similarity(a: FloatArray, b: FloatArray, size: float, keypoint_set: str, spread: float = KEYPOINT_SPREAD) -> float:
    """Similarity of two sets of keypoints, 0..1, whether or not left and right are exchanged in one of them.

    a, b: (K,3) px and confidence. size: px, see `body_size`. spread: fraction of the size at which similarity falls to 0.6.
    Source: object keypoint similarity, COCO keypoint evaluation, over the twelve limb joints.
    """
    limbs = set_limb_indices(keypoint_set)
    mirrored_limbs: IntArray = mirror_permutation(keypoint_set)[limbs]
    weight = np.minimum(a[limbs, 2], b[limbs, 2]) + 0.05
    return max(_weighted_similarity(a[limbs], b[order], weight, size * spread) for order in (limbs, mirrored_limbs))


def _weighted_similarity(a: FloatArray, b: FloatArray, weight: FloatArray, sigma: float) -> float:
    squared = ((a[:, :2] - b[:, :2]) ** 2).sum(-1)
    return float((weight * np.exp(-squared / (2 * sigma**2))).sum() / weight.sum())


def box_iou(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes (4,)."""
    intersection = _intersection_area(a, b)
    return intersection / max(_box_area(a) + _box_area(b) - intersection, 1e-6)


def contained_fraction(a: FloatArray, b: FloatArray) -> float:
    """The fraction of box a that is inside box b, 0..1."""
    return _intersection_area(a, b) / max(_box_area(a), 1e-6)


def _intersection_area(a: FloatArray, b: FloatArray) -> float:
    return float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)))


def _box_area(box: FloatArray) -> float:
    return float(np.prod(box[2:] - box[:2]))


def is_same_person(a: Detection, b: Detection, keypoint_set: str) -> bool:
    """Whether two detections of one frame show one person: their keypoints are similar, or their torsos coincide."""
    if detection_similarity(a, b, keypoint_set) >= MIN_SAME_PERSON_SIMILARITY:
        return True
    box_a, box_b = (person_box(detection.keypoints, keypoint_set) for detection in (a, b))
    distance = np.linalg.norm(torso_centre(a.keypoints, keypoint_set) - torso_centre(b.keypoints, keypoint_set))
    is_torso_close = distance < MAX_TORSO_DISTANCE * max(body_size(box_a), body_size(box_b))
    return bool(box_iou(box_a, box_b) > MIN_SAME_PERSON_IOU and is_torso_close)


def detection_similarity(a: Detection, b: Detection, keypoint_set: str) -> float:
    """The `keypoint_similarity` of two detections of one frame, relative to the size of the larger."""
    size = max(body_size(person_box(detection.keypoints, keypoint_set)) for detection in (a, b))
    return keypoint_similarity(a.keypoints, b.keypoints, size, keypoint_set)


def remove_duplicates(detections: list[Detection], keypoint_set: str) -> list[Detection]:
    """Of detections that show one person, only the one with the highest score."""
    unique: list[Detection] = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if not any(is_same_person(detection, other, keypoint_set) for other in unique):
            unique.append(detection)
    return unique


def compute_appearance(image: ImageArray, keypoints: FloatArray, keypoint_set: str) -> FloatArray | None:
    """The colours of shirt and trousers: histograms of hue, saturation and brightness, (64,) with sum 1; None if out of view.

    image: (H,W,3) uint8 RGB. The patches between shoulders and hips, and between hips and knees, show the clothes from every
    side.
    """
    index = KEYPOINT_SETS[keypoint_set].index
    histograms: list[AnyArray] = []
    for upper, lower in (("shoulder", "hip"), ("hip", "knee")):
        corners = keypoints[[index[f"{side}_{joint}"] for joint in (upper, lower) for side in ("left", "right")], :2]
        centre = (corners.min(0) + corners.max(0)) / 2
        half = np.maximum((corners.max(0) - corners.min(0)) * 0.4, 2)
        left, top = np.maximum(np.floor(centre - half), 0).astype(int)
        right, bottom = np.maximum(np.ceil(centre + half), 0).astype(int)
        patch = image[top:bottom, left:right]
        if patch.shape[0] < 2 or patch.shape[1] < 2:
            return None
        scaled = cv2.resize(patch, (APPEARANCE_PATCH_SIDE, APPEARANCE_PATCH_SIDE), interpolation=cv2.INTER_AREA)
        hsv = cv2.cvtColor(scaled, cv2.COLOR_RGB2HSV).reshape(-1, 3)
        # Grey cloth has no defined hue: a pixel's hue counts in proportion to its saturation.
        hue = np.bincount(hsv[:, 0] * 16 // 180, hsv[:, 1] / 255.0, minlength=APPEARANCE_BINS)
        value = np.bincount(hsv[:, 2] // 16, 1 - 0.5 * hsv[:, 1] / 255.0, minlength=APPEARANCE_BINS)
        histograms += [hue, value]
    histogram = np.concatenate(histograms).astype(np.float32)
    return histogram / max(histogram.sum(), 1e-6)


def appearance_similarity(a: FloatArray | None, b: FloatArray | None) -> float | None:
    """Similarity of two results of `compute_appearance`, 0..1 (Bhattacharyya coefficient); None if either is None."""
    return None if a is None or b is None else float(np.sqrt(a * b).sum())
