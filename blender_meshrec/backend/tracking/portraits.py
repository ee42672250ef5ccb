"""Portraits: small images of the people in footage, shown in the list of people."""

from dataclasses import replace

import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ..detection.crops import crop_square, square_around
from ..detection.detections import Detection, h36m17_joint, upright_quarter_turns
from ..footage.frame_source import Frame

PORTRAIT_SIDE = 64  # px
# Portraits are taken at this interval, s: shorter than the shortest track that counts as a person.
PORTRAIT_INTERVAL = 0.5
PORTRAIT_MARGIN = 1.5
_UPPER_BODY = ("head_top", "nose", "left_shoulder", "right_shoulder", "spine")


def add_portraits(frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
    """The detections of a frame, each with a portrait if one is due."""
    if frame.image is None or not frame.is_due(PORTRAIT_INTERVAL):
        return detections
    return [replace(detection, portrait=crop_portrait(frame.image, detection.keypoints, keypoint_set)) for detection in detections]


def crop_portrait(image: ImageArray, keypoints: FloatArray, keypoint_set: str) -> ImageArray | None:
    """Head and shoulders, upright, as (PORTRAIT_SIDE,PORTRAIT_SIDE,3) uint8 RGB; None if they are outside the image.

    image: (H,W,3) uint8 RGB. keypoints: (K,3) x px, y px, confidence.
    """
    points = np.array([h36m17_joint(keypoints, keypoint_set, name) for name in _UPPER_BODY])
    points = points[points[:, 2] > 0]
    if not len(points):
        return None
    box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
    crop = crop_square(image, square_around(box, PORTRAIT_MARGIN, upright_quarter_turns(keypoints, keypoint_set)), PORTRAIT_SIDE)
    return None if crop is None else crop.image
