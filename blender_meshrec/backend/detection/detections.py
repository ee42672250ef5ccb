"""One person in one frame, as a detector reports it, and how alike two of them are."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ...core.skeletons import H36M17, KEYPOINT_SETS, h36m17_weights, limb_indices

CONFIDENCE_THRESHOLD = 0.5
# Spread of a joint's place, as a share of the person's size, within which two poses count as alike. Object keypoint
# similarity (COCO) uses 0.05-0.2 for limbs; one value for all is enough to tell people apart.
KEYPOINT_SPREAD = 0.1
_DTYPES = {"silhouette": bool, "portrait": np.uint8}  # of a Pose; the rest is float32


@dataclass(frozen=True, eq=False)
class Detection:
    """keypoints: (K,3) x px, y px, confidence. keypoints_3d: (K,3) m in camera axes about the hips' middle, or None.

    score: 0..1, how sure the detector is that this is a person seen whole.
    appearance: the clothes' colours, see `compute_appearance`, or None.
    identity: a number that says who this is in every frame, where the detector knows; None leaves it to the tracker.
    silhouette, square: as in core.silhouettes, (SIDE,SIDE) bool and (3,) px, where the detector cut the person out; else None.
    portrait: (S,S,3) uint8 RGB, a small picture of the person, in some of the frames; else None.
    """

    keypoints: np.ndarray
    keypoints_3d: np.ndarray | None
    score: float
    appearance: np.ndarray | None = None
    identity: int | None = None
    silhouette: np.ndarray | None = None
    square: np.ndarray | None = None
    portrait: np.ndarray | None = None

    def __post_init__(self):
        # As the cache keeps them, so that a run that reads them back sees exactly the same.
        for name in ("keypoints", "keypoints_3d", "appearance", "silhouette", "square", "portrait"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), _DTYPES.get(name, np.float32)))


def person_box(keypoints, keypoint_set):
    """The box round a person's confident keypoints and the top of the head, (4,) px: left, top, right, bottom.

    keypoints: (K,3). Where fewer than three are confident all that were found count.
    """
    points = np.vstack([keypoints, h36m17_joint(keypoints, keypoint_set, "head_top")])
    for threshold in (CONFIDENCE_THRESHOLD, 0.05, -1.0):
        sure = points[points[:, 2] > threshold, :2]
        if len(sure) >= 3:
            break
    return np.concatenate([sure.min(0), sure.max(0)])


@lru_cache
def _joint_weights(keypoint_set, name):
    weights = h36m17_weights(keypoint_set)[H36M17.index(name)]
    return np.flatnonzero(weights), weights[weights != 0]


def h36m17_joint(keypoints, keypoint_set, name):
    """One joint of h36m17 from keypoints (K,3), as (3,) px and confidence; confidence 0 where the set cannot give it."""
    points, weights = _joint_weights(keypoint_set, name)
    if not len(points):
        return np.zeros(3)
    parts = keypoints[points]
    return np.append(weights @ parts[:, :2], parts[:, 2].min())


@lru_cache
def _limb_permutations(keypoint_set):
    """The limb joints (12,) of a set, and the same with left and right exchanged."""
    limbs = limb_indices(KEYPOINT_SETS[keypoint_set].points)
    return limbs, mirror_permutation(keypoint_set)[limbs]


def body_size(box):
    """The root of a box's area, px; a thin box (a person seen edge on, arms down) counts as at least a third as wide as tall."""
    width, height = box[2] - box[0], box[3] - box[1]
    return float(np.sqrt(max(width, height / 3) * max(height, width / 3)) + 1e-6)


@lru_cache
def mirror_permutation(keypoint_set):
    """The permutation (K,) that exchanges left and right."""
    points = KEYPOINT_SETS[keypoint_set].points
    other = {"left": "right", "right": "left"}
    renamed = ["_".join(other.get(word, word) for word in point.split("_")) for point in points]
    return np.array([points.index(name) for name in renamed])


def keypoint_similarity(a, b, size, keypoint_set, spread=KEYPOINT_SPREAD):
    """How alike two poses lie in the image, 0..1, whichever way round left and right were told.

    a, b: (K,3) px and confidence. size: px, see `body_size`. spread: share of the size at which likeness falls to 0.6.
    Source: object keypoint similarity, COCO keypoint evaluation, over the twelve limb joints.
    """
    limbs, swapped = _limb_permutations(keypoint_set)
    weight = np.minimum(a[limbs, 2], b[limbs, 2]) + 0.05
    return max(_weighted_similarity(a[limbs], b[order], weight, size * spread) for order in (limbs, swapped))


def _weighted_similarity(a, b, weight, sigma):
    squared = ((a[:, :2] - b[:, :2]) ** 2).sum(-1)
    return float((weight * np.exp(-squared / (2 * sigma**2))).sum() / weight.sum())


def box_iou(a, b):
    """Intersection over union of two boxes (4,)."""
    shared = _intersection_area(a, b)
    return shared / max(_box_area(a) + _box_area(b) - shared, 1e-6)


def contained_fraction(a, b):
    """How much of box a lies in box b, 0..1."""
    return _intersection_area(a, b) / max(_box_area(a), 1e-6)


def _intersection_area(a, b):
    return float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)))


def _box_area(box):
    return float(np.prod(box[2:] - box[:2]))


def torso_centre(keypoints, keypoint_set):
    """The middle of shoulders and hips, (2,) px: it moves as the person does, whatever the limbs do."""
    corners = keypoints[_limb_permutations(keypoint_set)[0][[0, 1, 6, 7]]]
    known = corners[corners[:, 2] > 0]
    if not len(known):
        known = keypoints[keypoints[:, 2] > 0]
    return known[:, :2].mean(0) if len(known) else keypoints[:, :2].mean(0)


def is_same_person(a, b, keypoint_set):
    """Whether two poses of one frame lie on one person: they are alike, or trunk lies on trunk."""
    if detection_similarity(a, b, keypoint_set) >= 0.5:
        return True
    box_a, box_b = (person_box(pose.keypoints, keypoint_set) for pose in (a, b))
    apart = np.linalg.norm(torso_centre(a.keypoints, keypoint_set) - torso_centre(b.keypoints, keypoint_set))
    return box_iou(box_a, box_b) > 0.3 and apart < 0.25 * max(body_size(box_a), body_size(box_b))


def detection_similarity(a, b, keypoint_set):
    """The `keypoint_similarity` of two poses of one frame, by the size of the larger."""
    size = max(body_size(person_box(pose.keypoints, keypoint_set)) for pose in (a, b))
    return keypoint_similarity(a.keypoints, b.keypoints, size, keypoint_set)


def remove_duplicates(detections, keypoint_set):
    """Of poses that lie on one person the surest."""
    kept = []
    for pose in sorted(detections, key=lambda pose: -pose.score):
        if not any(is_same_person(pose, other, keypoint_set) for other in kept):
            kept.append(pose)
    return kept


def compute_appearance(image, keypoints, keypoint_set):
    """The colours of shirt and trousers: histograms of hue, saturation and brightness, (64,) adding up to 1; None if out of sight.

    image: (H,W,3) uint8 RGB. The patches between shoulders and hips, and between hips and knees, are what shows of the
    clothes from every side.
    """
    index = KEYPOINT_SETS[keypoint_set].index
    histograms = []
    for upper, lower in (("shoulder", "hip"), ("hip", "knee")):
        corners = keypoints[[index[f"{side}_{joint}"] for joint in (upper, lower) for side in ("left", "right")], :2]
        middle = (corners.min(0) + corners.max(0)) / 2
        half = np.maximum((corners.max(0) - corners.min(0)) * 0.4, 2)
        left, top = np.maximum(np.floor(middle - half), 0).astype(int)
        right, bottom = np.maximum(np.ceil(middle + half), 0).astype(int)
        patch = image[top:bottom, left:right]
        if patch.shape[0] < 2 or patch.shape[1] < 2:
            return None
        patch = cv2.cvtColor(cv2.resize(patch, (24, 24), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV).reshape(-1, 3)
        # Hue says nothing of grey cloth: it is counted by how saturated the pixel is.
        hue = np.bincount(patch[:, 0] * 16 // 180, patch[:, 1] / 255.0, minlength=16)
        value = np.bincount(patch[:, 2] // 16, 1 - 0.5 * patch[:, 1] / 255.0, minlength=16)
        histograms += [hue, value]
    histogram = np.concatenate(histograms).astype(np.float32)
    return histogram / max(histogram.sum(), 1e-6)


def appearance_similarity(a, b):
    """How alike two `compute_appearance`s are, 0..1 (Bhattacharyya coefficient); None if either is not known."""
    return None if a is None or b is None else float(np.sqrt(a * b).sum())
