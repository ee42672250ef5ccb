"""Frames whose crops wait for their batch: they are logged once what other networks make of them is known."""

from collections.abc import Sequence
from typing import Protocol

from ...core.array_types import FloatArray, IntArray
from ...core.messages import Message
from ..camera.tracks import FrameMatches
from ..detection.detections import Detection
from ..footage.frame_source import Frame
from .observation_cache import ObservationLog


class CropReader(Protocol):
    """A network that looks at the crops of people and adds to each detection an array, which it may fill later."""

    @property
    def identity(self) -> str:
        """Everything that an array depends on besides the picture and the detection, as text for the cache."""
        ...

    @property
    def num_unfilled(self) -> int:
        """How many of the last frames wait for arrays to be filled."""
        ...

    def look_at(self, frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
        """The detections of a frame, each with its array."""
        ...

    def run(self) -> None:
        """Fill the arrays that wait."""
        ...

    def forecast(self, num_frames: int, people_a_frame: float) -> Message | None:
        """How long footage of so many frames will take, once that is known, if it is long."""
        ...

    def close(self) -> None:
        """Release what was opened."""
        ...


class CropQueue:
    """Between detector and log. Without a reader, frames are logged at once."""

    def __init__(self, readers: Sequence[CropReader], log: ObservationLog) -> None:
        self._readers, self._log = readers, log
        self._waiting: list[tuple[float, list[Detection], FloatArray, FrameMatches, IntArray | None]] = []

    def look_at(self, frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
        """The detections of a frame, each with its arrays, which may be filled later."""
        for reader in self._readers:
            detections = reader.look_at(frame, detections, keypoint_set)
        return detections

    def forecast(self, num_frames: int, people_a_frame: float) -> Message | None:
        """The first forecast of a reader."""
        return next((told for reader in self._readers if (told := reader.forecast(num_frames, people_a_frame))), None)

    def append(
        self, time: float, detections: list[Detection], background: FloatArray, matches: FrameMatches, edges: IntArray | None
    ) -> None:
        """Log a frame, as `ObservationLog.append`, now or when its arrays are filled."""
        self._waiting.append((time, detections, background, matches, edges))
        self._log_filled(len(self._waiting) - max((reader.num_unfilled for reader in self._readers), default=0))

    def finish(self) -> None:
        """Fill the arrays that wait, and log their frames."""
        for reader in self._readers:
            reader.run()
        self._log_filled(len(self._waiting))

    def _log_filled(self, count: int) -> None:
        """Log the first frames of those that wait."""
        for _number in range(count):
            self._log.append(*self._waiting.pop(0))
