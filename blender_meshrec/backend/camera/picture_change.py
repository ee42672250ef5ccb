"""By how much the whole picture changes from frame to frame, and where it changes at once: at cuts and where time is cut out of a take."""

from collections.abc import Sequence

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray

SIZE = (160, 90)  # px, at which pictures are compared
NOISE = 8.0  # grey levels by which pixels change without counting: by noise, and at the key frames of a compressed file
# How many times more a picture changes at once than in each of so many frames on either side. A frame that changes less than this share of
# that only repeats the one before it, and does not count; so many frames are looked at for those that do.
AT_ONCE, AROUND, REPEATED, FARTHEST = 1.8, 4, 0.1, 30
AT_ONCE_SO_FAR = 2.2  # the same before the frames behind are known
LEAST_CHANGE = 0.3  # grey levels, at once


class PictureChange:
    """Call `update` once a frame, in order."""

    def __init__(self) -> None:
        self._before: ImageArray | None = None
        self._changes: list[float] = []

    def update(self, grey: ImageArray | None) -> float:
        """The mean change of a picture's pixels since the one before, grey levels beyond NOISE; nan beside a picture that is missing."""
        change, self._before = self._change(grey), None if grey is None else _small(grey)
        self._changes = [*self._changes[-FARTHEST:], change]
        return change

    def is_at_once(self, grey: ImageArray) -> bool:
        """Whether the next picture changes by much more than those before it did."""
        change = self._change(grey)
        return _stands_out(change, [np.array(self._changes)[::-1]], AT_ONCE_SO_FAR)

    def _change(self, grey: ImageArray | None) -> float:
        if self._before is None or grey is None:
            return float("nan")
        change = cv2.absdiff(self._before, _small(grey)).astype(float)
        return float(np.maximum(change - NOISE, 0).mean())


def changes_at_once(changes: FloatArray) -> BoolArray:
    """Whether the picture changes by much more in a frame than in those on either side, (F,); changes: (F,), nan where unknown."""
    at_once = np.zeros(len(changes), bool)
    for row, change in enumerate(changes):
        before, behind = changes[max(0, row - FARTHEST) : row][::-1], changes[row + 1 : row + 1 + FARTHEST]
        at_once[row] = _stands_out(change, [before, behind], AT_ONCE)
    return at_once


def _stands_out(change: float, sides: Sequence[FloatArray], factor: float) -> bool:
    """Whether a change is so many times larger than the nearest ones on some sides, each from the nearest on."""
    counted = np.concatenate([side[side > REPEATED * change][:AROUND] for side in sides])
    num_known = sum(int(np.isfinite(side).sum()) for side in sides)
    return change > LEAST_CHANGE and num_known >= AROUND and bool((change > factor * counted).all())


def _small(grey: ImageArray) -> ImageArray:
    return np.asarray(cv2.resize(grey, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
