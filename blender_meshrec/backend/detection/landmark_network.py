"""BlazePose's landmark network by itself: the landmarks of a person whose place is known, whether or not the landmarker sees them there.

The landmarker first looks for people, and finds one person in a hug; its landmark network, which looks at a square around one person, sees
either of them if the square is theirs. It is read from the landmarker's bundle and run by OpenCV.

Source: Bazarevsky et al. 2020, "BlazePose: On-device real-time body pose tracking", section 2.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ...core.files.temporary_folder import SCRATCH_PREFIX, TemporaryFolder, find_temporary_folder
from ...core.skeletons import KEYPOINT_SETS

CROP_SIDE = 256  # px, of the network's input
NETWORK_FILE = "pose_landmarks_detector.tflite"  # in the bundle
LANDMARKS, IS_PERSON, WORLD_LANDMARKS = "Identity", "Identity_1", "Identity_4"  # its outputs
NUM_LANDMARKS = len(KEYPOINT_SETS["blazepose33"].points)
VALUES = 5  # of a landmark: x, y, z in px of the crop, and the logits of visibility and presence


class Landmarks(NamedTuple):
    """positions: (33,2), as fractions of the crop. visibility, presence: (33,) 0..1. world: (33,3) m about the hips' centre, upright in the
    crop. is_person: 0..1, how likely a person is in the crop."""

    positions: FloatArray
    visibility: FloatArray
    presence: FloatArray
    world: FloatArray
    is_person: float


class LandmarkNetwork:
    """The network of a bundle (a .task file), read on first use. Not safe for several threads at once."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._network: cv2.dnn.Net | None = None

    def find_landmarks(self, crop: ImageArray) -> Landmarks:
        """The landmarks of the person whom a crop (CROP_SIDE,CROP_SIDE,3) uint8 RGB shows in its middle, upright."""
        if self._network is None:
            self._network = _read_network(self._bundle)
        self._network.setInput(np.ascontiguousarray((crop.astype(np.float32) / 255).transpose(2, 0, 1)[None]))
        outputs = self._network.forward([LANDMARKS, IS_PERSON, WORLD_LANDMARKS])
        landmarks, is_person, world = (np.asarray(output, float).ravel() for output in outputs)
        points = landmarks.reshape(-1, VALUES)[:NUM_LANDMARKS]
        visibility, presence = (1 / (1 + np.exp(-points[:, column])) for column in (3, 4))
        return Landmarks(points[:, :2] / CROP_SIDE, visibility, presence, world.reshape(-1, 3)[:NUM_LANDMARKS], float(is_person[0]))


def _read_network(bundle: Path) -> "cv2.dnn.Net":
    """The landmark network of a bundle.

    It goes by way of a file: given the bytes, OpenCV 5 uses its new engine whatever it is asked for, which names one of the outputs only.
    """
    with zipfile.ZipFile(bundle) as archive, TemporaryFolder(find_temporary_folder(), SCRATCH_PREFIX) as folder:
        path = archive.extract(NETWORK_FILE, folder.path)
        return cv2.dnn.readNetFromTFLite(path, cv2.dnn.ENGINE_CLASSIC)
