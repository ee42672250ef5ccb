"""RTMPose or ViTPose through rtmlib, from ONNX files that the user provides.

Two files are searched for in the models folders: `rtmlib_detector.onnx` (YOLOX, finds people) and `rtmlib_pose.onnx` (RTMPose
or ViTPose with 17, 26 or 133 points). Nothing is downloaded.

Source: Jiang et al. 2023, "RTMPose: Real-time multi-person pose estimation"; Xu et al. 2022, "ViTPose".
"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from ...bridge.messages import ReconstructRequest
from ...core.array_types import AnyArray, FloatArray, ImageArray
from ...core.errors import ModelError
from ...core.files.model_files import model_file
from ..footage.frame_source import Frame
from ..registry import detector
from .detections import Detection
from .detector import Detector, ExpectedPerson
from .keypoint_sets import convert_to_known_set
from .similarity import box_iou, compute_appearance, remove_duplicates

DETECTOR_FILE, POSE_FILE = "rtmlib_detector.onnx", "rtmlib_pose.onnx"
# Interval, s, at which newcomers are searched for; in between people are followed by their expected boxes.
SEARCH_INTERVAL = 0.5
# A found box that overlaps an expected one more than this replaces it.
MAX_NEW_BOX_IOU = 0.3
# Mean confidence below which keypoints are no person.
MIN_SCORE = 0.3


@detector("rtmlib")
class RtmlibDetector(Detector):
    """Finds people with the user's own ONNX files. Raises ModelError if rtmlib, onnxruntime or a file is missing."""

    def __init__(self, request: ReconstructRequest | None = None) -> None:
        super().__init__(request)
        rtmlib, onnxruntime = import_optional("rtmlib"), import_optional("onnxruntime")
        self._paths = [_find_model(name) for name in (DETECTOR_FILE, POSE_FILE)]
        detector_path, pose_path = map(str, self._paths)
        wants_cuda = request is not None and request.device == "cuda"
        has_cuda = wants_cuda and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        settings = {"backend": "onnxruntime", "device": "cuda" if has_cuda else "cpu"}
        (height, width), _outputs = inspect_onnx(onnxruntime, detector_path)
        self._person_detector = rtmlib.YOLOX(detector_path, model_input_size=(height, width), **settings)
        (height, width), outputs = inspect_onnx(onnxruntime, pose_path)
        # RTMPose has two outputs, a row and a column for each point (SimCC); ViTPose has one, heatmaps.
        estimator_class = rtmlib.RTMPose if outputs == 2 else rtmlib.ViTPose
        self._pose_estimator = estimator_class(pose_path, model_input_size=(width, height), **settings)
        blank = np.zeros((height, width, 3), np.uint8)
        _keypoints, self.keypoint_set = convert_to_known_set(self._estimate_keypoints(blank, [np.array([0, 0, width, height])]), POSE_FILE)

    def identity(self) -> str:
        files = [path.stat() for path in self._paths]
        return " ".join(["rtmlib", *(f"{file.st_size} {file.st_mtime_ns}" for file in files)])

    def detect(self, frame: Frame, expected: list[ExpectedPerson]) -> list[Detection]:
        if frame.image is None:
            return []
        image = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), np.uint8)
        boxes = [np.asarray(person.box, float) for person in expected if not person.is_lost]
        if not boxes or frame.is_due(SEARCH_INTERVAL):
            found = np.asarray(self._person_detector(image), float).reshape(-1, 4)
            boxes = [*found, *(box for box in boxes if all(box_iou(box, other) < MAX_NEW_BOX_IOU for other in found))]
        if not boxes:
            return []
        keypoints, _set = convert_to_known_set(self._estimate_keypoints(image, boxes), POSE_FILE)
        detections = [
            Detection(person, None, float(person[:, 2].mean()), compute_appearance(frame.image, person, self.keypoint_set))
            for person in keypoints
            if person[:, 2].mean() > MIN_SCORE
        ]
        return remove_duplicates(detections, self.keypoint_set)

    def _estimate_keypoints(self, image: ImageArray, boxes: Sequence[AnyArray]) -> FloatArray:
        """(N,K,3) px and confidence of the people in N boxes. rtmlib's pixel centres are at whole numbers, ours at 0.5."""
        positions, scores = self._pose_estimator(image, bboxes=[list(map(float, box)) for box in boxes])
        return np.concatenate([np.asarray(positions, float) + 0.5, np.clip(np.asarray(scores, float), 0, 1)[..., None]], -1)


def import_optional(name: str) -> ModuleType:
    """Import a module that the user may not have. Raises ModelError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            "rtmlib-package-missing",
            "The detector rtmlib needs the package {name}, which is not installed.",
            "Install rtmlib and onnxruntime into the backend's environment, or choose the detector mediapipe.",
            name=name,
        ) from error


def inspect_onnx(onnxruntime: ModuleType, path: str) -> tuple[tuple[int, int], int]:
    """((height, width) of the input, number of outputs) of an ONNX file. Raises ModelError if it is unreadable or has no fixed size."""
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class of its own for each way a file can be wrong
        raise ModelError(
            "onnx-model-unreadable", "{path} cannot be read as an ONNX model.", "Copy the file again from where you got it.", path=path
        ) from error
    height, width = session.get_inputs()[0].shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ModelError(
            "onnx-input-size-unknown",
            "{path} does not say how large its input is.",
            "Export the model with a fixed height and width.",
            path=path,
        )
    return (height, width), len(session.get_outputs())


def _find_model(name: str) -> Path:
    try:
        return model_file(name)
    except ModelError as error:
        raise ModelError(
            "rtmlib-model-missing",
            error.problem,
            "Put your YOLOX file as {detector} and your RTMPose or ViTPose file as {pose} into the models folder.",
            detector=DETECTOR_FILE,
            pose=POSE_FILE,
        ) from error
