"""Who finds people in footage. Importing this package registers every detector."""

from . import keypoints_file, mediapipe_detector, rtmlib_detector

__all__ = ["keypoints_file", "mediapipe_detector", "rtmlib_detector"]
