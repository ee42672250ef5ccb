"""Small pictures of the people in footage, by which a list of them is read."""

from dataclasses import replace

import numpy as np

from ..detection.crops import cut_square, square_round
from ..detection.detections import joint
from .tracker import quarter_turns

SIDE = 64  # px
# Pictures are taken this often, s, so that everybody who counts as a person has one.
EVERY = 0.5
MARGIN = 1.5
_UPPER_BODY = ("head_top", "nose", "left_shoulder", "right_shoulder", "spine")


def with_portraits(frame, poses, keypoint_set):
    """The poses of a frame with a picture each, where it is time for one."""
    due = frame.row == 0 or int(frame.time / EVERY) != int((frame.time - frame.since) / EVERY)
    if frame.image is None or not due:
        return poses
    return [replace(pose, portrait=portrait(frame.image, pose.keypoints, keypoint_set)) for pose in poses]


def portrait(image, keypoints, keypoint_set):
    """Head and shoulders, upright, as (SIDE,SIDE,3) uint8 RGB; None where they are outside the image.

    image: (H,W,3) uint8 RGB. keypoints: (K,3) x px, y px, confidence.
    """
    points = np.array([joint(keypoints, keypoint_set, name) for name in _UPPER_BODY])
    points = points[points[:, 2] > 0]
    if not len(points):
        return None
    box = np.concatenate([points[:, :2].min(0), points[:, :2].max(0)])
    return cut_square(image, square_round(box, MARGIN, quarter_turns(keypoints, keypoint_set)), SIDE)[0]
