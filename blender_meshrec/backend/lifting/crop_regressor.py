"""Image methods while the footage is read: people are cropped frame by frame and regressed in batches, so that no picture is kept."""

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ...bridge.messages import ReconstructRequest
from ...core.array_types import AnyArray, FloatArray, ImageArray
from ...core.crop_regression import ROW_LENGTH
from ...core.messages import Message
from ...core.skeletons import to_h36m17
from ...methods.image_networks.crops import normalised_crops
from ..detection.detections import Detection, person_box
from ..devices import choose_device, is_out_of_memory
from ..footage.frame_source import Frame
from ..kept_models import give_back, take_model
from .image_methods import is_image_method, open_image_method, request_label

# Crops that are regressed at once: on the processor, one by one, they take as long each, and progress is steadier.
BATCH_ON_GRAPHICS_CARD, BATCH_ON_PROCESSOR = 32, 1
MIN_SIDE = 8.0  # px, of a person's box
LONG_MINUTES = 2  # of the whole footage, from which a run is told how long it will take


class People(NamedTuple):
    """N people in pictures: crops (N,S,S,3), their squares (N,3) px, and keypoints (N,17,3), h36m17: px of the picture and confidence."""

    crops: AnyArray
    squares: FloatArray
    keypoints: FloatArray


class CropRegressor:
    """Adds to each detection what the request's image method regresses of it.

    A detection's row is filled when its batch is run, in place: a batch may span frames, and the tracker must see detections at once.
    """

    def __init__(self, request: ReconstructRequest) -> None:
        self._request = request
        self.device = choose_device(request.device)
        self._method = open_image_method(request, self.device)
        self._network: torch.nn.Module | None = None
        self._crops: list[AnyArray] = []
        self._squares: list[FloatArray] = []
        self._keypoints: list[FloatArray] = []
        self._rows: list[FloatArray] = []
        self._num_unfilled = 0
        self._seconds: list[float] = []
        self._batch = BATCH_ON_PROCESSOR if self.device.type == "cpu" else BATCH_ON_GRAPHICS_CARD

    @classmethod
    def for_request(cls, request: ReconstructRequest) -> "CropRegressor | None":
        """The regressor of a request, or None if its method does not look at pictures. Raises ModelError: a file is missing."""
        return cls(request) if is_image_method(request.method) else None

    @property
    def identity(self) -> str:
        """Everything that a row depends on besides the picture and the detection, as text for the cache."""
        files = [self._method.checkpoint, self._request.skel_body if self._request.method == "hsmr" else self._request.body]
        return " ".join([self._request.method, f"{ROW_LENGTH} numbers", *map(_file_identity, map(str, files))])

    @property
    def num_unfilled(self) -> int:
        """How many of the last frames wait for rows to be filled."""
        return self._num_unfilled

    def look_at(self, frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
        """The detections of a frame, each with its row; rows of a frame without a picture stay zero."""
        found = []
        for detection in detections:
            row = np.zeros(ROW_LENGTH, np.float32)
            found.append(replace(detection, regression=row))
            if frame.image is not None:
                box = bounded_box(person_box(detection.keypoints, keypoint_set).astype(float), frame.image)
                crop, square = self._method.cut(frame.image, box)
                self._crops.append(crop)
                self._squares.append(square)
                self._keypoints.append(to_h36m17(detection.keypoints[None], keypoint_set)[0])
                self._rows.append(row)
            if len(self._rows) >= self._batch:
                self.run()
        self._num_unfilled = self._num_unfilled + 1 if self._rows else 0
        return found

    def run(self) -> None:
        """Fill the rows of the crops that wait."""
        self._num_unfilled = 0
        if not self._rows:
            return
        begun = time.perf_counter()
        rows, people = self._rows, People(np.array(self._crops), np.array(self._squares), np.array(self._keypoints))
        self._rows, self._squares, self._crops = list[FloatArray](), list[FloatArray](), list[AnyArray]()
        self._keypoints = list[FloatArray]()
        values = self._run_as_memory_allows(people)
        for row, value in zip(rows, values, strict=True):
            row[:] = value
        self._seconds.append((time.perf_counter() - begun) / len(rows))

    def forecast(self, num_frames: int, people_a_frame: float) -> Message | None:
        """How long the footage will take, once that is known and is long; num_frames: all of it."""
        if len(self._seconds) < 2 or self.device.type == "cuda":
            return None
        seconds = float(np.median(self._seconds[1:]))  # the first loads the network
        minutes = round(seconds * num_frames * max(people_a_frame, 1) / 60)
        if minutes < LONG_MINUTES:
            return None
        text = "{method} takes {seconds:.1f} s for each person and frame on this computer, about {minutes} minutes for this footage."
        return Message("image-method-forecast", text, method=request_label(self._request), seconds=seconds, minutes=minutes)

    def close(self) -> None:
        """Release the network, or keep it for the next clip."""
        if self._network is not None:
            give_back(self._key(), self._network)
        self._network = None

    def _run_as_memory_allows(self, people: "People") -> FloatArray:
        """Rows (N,ROW_LENGTH) of people: by halves where the graphics card's memory is too small, at last on the processor."""
        try:
            return self._run_network(people)
        except RuntimeError as error:
            if self.device.type == "cpu" or not is_out_of_memory(error):
                raise
        # Outside the except clause, whose traceback holds the failed computation's tensors.
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        count = len(people.squares)
        if count > 1:
            self._batch = max(count // 2, 1)
            halves = np.array_split(np.arange(count), 2)
            return np.concatenate([self._run_as_memory_allows(People(*(each[half] for each in people))) for half in halves])
        self.device, self._network, self._batch = torch.device("cpu"), None, BATCH_ON_PROCESSOR
        self._method = open_image_method(self._request, self.device)
        return self._run_network(people)

    @torch.inference_mode()
    def _run_network(self, people: "People") -> FloatArray:
        """Rows (N,ROW_LENGTH) of people."""
        if self._network is None:
            self._network = take_model(self._key(), self._load)
        images = normalised_crops(people.crops, self.device)
        return self._method.regress_beside_keypoints(self._network, images, people.squares, people.keypoints).to_rows()

    def _load(self) -> torch.nn.Module:
        network = self._method.load()
        if self.device.type == "cuda":
            _halve(network)
        return network.to(self.device)

    def _key(self) -> tuple[str, str, str, str]:
        return "image method", self._request.method, _file_identity(str(self._method.checkpoint)), str(self.device)


def bounded_box(box: FloatArray, image: ImageArray) -> FloatArray:
    """A box (4,) px of at least MIN_SIDE, and no farther outside a picture (H,W,3) than the picture is large.

    Keypoints that are guessed may lie anywhere, or all on one spot.
    """
    size = np.array([image.shape[1], image.shape[0]], float)
    low, high = np.clip(box[:2], -size, 2 * size), np.clip(box[2:], -size, 2 * size)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, MIN_SIDE / 2)
    return np.concatenate([centre - half, centre + half])


def _halve(network: torch.nn.Module) -> None:
    """Keep the large weights in half precision: those of linear layers and convolutions in the encoder."""
    encoder = getattr(network, "backbone", None)
    if isinstance(encoder, torch.nn.Module):
        encoder.half()


def _file_identity(path: str) -> str:
    """A file's path, size and date; the path alone where there is no such file."""
    try:
        state = Path(path).stat()
        return f"{path} {state.st_size} {state.st_mtime_ns}"
    except OSError:
        return path
