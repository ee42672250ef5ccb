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
from .detections import Pose, appearance, overlap, without_doubles
from .detector import Detector
from .keypoint_sets import in_known_set

DETECTOR, POSE = "rtmlib_detector.onnx", "rtmlib_pose.onnx"
# Newcomers are looked for this often, s; in between people are followed by where they should be.
SEARCH_EVERY = 0.5
# Mean confidence below which a pose is no person.
LEAST_SCORE = 0.3


@detector("rtmlib")
class RtmlibDetector(Detector):
    """Finds people with the user's own ONNX files. Raises ModelError if rtmlib, onnxruntime or a file is missing."""

    def __init__(self, request=None):
        rtmlib, onnxruntime = installed("rtmlib"), installed("onnxruntime")
        self._paths = [str(_model(name)) for name in (DETECTOR, POSE)]
        cuda = getattr(request, "device", "cpu") == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        settings = {"backend": "onnxruntime", "device": "cuda" if cuda else "cpu"}
        (height, width), _outputs = described(onnxruntime, self._paths[0])
        self._people = rtmlib.YOLOX(self._paths[0], model_input_size=(height, width), **settings)
        (height, width), outputs = described(onnxruntime, self._paths[1])
        # RTMPose answers with a row and a column for each point, ViTPose with one map.
        pose = rtmlib.RTMPose if outputs == 2 else rtmlib.ViTPose
        self._pose = pose(self._paths[1], model_input_size=(width, height), **settings)
        blank = np.zeros((height, width, 3), np.uint8)
        _keypoints, self.keypoint_set = in_known_set(self._estimate(blank, [[0, 0, width, height]]), POSE)

    def identity(self):
        return " ".join(["rtmlib", *(f"{_model(name).stat().st_size} {_model(name).stat().st_mtime_ns}" for name in (DETECTOR, POSE))])

    def find(self, frame, expected):
        if frame.image is None:
            return []
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        boxes = [np.asarray(person.box, float) for person in expected]
        if not boxes or frame.row == 0 or int(frame.time / SEARCH_EVERY) != int((frame.time - frame.since) / SEARCH_EVERY):
            found = np.asarray(self._people(image), float).reshape(-1, 4)
            boxes = [*found, *(box for box in boxes if all(overlap(box, other) < 0.3 for other in found))]
        if not boxes:
            return []
        keypoints, _name = in_known_set(self._estimate(image, boxes), POSE)
        poses = [
            Pose(person, None, float(person[:, 2].mean()), appearance(frame.image, person, self.keypoint_set))
            for person in keypoints
            if person[:, 2].mean() > LEAST_SCORE
        ]
        return without_doubles(poses, self.keypoint_set)

    def _estimate(self, image, boxes):
        """(N,K,3) px and confidence of the people in N boxes; rtmlib gives whole pixels from 0, here their middles lie at 0.5."""
        places, scores = self._pose(image, bboxes=[list(map(float, box)) for box in boxes])
        return np.concatenate([np.asarray(places, float) + 0.5, np.clip(np.asarray(scores, float), 0, 1)[..., None]], -1)


def installed(name):
    """A module the user may not have. Raises ModelError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"The detector rtmlib needs the package {name}, which is not installed.",
            "Install rtmlib and onnxruntime into the backend's environment, or choose the detector mediapipe.",
        ) from error


def described(onnxruntime, path):
    """((height, width), number of outputs) of an ONNX file. Raises ModelError if it is not one, or its input's size is open."""
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class of its own for each way a file can be wrong
        raise ModelError(f"{path} cannot be read as an ONNX model.", "Copy the file again from where you got it.") from error
    height, width = session.get_inputs()[0].shape[2:]
    if not isinstance(height, int) or not isinstance(width, int):
        raise ModelError(f"{path} does not say how large its input is.", "Export the model with a fixed height and width.")
    return (height, width), len(session.get_outputs())


def _model(name):
    try:
        return model_file(name)
    except ModelError as error:
        remedy = f"Put your YOLOX file as {DETECTOR} and your RTMPose or ViTPose file as {POSE} into the models folder."
        raise ModelError(error.problem, remedy) from error
