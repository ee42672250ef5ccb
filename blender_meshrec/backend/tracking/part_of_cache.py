"""Observations of a part of a clip, taken from the cache of the whole clip, so that a trimmed range is not detected again."""

from typing import NamedTuple

from ...core.array_types import FloatArray, IntArray
from ..camera.background_matcher import UNKNOWN
from ..camera.tracks import CUT, FOLLOWS, LOST, FrameMatches
from .packing import DetectedFrame


class PartOfClip(NamedTuple):
    """What the cache has of rows of a clip, as of `ObservationLog`: times count from the first row, matches refer to rows of the part."""

    frames: list[DetectedFrame]
    background: list[FloatArray]
    matches: list[FrameMatches]
    edges: list[IntArray | None]


def part_of_clip(whole: PartOfClip, first: int, end: int | None) -> PartOfClip | None:
    """The rows first .. end (half-open, None for the last) of a whole clip; None if it does not have them."""
    end = len(whole.frames) if end is None else min(end, len(whole.frames))
    if not first < end:
        return None
    start = whole.frames[first][0]
    frames = [(time - start, detections) for time, detections in whole.frames[first:end]]
    matches = [_moved(found, first, row == 0) for row, found in enumerate(whole.matches[first:end])]
    return PartOfClip(frames, [UNKNOWN, *whole.background[first + 1 : end]], matches, whole.edges[first:end])


def _moved(found: FrameMatches, first: int, begins: bool) -> FrameMatches:
    """A frame's matches with rows counted from `first` on; those with earlier rows are left out, as where footage begins."""
    if found.link < 0:
        return found
    if begins:
        return FrameMatches(CUT, ())
    kept = [match._replace(reference=match.reference - first) for match in found.matches if match.reference >= first]
    return FrameMatches(LOST if found.link == FOLLOWS and not kept else found.link, tuple(kept), found.change)
