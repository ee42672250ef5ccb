"""By how much the picture changes from frame to frame, where it changes at once (at cuts and where time is cut out of a take), and where it
only repeats the one before it.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
# A picture only repeats the one before it where it changes by less than this share of the leaps on either side; so many pixels, drawn or
# flickering ones, may change by more.
STANDS_STILL, OUTLIERS = 0.15, 4
LEAST_MOTION, WHITE = 6.0, 255.0  # grey levels, of such a leap: least and largest
# Fewer than so many, or than this share of the frames, are chance: a moment in which all that moves turns back.
FEWEST, LEAST_SHARE = 3, 0.02
BEYOND_NOISE: FloatArray = np.maximum(np.arange(256) - NOISE, 0)  # by which a pixel counts, for each change of it
SHOWN = 0.2  # s, for which one picture is shown at most; where it stands still for longer, people hold still


class Change(NamedTuple):
    """The change of a picture since the one before, grey levels.

    mean: of all pixels, beyond NOISE. largest: of any pixel but OUTLIERS, in which a small person who moves counts, too.
    """

    mean: float
    largest: float


UNKNOWN = Change(float("nan"), float("nan"))  # beside a picture that is missing


class PictureChange:
    """Call `update` once a frame, in order."""

    def __init__(self) -> None:
        self._before: ImageArray | None = None
        self._changes: list[float] = []

    def update(self, grey: ImageArray | None) -> Change:
        """The change of a picture since the one before."""
        change, self._before = self._change(grey), None if grey is None else _small(grey)
        self._changes = [*self._changes[-FARTHEST:], change.mean]
        return change

    def is_at_once(self, grey: ImageArray) -> bool:
        """Whether the next picture changes by much more than those before it did."""
        change = self._change(grey).mean
        return _stands_out(change, [np.array(self._changes)[::-1]], AT_ONCE_SO_FAR)

    def _change(self, grey: ImageArray | None) -> Change:
        if self._before is None or grey is None:
            return UNKNOWN
        counts = np.bincount(cv2.absdiff(self._before, _small(grey)).ravel(), minlength=len(BEYOND_NOISE))
        at_most = np.cumsum(counts)
        return Change(float(counts @ BEYOND_NOISE / at_most[-1]), float(np.searchsorted(at_most, at_most[-1] - OUTLIERS)))


def changes_at_once(changes: FloatArray) -> BoolArray:
    """Whether the picture changes by much more in a frame than in those on either side, (F,); changes: (F,), nan where unknown."""
    at_once = np.zeros(len(changes), bool)
    for row, change in enumerate(changes):
        before, behind = changes[max(0, row - FARTHEST) : row][::-1], changes[row + 1 : row + 1 + FARTHEST]
        at_once[row] = _stands_out(change, [before, behind], AT_ONCE)
    return at_once


def repeated_pictures(largest: FloatArray, times: FloatArray) -> BoolArray:
    """Whether each picture only repeats the one before it while the footage moves on, (F,).

    A camera of fewer pictures a second than the file, or a slow computer, shows each of them in several frames: the picture stands still
    between two leaps. People who come to rest, and start again, slow down before and speed up behind.

    Args:
        largest: (F,), as of `Change`, nan where unknown. times: (F,) s.
    """
    repeated = np.zeros(len(largest), bool)
    for row in range(1, len(largest)):
        before, behind = _leap(largest, times, row, -1), _leap(largest, times, row, 1)
        repeated[row] = before >= 0 and behind >= 0 and times[behind] - times[before] <= SHOWN + 1e-6
    return repeated & (repeated.sum() >= max(FEWEST, LEAST_SHARE * len(repeated)))


def _leap(largest: FloatArray, times: FloatArray, row: int, step: int) -> int:
    """The nearest row in a direction whose picture leaps, next to rows that stand still beside it; -1 without one within SHOWN."""
    most, place = largest[row], row + step
    while 0 < place < len(largest) and abs(times[place] - times[row]) <= SHOWN and most < STANDS_STILL * WHITE:
        if largest[place] >= LEAST_MOTION and most < STANDS_STILL * largest[place]:
            return place
        most, place = float(np.maximum(most, largest[place])), place + step
    return -1


def _stands_out(change: float, sides: Sequence[FloatArray], factor: float) -> bool:
    """Whether a change is so many times larger than the nearest ones on some sides, each from the nearest on."""
    counted = np.concatenate([side[side > REPEATED * change][:AROUND] for side in sides])
    num_known = sum(int(np.isfinite(side).sum()) for side in sides)
    return change > LEAST_CHANGE and num_known >= AROUND and bool((change > factor * counted).all())


def _small(grey: ImageArray) -> ImageArray:
    return np.asarray(cv2.resize(grey, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
