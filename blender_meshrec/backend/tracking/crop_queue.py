"""Frames whose crops wait for their batch: they are logged once what an image method regresses of them is known."""

from ...core.array_types import FloatArray, IntArray
from ..camera.tracks import FrameMatches
from ..detection.detections import Detection
from ..footage.frame_source import Frame
from ..lifting.crop_regressor import CropRegressor
from .observation_cache import ObservationLog


class CropQueue:
    """Between detector and log. Without a regressor, frames are logged at once."""

    def __init__(self, regressor: CropRegressor | None, log: ObservationLog) -> None:
        self._regressor, self._log = regressor, log
        self._waiting: list[tuple[float, list[Detection], FloatArray, FrameMatches, IntArray | None]] = []

    def regress(self, frame: Frame, detections: list[Detection], keypoint_set: str) -> list[Detection]:
        """The detections of a frame, each with its row, which may be filled later."""
        return detections if self._regressor is None else self._regressor.regress(frame, detections, keypoint_set)

    def append(
        self, time: float, detections: list[Detection], background: FloatArray, matches: FrameMatches, edges: IntArray | None
    ) -> None:
        """Log a frame, as `ObservationLog.append`, now or when its rows are filled."""
        self._waiting.append((time, detections, background, matches, edges))
        if self._regressor is None or self._regressor.is_idle:
            for entry in self._waiting:
                self._log.append(*entry)
            self._waiting.clear()

    def finish(self) -> None:
        """Fill the rows that wait, and log their frames."""
        if self._regressor is not None:
            self._regressor.run()
        for entry in self._waiting:
            self._log.append(*entry)
        self._waiting.clear()
