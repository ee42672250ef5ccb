"""Small pictures of the people in footage, by which a list of them is read."""

from dataclasses import replace

import numpy as np

from ..detection.crops import crop_square, square_around
from ..detection.detections import h36m17_joint
from .tracker import upright_quarter_turns

PORTRAIT_SIDE = 64  # px
# Pictures are taken this often, s, so that everybody who counts as a person has one.
PORTRAIT_INTERVAL = 0.5
PORTRAIT_MARGIN = 1.5
_UPPER_BODY = ("head_top", "nose", "left_shoulder", "right_shoulder", "spine")


def add_portraits(frame, detections, keypoint_set):
    """The poses of a frame with a picture each, where it is time for one."""
    due = frame.row == 0 or int(frame.time / PORTRAIT_INTERVAL) != int((frame.time - frame.interval) / PORTRAIT_INTERVAL)
    if frame.image is None or not due:
        return detections
    return [replace(pose, portrait=crop_portrait(frame.image, pose.keypoints, keypoint_set)) for pose in detections]


def crop_portrait(image, keypoints, keypoint_set):
    """Head and shoulders, upright, as (PORTRAIT_SIDE,PORTRAIT_SIDE,3) uint8 RGB; None where they are outside the image.

    image: (H,W,3) uint8 RGB. keypoints: (K,3) x px, y px, confidence.
    """
    points = np.array([h36m17_joint(keypoints, keypoint_set, name) for name in _UPPER_BODY])
    points = points[points[:, 2] > 0]
    if not len(points):
        return None
    box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
    return crop_square(image, square_around(box, PORTRAIT_MARGIN, upright_quarter_turns(keypoints, keypoint_set)), PORTRAIT_SIDE)[0]
