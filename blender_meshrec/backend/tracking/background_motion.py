"""The background in the footage pass: how it moved since the frame before, and its matches, from which camera/ finds the camera."""

from collections.abc import Sequence

from ...core.array_types import FloatArray, ImageArray
from ..camera.background_matcher import UNKNOWN, WIDTH, BackgroundMatcher
from ..camera.tracks import NOT_LOOKED_AT, FrameMatches
from ..detection.detections import Detection

__all__ = ["UNKNOWN", "WIDTH", "BackgroundTracker"]


class BackgroundTracker:
    """Call `update` once a frame, in order; `matches` are then the frame's.

    first: row of the first frame, not 0 after an interrupted run.
    """

    def __init__(self, first: int = 0) -> None:
        self._matcher = BackgroundMatcher(first)
        self.matches: FrameMatches = NOT_LOOKED_AT

    def update(self, image: ImageArray | None, boxes: Sequence[FloatArray], detections: Sequence[Detection] = ()) -> FloatArray:
        """The background's movement since the frame before.

        Args:
            image: (H,W,3) uint8 RGB, or None where it cannot be read. boxes: (4,) px of the people in it. detections: the same people,
                whose silhouettes are used where the boxes leave too little of the image free.

        Returns:
            (3,): to the right and downwards in the middle of the image, as shares of the image's larger side, and the logarithm of its
            growth; nan where it is unknown: in the first frame, after a cut, and without a background to see.
        """
        outlines = [None if found.silhouette is None or found.square is None else (found.silhouette, found.square) for found in detections]
        movement, self.matches = self._matcher.update(image, boxes, outlines)
        return movement
