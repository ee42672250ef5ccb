"""The detector's role: finding the people in every frame. Subclass Detector and register the class with `registry.detector`."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from ...bridge.messages import ReconstructRequest
from ...core.array_types import FloatArray
from ..footage.frame_source import Footage, Frame, FrameRange, PathArgument
from ..footage.video import open_footage
from .detections import Detection


class ExpectedPerson(NamedTuple):
    """Where a tracked person should be: box (4,) px, the counterclockwise quarter turns that bring them upright, frames missed.

    is_lost: they have been missed for so long that they may be elsewhere: this is where their track ended.
    keypoints: (K,3) px and confidence, as they were last seen; None of somebody who is new.
    reach: px, from the hips to the farthest of head and ankles while nobody was near.
    """

    box: FloatArray
    quarter_turns: int = 0
    missed: int = 0
    is_lost: bool = False
    keypoints: FloatArray | None = None
    reach: float = 0.0


class Detector(ABC):
    """Finds people frame by frame; the tracker joins the detections over time.

    request: what is being reconstructed, for detectors with settings; None for the defaults.
    keypoint_set: one of core.skeletons.KEYPOINT_SETS, known once `open` has returned.
    A detector must give the same result for the same frame and expected people: results are cached and resumed.
    """

    keypoint_set = "blazepose33"

    def __init__(self, request: ReconstructRequest | None = None) -> None:
        self.request = request

    def open(self, path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> Footage:
        """The Footage to look at; fps is the rate of a folder of numbered files, which states none. Raises InputError."""
        return open_footage(path, frames, fps)

    def identity(self) -> str | None:
        """Everything but the footage that the result depends on, as text; None if results are not to be cached."""
        return None

    @abstractmethod
    def detect(self, frame: Frame, expected: list[ExpectedPerson]) -> list[Detection]:
        """The people in one frame, each once.

        Args:
            frame: its image may be None. expected: where everybody who is being tracked should be.
        """

    def close(self) -> None:  # noqa: B027 - not every detector holds resources
        """Release what `detect` needed."""
