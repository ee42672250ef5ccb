"""The product's detector, second look and tracker over the pictures of a clip."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from blender_meshrec.backend.detection.detector import ExpectedPerson
from blender_meshrec.backend.detection.landmarkers import LandmarkerPool
from blender_meshrec.backend.detection.mediapipe_detector import MediaPipeDetector
from blender_meshrec.backend.detection.second_look import SecondLook
from blender_meshrec.backend.footage.frame_source import Frame
from blender_meshrec.backend.tracking.side_swaps import correct_side_swaps
from blender_meshrec.backend.tracking.tracker import Tracker
from blender_meshrec.backend.tracking.two_looks import join_looks
from blender_meshrec.core.array_types import FloatArray, ImageArray
from blender_meshrec.core.files.model_files import model_file
from blender_meshrec.core.records import Observations
from blender_meshrec.methods.movenet import WEIGHTS_FILE
from scripts.train.data.recordings import FPS

# Of the body's height in the image: a detection whose limb joints are farther off than this (median) shows something else.
MAX_ERROR = 0.2
KEYPOINT_SET = MediaPipeDetector.keypoint_set
_NOT_FIRST = 1  # the row that every Frame gets: no tiles for newcomers and no silhouettes are due


def make_detector(model: Path | None = None) -> MediaPipeDetector:
    """The product's detector, with another bundle of landmark models in place of its own if one is given."""
    detector = MediaPipeDetector()
    if model is not None:
        detector._landmarkers = LandmarkerPool(model)
    return detector


def watch(detector: MediaPipeDetector, pictures: Iterable[ImageArray], first_box: FloatArray, times: FloatArray) -> Observations | None:
    """Detect and track one person over pictures, as the product does after it has found them; None if there was nobody.

    first_box: (4,) px, where the person is expected in the first picture; afterwards the tracker says so. times: (F,) s.
    """
    tracker, second_look = Tracker(detector.keypoint_set), SecondLook(model_file(WEIGHTS_FILE), torch.device("cpu"))
    for row, (picture, time) in enumerate(zip(pictures, times)):
        expected = tracker.predict(time) or [ExpectedPerson(first_box)]
        frame = Frame(_NOT_FIRST, time, 0.0, picture)
        tracker.update(row, time, second_look.look_at(frame, detector.detect(frame, expected), detector.keypoint_set))
    second_look.run()
    second_look.close()
    people = tracker.people()
    return join_looks(correct_side_swaps(people[0], list(times)), times) if people else None


def clip_times(frames: int) -> FloatArray:
    """Times (F,) s of the frames of a clip."""
    return np.arange(frames) / FPS
