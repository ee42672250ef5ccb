"""The detector "keypoints": 2D keypoints from a file instead of pixels, an .npz or a folder of OpenPose JSON."""

from pathlib import Path

import numpy as np

from ...bridge.messages import ReconstructRequest
from ...core.array_types import FloatArray
from ...core.conventions import IMAGE_SUFFIXES
from ...core.errors import InputError
from ..footage.frame_source import Frame, FrameRange, PathArgument
from ..registry import detector
from .detections import Detection
from .detector import Detector, ExpectedPerson
from .keypoints_footage import MIN_POINTS, KeypointsFootage
from .keypoints_npz import open_npz
from .openpose_json import open_json_folder


def is_keypoints(path: PathArgument) -> bool:
    """Whether a path is 2D keypoints: an .npz, or a folder with JSON files and no images."""
    path = Path(path)
    if not path.is_dir():
        return path.suffix.lower() == ".npz"
    suffixes = {file.suffix.lower() for file in path.iterdir()}
    return ".json" in suffixes and not suffixes & IMAGE_SUFFIXES


@detector("keypoints")
class KeypointsDetector(Detector):
    """Reads people from a file. Raises InputError if it is not a keypoints file, or is incomplete."""

    def __init__(self, request: ReconstructRequest | None = None) -> None:
        super().__init__(request)
        self._people_by_frame: FloatArray = np.zeros((0, 0, 0, 3))
        self._has_stable_order = False

    def open(self, path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> KeypointsFootage:
        path = Path(path).absolute()
        if not path.exists():
            raise InputError("keypoints-file-not-found", "There is no file {path}.", "Check the path.", path=path)
        footage, self.keypoint_set = open_json_folder(path, frames, fps) if path.is_dir() else open_npz(path, frames)
        self._people_by_frame, self._has_stable_order = footage.keypoints, footage.has_stable_order
        return footage

    def detect(self, frame: Frame, expected: list[ExpectedPerson]) -> list[Detection]:
        return [
            Detection(person, None, float(person[:, 2].mean()), identity=number if self._has_stable_order else None)
            for number, person in enumerate(self._people_by_frame[frame.row])
            if (person[:, 2] > 0).sum() >= MIN_POINTS
        ]
