"""A second look at everybody who was found: MoveNet's keypoints of the same crop, beside the detector's own.

Two networks that were trained on different pictures seldom err alike, and MoveNet's confidence tells where either does. It runs in a
thread of its own while the detector goes on, so that people are followed by the detector alone; `tracking/two_looks.py` joins both.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...core.array_types import FloatArray, ImageArray
from ...core.messages import Message
from ...methods.movenet import NUM_KEYPOINTS, SIDE, WEIGHTS_FILE, find_keypoints, load_movenet
from ..devices import run_with_cpu_fallback
from ..footage.frame_source import Frame
from .crops import Crop, Square, crop_square, image_from_turned
from .detections import Detection, person_box, upright_turns
from .similarity import contained_fraction
from .touching import crop_without_others

MARGIN = 1.25  # of the crop's side, to the extent of the keypoints when the trunk is upright
# Crops that are run at once, and batches that may wait: on the processor, one by one, crops take as long each.
BATCH_ON_GRAPHICS_CARD, BATCH_ON_PROCESSOR, MAX_WAITING = 16, 1, 8


class SecondLook:
    """Adds MoveNet's keypoints to the detections of one of `step` frames. They are filled in later, in place."""

    def __init__(self, model: Path, device: torch.device, step: int = 1) -> None:
        """model: the file of the weights, of which the identity is told."""
        self.identity = f"{WEIGHTS_FILE} {model.stat().st_size} every {step}"
        self._device, self._step = device, step
        self._batch = BATCH_ON_PROCESSOR if device.type == "cpu" else BATCH_ON_GRAPHICS_CARD
        self._thread = ThreadPoolExecutor(1, "second look")
        self._crops: list[tuple[Crop, FloatArray]] = []
        self._waiting: deque[tuple[int, Future[None]]] = deque()  # with the number of frames before the first of the batch's
        self._num_frames = self._first_of_batch = 0

    @property
    def num_unfilled(self) -> int:
        """How many of the last frames wait for keypoints to be filled."""
        while self._waiting and self._waiting[0][1].done():
            self._take_first()
        if not self._waiting and not self._crops:
            return 0
        return self._num_frames - (self._waiting[0][0] if self._waiting else self._first_of_batch)

    def look_at(self, frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
        """The detections of a frame, with MoveNet's keypoints to come if it looks there; they stay zero in a frame without a picture."""
        if frame.row % self._step:
            self._num_frames += 1
            return detections
        found = []
        for number, detection in enumerate(detections):
            keypoints = np.zeros((NUM_KEYPOINTS, 3), np.float32)
            found.append(replace(detection, second_look=keypoints))
            others = [other.keypoints for other in detections[:number] + detections[number + 1 :]]
            crop = None if frame.image is None else crop_of(frame.image, detection.keypoints, others, keypoint_set)
            if crop is not None:
                self._first_of_batch = self._first_of_batch if self._crops else self._num_frames
                self._crops.append((crop, keypoints))
        if len(self._crops) >= self._batch:
            self._submit()
        self._num_frames += 1
        return found

    def run(self) -> None:
        """Fill everything that waits."""
        self._submit()
        while self._waiting:
            self._take_first()

    def forecast(self, num_frames: int, people_a_frame: float) -> Message | None:
        """None: it takes no longer than the detector."""
        return None

    def close(self) -> None:
        """Stop the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _submit(self) -> None:
        for first in range(0, len(self._crops), self._batch):
            batch = self._crops[first : first + self._batch]
            self._waiting.append((self._first_of_batch, self._thread.submit(self._fill, batch)))
        self._crops = []
        while len(self._waiting) > MAX_WAITING:
            self._take_first()

    def _take_first(self) -> None:
        """Await the batch that has waited longest; its errors are raised here."""
        self._waiting.popleft()[1].result()

    def _fill(self, crops: Sequence[tuple[Crop, FloatArray]]) -> None:
        images = np.stack([crop.image for crop, _keypoints in crops])
        found = run_with_cpu_fallback(lambda device: find_keypoints(load_movenet(str(device)), images), self._device)
        for (crop, keypoints), points in zip(crops, found, strict=True):
            keypoints[:, :2] = points[:, :2] @ crop.image_from_crop[:, :2].T + crop.image_from_crop[:, 2]
            keypoints[:, 2] = points[:, 2]


def crop_of(image: ImageArray, keypoints: FloatArray, others: Sequence[FloatArray], keypoint_set: str) -> Crop | None:
    """The crop of a person with keypoints (K,3), upright, without the pixels of others who are near; None if it misses the image."""
    square = upright_square(np.asarray(keypoints, float), keypoint_set)
    half = square.side / 2
    extent = np.array([square.x - half, square.y - half, square.x + half, square.y + half])
    near = [np.asarray(other, float) for other in others if contained_fraction(person_box(other, keypoint_set), extent) > 0]
    if not near:
        return crop_square(image, square, SIDE)
    found = crop_without_others(image, square, np.asarray(keypoints, float), near, SIDE, keypoint_set)
    return None if found is None else Crop(*found)


def upright_square(keypoints: FloatArray, keypoint_set: str) -> Square:
    """The Square around keypoints (K,3) px, turned so that the trunk is upright in it: MoveNet has seen few people who lie."""
    turns = upright_turns(keypoints, keypoint_set)
    image_from_upright = image_from_turned(turns)
    upright = keypoints[:, :2] @ image_from_upright
    low, high = upright.min(0), upright.max(0)
    x, y = image_from_upright @ ((low + high) / 2)
    return Square(float(x), float(y), float(max(*(high - low), 2.0)) * MARGIN, turns)
