"""RTMPose or ViTPose through rtmlib, from ONNX files that the user brings.

Two files are looked for among the models: `rtmlib_detector.onnx` (YOLOX, finds people) and `rtmlib_pose.onnx` (RTMPose
or ViTPose with 17, 26 or 133 points). Nothing is downloaded.

Source: Jiang et al. 2023, "RTMPose: Real-time multi-person pose estimation"; Xu et al. 2022, "ViTPose".
"""

import importlib

import cv2
import numpy as np

from ...core.errors import ModelError
from ...core.files.model_files import model_file
from ..registry import detector
from .detections import Detection, box_iou, compute_appearance, remove_duplicates
from .detector import Detector
from .keypoint_sets import convert_to_known_set

DETECTOR_FILE, POSE_FILE = "rtmlib_detector.onnx", "rtmlib_pose.onnx"
# Newcomers are looked for this often, s; in between people are followed by where they should be.
SEARCH_INTERVAL = 0.5
# Mean confidence below which a pose is no person.
MIN_SCORE = 0.3


@detector("rtmlib")
class RtmlibDetector(Detector):
    """Finds people with the user's own ONNX files. Raises ModelError if rtmlib, onnxruntime or a file is missing."""

    def __init__(self, request=None):
        rtmlib, onnxruntime = import_optional("rtmlib"), import_optional("onnxruntime")
        self._paths = [str(_find_model(name)) for name in (DETECTOR_FILE, POSE_FILE)]
        cuda = getattr(request, "device", "cpu") == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        settings = {"backend": "onnxruntime", "device": "cuda" if cuda else "cpu"}
        (height, width), _outputs = inspect_onnx(onnxruntime, self._paths[0])
        self._person_detector = rtmlib.YOLOX(self._paths[0], model_input_size=(height, width), **settings)
        (height, width), outputs = inspect_onnx(onnxruntime, self._paths[1])
        # RTMPose answers with a row and a column for each point, ViTPose with one map.
        pose = rtmlib.RTMPose if outputs == 2 else rtmlib.ViTPose
        self._pose_estimator = pose(self._paths[1], model_input_size=(width, height), **settings)
        blank = np.zeros((height, width, 3), np.uint8)
        _keypoints, self.keypoint_set = convert_to_known_set(self._estimate_keypoints(blank, [[0, 0, width, height]]), POSE_FILE)

    def identity(self):
        return " ".join(
            [
                "rtmlib",
                *(f"{_find_model(name).stat().st_size} {_find_model(name).stat().st_mtime_ns}" for name in (DETECTOR_FILE, POSE_FILE)),
            ]
        )

    def detect(self, frame, expected):
        if frame.image is None:
            return []
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        boxes = [np.asarray(person.box, float) for person in expected]
        if not boxes or frame.row == 0 or int(frame.time / SEARCH_INTERVAL) != int((frame.time - frame.interval) / SEARCH_INTERVAL):
            found = np.asarray(self._person_detector(image), float).reshape(-1, 4)
            boxes = [*found, *(box for box in boxes if all(box_iou(box, other) < 0.3 for other in found))]
        if not boxes:
            return []
        keypoints, _name = convert_to_known_set(self._estimate_keypoints(image, boxes), POSE_FILE)
        poses = [
            Detection(person, None, float(person[:, 2].mean()), compute_appearance(frame.image, person, self.keypoint_set))
            for person in keypoints
            if person[:, 2].mean() > MIN_SCORE
        ]
        return remove_duplicates(poses, self.keypoint_set)

    def _estimate_keypoints(self, image, boxes):
        """(N,K,3) px and confidence of the people in N boxes; rtmlib gives whole pixels from 0, here their middles lie at 0.5."""
        places, scores = self._pose_estimator(image, bboxes=[list(map(float, box)) for box in boxes])
        return np.concatenate([np.asarray(places, float) + 0.5, np.clip(np.asarray(scores, float), 0, 1)[..., None]], -1)


def import_optional(name):
    """A module the user may not have. Raises ModelError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            "rtmlib-package-missing",
            "The detector rtmlib needs the package {name}, which is not installed.",
            "Install rtmlib and onnxruntime into the backend's environment, or choose the detector mediapipe.",
            name=name,
        ) from error


def inspect_onnx(onnxruntime, path):
    """((height, width), number of outputs) of an ONNX file. Raises ModelError if it is not one, or its input's size is open."""
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


def _find_model(name):
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
