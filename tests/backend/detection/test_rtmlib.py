"""The rtmlib detector with fakes of rtmlib and onnxruntime, which users install themselves."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.backend.detection import rtmlib_detector
from blender_meshrec.backend.detection.detector import ExpectedPerson
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.core.errors import ModelError

IMAGE = np.full((400, 600, 3), (200, 0, 50), np.uint8)


class FakeSession:
    """An onnxruntime session: input NCHW, and as many outputs as the last digit of the file's content."""

    def __init__(self, path, providers):
        with open(path) as file:
            content = file.read()
        if "onnx" not in content:
            raise RuntimeError("INVALID_PROTOBUF")
        self.outputs = int(content[-1])

    def get_inputs(self):
        return [SimpleNamespace(shape=[1, 3, 256, 192])]

    def get_outputs(self):
        return [None] * self.outputs


class FakePeople:
    boxes = ((100, 50, 200, 350), (350, 50, 450, 350))
    calls = 0

    def __init__(self, path, model_input_size, backend, device):
        assert model_input_size == (256, 192) and backend == "onnxruntime" and device == "cpu"

    def __call__(self, image):
        type(self).calls += 1
        assert image[0, 0].tolist() == [50, 0, 200]  # BGR, as in OpenCV
        return np.array(self.boxes)


class FakePose:
    """Points spread over each box; a box beyond x = 500 contains nobody."""

    points = 17

    def __init__(self, path, model_input_size, backend, device):
        assert model_input_size == (192, 256)

    def __call__(self, image, bboxes):
        fraction = np.random.default_rng(0).random((self.points, 2))
        boxes = np.array(bboxes)
        positions = boxes[:, None, :2] + fraction * (boxes[:, None, 2:] - boxes[:, None, :2])
        scores = np.where(boxes[:, :1] > 500, 0.05, 0.9) * np.ones((len(boxes), self.points))
        return positions, scores * 1.2


@pytest.fixture
def modules(monkeypatch, tmp_path):
    people, pose = (type("Fresh", (base,), {}) for base in (FakePeople, FakePose))
    rtmlib = SimpleNamespace(YOLOX=people, RTMPose=pose, ViTPose=type("ViTPose", (pose,), {}))
    monkeypatch.setitem(sys.modules, "rtmlib", rtmlib)
    onnxruntime = SimpleNamespace(InferenceSession=FakeSession, get_available_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", onnxruntime)
    monkeypatch.setenv("MESHREC_MODELS", str(tmp_path))
    (tmp_path / rtmlib_detector.DETECTOR_FILE).write_text("onnx 1")
    (tmp_path / rtmlib_detector.POSE_FILE).write_text("onnx 2")
    return rtmlib


def test_people_found_are_followed_without_a_new_search(modules):
    detector = rtmlib_detector.RtmlibDetector()
    detections = detector.detect(Frame(0, 0.0, 0.0, IMAGE), [])
    assert detector.keypoint_set == "coco17" and len(detections) == 2
    assert all(
        detection.keypoints_3d is None and detection.keypoints[:, 2].max() <= 1 and detection.appearance is not None
        for detection in detections
    )
    lefts = sorted(detection.keypoints[:, 0].min() for detection in detections)
    assert 100.5 <= lefts[0] < 200 and 350.5 <= lefts[1] < 450
    expected = [ExpectedPerson(np.array(box, float)) for box in FakePeople.boxes]
    modules.YOLOX.calls = 0
    for row in range(1, 31):
        assert len(detector.detect(Frame(row, row / 30, 1 / 30, IMAGE), expected)) == 2
    assert modules.YOLOX.calls == 2  # at 0.5 s and 1 s


def test_a_box_without_a_person_gives_no_detection(modules):
    modules.YOLOX.boxes = [[520, 50, 590, 350]]
    assert rtmlib_detector.RtmlibDetector().detect(Frame(0, 0.0, 0.0, IMAGE), []) == []
    modules.YOLOX.boxes = np.zeros((0, 4))
    assert rtmlib_detector.RtmlibDetector().detect(Frame(0, 0.0, 0.0, IMAGE), []) == []


@pytest.mark.parametrize("points, keypoint_set", [(17, "coco17"), (26, "halpe26"), (133, "halpe26")])
def test_the_number_of_points_determines_the_set(modules, points, keypoint_set):
    modules.RTMPose.points = points
    detector = rtmlib_detector.RtmlibDetector()
    assert detector.keypoint_set == keypoint_set
    assert detector.detect(Frame(0, 0.0, 0.0, IMAGE), [])[0].keypoints.shape == (17 if points == 17 else 26, 3)


def test_one_output_means_vitpose(modules, tmp_path):
    (tmp_path / rtmlib_detector.POSE_FILE).write_text("onnx 1")
    assert isinstance(rtmlib_detector.RtmlibDetector()._pose_estimator, modules.ViTPose)


def test_a_missing_file_or_package_is_named(modules, monkeypatch, tmp_path):
    (tmp_path / rtmlib_detector.DETECTOR_FILE).write_text("a letter")
    with pytest.raises(ModelError, match="cannot be read as an ONNX model"):
        rtmlib_detector.RtmlibDetector()
    (tmp_path / rtmlib_detector.DETECTOR_FILE).unlink()
    with pytest.raises(ModelError, match=r"rtmlib_detector\.onnx") as caught:
        rtmlib_detector.RtmlibDetector()
    assert "YOLOX" in caught.value.remedy and caught.value.exit_code == 4
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(ModelError, match="needs the package rtmlib") as caught:
        rtmlib_detector.RtmlibDetector()
    assert "mediapipe" in caught.value.remedy
