"""People who touch, followed together: each by what the picture shows of them, without what belongs to the others.

A detector of people sees one of two who hug, or a mixture of both. Where each of them should be is known from the frame before: every
pixel near them belongs to the body that is nearer to it, and each one's landmarks are found in a picture from which the others' pixels are
taken. What is found has to agree with what was expected, and to differ from the others; otherwise people are looked for as if apart.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray
from ...core.skeletons import KEYPOINT_SETS
from .crops import Square, crop_square, image_from_turned
from .detections import Detection, body_size, h36m17_joint, person_box, upright_turns
from .detector import ExpectedPerson
from .similarity import MIN_SAME_PERSON_SIMILARITY, keypoint_similarity
from .skeleton_drawing import draw_skeleton, points_on_skeleton

# A pixel may be a body's within this distance of its skeleton, and the head's radius, in body sizes.
REACH, HEAD_RADIUS = 0.14, 0.09
# The side of a square around a person over the distance of their hips from the farthest of head and ankles.
SIDE_PER_REACH = 2.9
# A body that is found agrees with what is expected by this similarity at least, with this spread of joints, body sizes, and so much more
# for each frame in which the person was missed, up to a limit.
MIN_AGREEMENT, AGREEMENT_SPREAD, SPREAD_GROWTH, MAX_SPREAD = 0.35, 0.12, 0.02, 0.4
# Somebody whose feet are this much lower in the picture, body sizes, is in front: all of their pixels are theirs.
IN_FRONT = 0.15
FILL_SIDE = 48  # px, of the picture from which the colours are taken that replace others


def touching_people(expected: Sequence[ExpectedPerson], keypoint_set: str) -> dict[int, list[int]]:
    """The numbers of those whose pixels may lie beside a person's, for each person who touches somebody."""
    known = {number: _keypoints(person) for number, person in enumerate(expected) if person.keypoints is not None}
    touching = {a: [b for b in known if b != a and _meet(known[a], known[b], keypoint_set)] for a in known}
    return {number: others for number, others in touching.items() if others}


def _meet(a: FloatArray, b: FloatArray, keypoint_set: str) -> bool:
    """Whether some pixel may be either body's: boxes of people who spread their arms meet long before."""
    reach = REACH * sum(body_size(person_box(keypoints, keypoint_set)) for keypoints in (a, b))
    own, other = (points_on_skeleton(keypoints[:, :2], keypoint_set) for keypoints in (a, b))
    return bool(np.linalg.norm(own[:, None] - other, axis=-1).min() < reach)


def own_square(person: ExpectedPerson, keypoint_set: str) -> Square:
    """The Square that a landmark network looks at: around the hips, as large as the person is with head and feet when nobody is near, and
    turned so that the trunk is upright in it, as the network has learnt to see people.
    """
    x, y, _confidence = h36m17_joint(_keypoints(person), keypoint_set, "hip")
    return Square(x, y, SIDE_PER_REACH * person.reach, upright_turns(_keypoints(person), keypoint_set))


def reach_from_hips(keypoints: FloatArray, keypoint_set: str) -> float:
    """The distance, px, of a person's hips from the farthest of head and ankles; keypoints (K,3)."""
    index = KEYPOINT_SETS[keypoint_set].index
    ends = [index[name] for name in ("nose", "left_ear", "right_ear", "left_ankle", "right_ankle") if name in index]
    hip = h36m17_joint(np.asarray(keypoints, float), keypoint_set, "hip")[:2]
    return float(np.linalg.norm(keypoints[ends, :2] - hip, axis=1).max())


def crop_without_others(
    image: ImageArray, square: Square, mine: FloatArray, others: Sequence[FloatArray], side: int, keypoint_set: str
) -> tuple[ImageArray, FloatArray] | None:
    """A Square of an image, without the pixels that belong to others.

    Args:
        image: (H,W,3) uint8 RGB. mine, others: keypoints (K,3), where they are expected. side: px, of the result.

    Returns:
        (side,side,3), and image_from_crop (2,3) as of `Crop`; None if the square misses the image.
    """
    crop = crop_square(image, square, side)
    if crop is None:
        return None
    turned = image_from_turned(square.quarter_turns)
    scale = side / max(2, round(square.side))
    corner = crop.image_from_crop[:, 2]

    def distances(keypoints: FloatArray, size: float) -> FloatArray:
        """How far (side,side) px each pixel is from a body of this size, px."""
        points = scale * ((keypoints[:, :2] - corner) @ turned)
        drawn = np.full((side, side), 255, np.uint8)
        draw_skeleton(drawn, points, keypoint_set, 0, HEAD_RADIUS * size)
        return np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 3), float)

    own_size, *sizes = (scale * body_size(person_box(each, keypoint_set)) for each in (mine, *others))
    own, taken = distances(mine, own_size), np.zeros((side, side), bool)
    for other, size in zip(others, sizes, strict=True):
        theirs = distances(other, size)
        in_front = _lowest_foot(other, keypoint_set) > _lowest_foot(mine, keypoint_set) + IN_FRONT * size / scale
        taken |= (theirs < REACH * size) & ((theirs < own) | in_front)
    return _filled(crop.image, taken), crop.image_from_crop


def _lowest_foot(keypoints: FloatArray, keypoint_set: str) -> float:
    index = KEYPOINT_SETS[keypoint_set].index
    return float(keypoints[[index["left_ankle"], index["right_ankle"]], 1].max())


def _filled(image: ImageArray, taken: BoolArray) -> ImageArray:
    """A square image whose pixels that are taken (S,S) have the colours around them."""
    if not taken.any() or taken.all():
        return image
    size, side = (FILL_SIDE, FILL_SIDE), image.shape[:2][::-1]
    is_taken = np.asarray(cv2.resize(taken.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 0, np.uint8)
    around = cv2.inpaint(cv2.resize(image, size, interpolation=cv2.INTER_AREA), is_taken, 3, cv2.INPAINT_TELEA)
    filled = image.copy()
    filled[taken] = cv2.resize(around, side, interpolation=cv2.INTER_LINEAR)[taken]
    return filled


def follow_touching(
    expected: Sequence[ExpectedPerson], look: Callable[[ExpectedPerson, list[FloatArray]], Detection | None], keypoint_set: str
) -> dict[int, Detection]:
    """The detections of those, by their number, who touch somebody and are found where they are expected.

    look: finds a person in the picture without others, of keypoints (K,3) each.
    """
    found: dict[int, Detection] = {}
    for number, others in touching_people(expected, keypoint_set).items():
        detection = look(expected[number], [_keypoints(expected[other]) for other in others])
        if detection is not None and _agrees(detection, expected[number], keypoint_set):
            found[number] = detection
    merged = {
        a for a, one in found.items() for b, other in found.items()
        if a != b and _similarity(one.keypoints, other.keypoints, keypoint_set) > MIN_SAME_PERSON_SIMILARITY
    }  # fmt: skip
    return {number: detection for number, detection in found.items() if number not in merged}


def _agrees(detection: Detection, person: ExpectedPerson, keypoint_set: str) -> bool:
    spread = min(AGREEMENT_SPREAD + SPREAD_GROWTH * person.missed, MAX_SPREAD)
    return _similarity(detection.keypoints, _keypoints(person), keypoint_set, spread) > MIN_AGREEMENT


def _similarity(a: FloatArray, b: FloatArray, keypoint_set: str, spread: float = 0.1) -> float:
    size = max(body_size(person_box(keypoints, keypoint_set)) for keypoints in (a, b))
    return keypoint_similarity(a, b, size, keypoint_set, spread)


def _keypoints(person: ExpectedPerson) -> FloatArray:
    if person.keypoints is None:
        raise ValueError("A person who was not seen before has no expected keypoints")
    return np.asarray(person.keypoints, float)
