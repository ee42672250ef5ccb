"""One person in one frame, as a detector reports it, and measures of it in the image."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from ...core.skeletons import H36M17, KEYPOINT_SETS, h36m17_weights, limb_indices, mirror_indices

CONFIDENCE_THRESHOLD = 0.5
# The dtypes in which the observation cache stores a Detection's arrays.
_DTYPES = {
    "keypoints": np.float32,
    "keypoints_3d": np.float32,
    "appearance": np.float32,
    "silhouette": np.bool_,
    "square": np.float32,
    "portrait": np.uint8,
    "regression": np.float32,
    "second_look": np.float32,
}


@dataclass(frozen=True, eq=False)
class Detection:
    """keypoints: (K,3) x px, y px, confidence. keypoints_3d: (K,3) m in camera axes about the hips' centre, or None.

    score: 0..1, the detector's confidence that this is a person, whole in view.
    appearance: the clothes' colours, see `similarity.compute_appearance`, or None.
    identity: a number that is the same for this person in every frame, from detectors that track; None leaves tracking to the tracker.
    silhouette, square: as in core.silhouettes, (SIDE,SIDE) bool and (3,) px, if the detector segmented the person; else None.
    portrait: (S,S,3) uint8 RGB, a small image of the person, in some of the frames; else None.
    regression: a row of core/crop_regression.py, what an image method regressed of the person's crop; else None.
    second_look: (17,3), the keypoints of COCO by another network, x px, y px, confidence, zero where it did not look; else None.
    """

    keypoints: FloatArray
    keypoints_3d: FloatArray | None
    score: float
    appearance: FloatArray | None = None
    identity: int | None = None
    silhouette: BoolArray | None = None
    square: FloatArray | None = None
    portrait: ImageArray | None = None
    regression: FloatArray | None = None
    second_look: FloatArray | None = None

    @property
    def outline(self) -> tuple[BoolArray, FloatArray] | None:
        """The silhouette and its square, if the detector segmented the person."""
        return None if self.silhouette is None or self.square is None else (self.silhouette, self.square)

    def __post_init__(self) -> None:
        # Cast as the cache does, so that a run that reads the cache computes exactly the same.
        for name, dtype in _DTYPES.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.asarray(value, dtype))


def person_box(keypoints: FloatArray, keypoint_set: str) -> FloatArray:
    """The bounding box of a person's confident keypoints and the top of the head, (4,) px: left, top, right, bottom.

    keypoints: (K,3). With fewer than three confident keypoints, less confident ones count too.
    """
    points = np.vstack([keypoints, h36m17_joint(keypoints, keypoint_set, "head_top")])
    confident = points[:, :2]
    for threshold in (CONFIDENCE_THRESHOLD, 0.05, -1.0):
        confident = points[points[:, 2] > threshold, :2]
        if len(confident) >= 3:
            break
    return np.concatenate([confident.min(0), confident.max(0)])


@lru_cache
def _joint_weights(keypoint_set: str, name: str) -> tuple[IntArray, FloatArray]:
    """The keypoints that make a joint of h36m17, and their weights."""
    weights = h36m17_weights(keypoint_set)[H36M17.index(name)]
    return np.flatnonzero(weights), weights[weights != 0]


def h36m17_joint(keypoints: FloatArray, keypoint_set: str, name: str) -> FloatArray:
    """One joint of h36m17 from keypoints (K,3), as (3,) px and confidence; confidence 0 if the set does not determine it."""
    points, weights = _joint_weights(keypoint_set, name)
    if not len(points):
        return np.zeros(3)
    parts = keypoints[points]
    return np.append(weights @ parts[:, :2], parts[:, 2].min())


@lru_cache
def set_limb_indices(keypoint_set: str) -> IntArray:
    """The indices of the limb joints (12,) in a keypoint set."""
    return limb_indices(KEYPOINT_SETS[keypoint_set].points)


@lru_cache
def mirror_permutation(keypoint_set: str) -> IntArray:
    """The permutation (K,) that exchanges left and right."""
    return mirror_indices(KEYPOINT_SETS[keypoint_set].points)


def body_size(box: FloatArray) -> float:
    """The square root of a box's area, px; each side counts as at least a third of the other, as for a person in profile."""
    width, height = box[2] - box[0], box[3] - box[1]
    return float(np.sqrt(max(width, height / 3) * max(height, width / 3)) + 1e-6)


def torso_centre(keypoints: FloatArray, keypoint_set: str) -> FloatArray:
    """The mean of shoulders and hips, (2,) px: it moves with the person, independent of the limbs."""
    corners = keypoints[set_limb_indices(keypoint_set)[[0, 1, 6, 7]]]
    known = corners[corners[:, 2] > 0]
    if not len(known):
        known = keypoints[keypoints[:, 2] > 0]
    return known[:, :2].mean(0) if len(known) else keypoints[:, :2].mean(0)


def upright_quarter_turns(keypoints: FloatArray, keypoint_set: str) -> int:
    """The whole number of `upright_turns`, 0 to 3."""
    return round(upright_turns(keypoints, keypoint_set)) % 4


def upright_turns(keypoints: FloatArray, keypoint_set: str) -> float:
    """The counterclockwise quarter turns, -2 to 2, that bring the shoulders of keypoints (K,3) above the hips; 0 if unclear."""
    thorax, hip = (h36m17_joint(keypoints, keypoint_set, name) for name in ("thorax", "hip"))
    up = thorax[:2] - hip[:2]
    if min(thorax[2], hip[2]) < CONFIDENCE_THRESHOLD or not up.any():
        return 0.0
    # In the image y points down: upright is (0, -1), lying with the head to the right (1, 0).
    return float(np.degrees(np.arctan2(up[0], -up[1])) / 90)
