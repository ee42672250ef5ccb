"""Register your own detector, reconstruct a folder of images with it, and print the report's entry for the person.

Run it with the Python of the backend's environment: `python examples/05_own_detector.py`. Your own estimators and refiners are functions
that are registered in the same way, with `registry.estimator` and `registry.refiner`.
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from blender_meshrec.backend.detection.detections import Detection
from blender_meshrec.backend.detection.detector import Detector, ExpectedPerson
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.pipeline import recover
from blender_meshrec.backend.registry import detector
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core.cameras import default_intrinsics, project
from blender_meshrec.core.skeletons import COCO17

IMAGE_SIZE = (640, 480)  # px
NUM_FRAMES = 10
# Positions in m of a standing person's left side, relative to the hips' centre: x to the person's left, y down.
STANDING_PERSON = {
    "nose": (0.0, -0.62), "eye": (0.03, -0.66), "ear": (0.07, -0.64), "shoulder": (0.18, -0.48), "elbow": (0.24, -0.22),
    "wrist": (0.26, 0.02), "hip": (0.1, 0.0), "knee": (0.11, 0.42), "ankle": (0.11, 0.84),
}  # fmt: skip


@detector("synthetic-person")
class SyntheticPersonDetector(Detector):
    """Reports one person who stands 4 m in front of the camera and raises the left hand, whatever the image shows."""

    keypoint_set = "coco17"

    def detect(self, frame: Frame, expected: list[ExpectedPerson]) -> list[Detection]:
        if frame.image is None:
            return []
        points = np.zeros((len(COCO17), 3))
        for i, name in enumerate(COCO17):
            side, _, part = name.rpartition("_")
            x, y = STANDING_PERSON[part]
            points[i] = (-x if side == "right" else x, y, 4.0)
        points[COCO17.index("left_wrist"), 1] -= 1.0 * frame.time
        height, width = frame.image.shape[:2]
        pixels = project(points, default_intrinsics((width, height)))
        confidence = np.ones((len(COCO17), 1))
        return [Detection(np.hstack([pixels, confidence]), keypoints_3d=None, score=1.0)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        grey = np.full((IMAGE_SIZE[1], IMAGE_SIZE[0], 3), 128, np.uint8)
        for number in range(NUM_FRAMES):
            cv2.imwrite(str(Path(folder) / f"{number:04}.png"), grey)
        result = recover(ReconstructRequest(folder, detector="synthetic-person"))
    print(json.dumps(result.report["people"], indent=2))


if __name__ == "__main__":
    main()
