"""Who finds people in footage. Importing this package registers every detector."""

from . import keypoints_file, mediapipe_tasks, rtmlib_onnx

__all__ = ["keypoints_file", "mediapipe_tasks", "rtmlib_onnx"]
