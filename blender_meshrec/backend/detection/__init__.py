"""Detectors, which find people in frames. Importing this package registers all of them."""

from . import keypoints_file, mediapipe_detector, rtmlib_detector

__all__ = ["keypoints_file", "mediapipe_detector", "rtmlib_detector"]
