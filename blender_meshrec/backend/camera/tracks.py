"""Matches of the background between frames of a clip, and how the observation cache stores them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...core.array_types import AnyArray, BoolArray, FloatArray, IntArray
from .picture_change import UNKNOWN, Change

# How a frame follows from those before: its background was found in one of them; it was not; or it begins a shot.
FOLLOWS, LOST, CUT = 0, 1, 2
SUBPIXELS = 64  # points are stored in 64ths of a pixel of the small image in which they were tracked
_LIMIT = 2**15 - 1
_ARRAYS = ("camera_links", "camera_counts", "camera_pairs", "camera_sizes", "camera_points", "camera_agrees")


class Match(NamedTuple):
    """Points found in an earlier frame and in this one.

    reference: row of the earlier frame. points: (N,4) int16, x and y there, x and y here, in 64ths of a pixel of the small image, whose
    first pixel has its centre at 0. agrees: (N,), whether a point moved as most did.
    """

    reference: int
    points: IntArray
    agrees: BoolArray


class FrameMatches(NamedTuple):
    """What the footage pass keeps of one frame's background: link FOLLOWS, LOST or CUT, and its matches with earlier frames; and the
    picture's change since the frame before."""

    link: int
    matches: tuple[Match, ...]
    change: Change = UNKNOWN


NOT_LOOKED_AT = FrameMatches(-1, ())  # of a frame in observations that an earlier version cached


@dataclass(frozen=True)
class BackgroundTracks:
    """All matches of a clip, M in E pairs of frames.

    links: (F,) FOLLOWS, LOST or CUT. pairs: (E,2), rows of the earlier and the later frame. starts: (E+1,), where the matches of each pair
    begin. points: (M,4) px of the footage, x and y in the earlier frame, x and y in the later one; the first pixel's centre is (0.5, 0.5).
    agrees: (M,), whether a point moved as most did between the two frames. pixel: px of the footage that make one of the small image.
    """

    links: IntArray
    pairs: IntArray
    starts: IntArray
    points: FloatArray
    agrees: BoolArray
    pixel: float

    def __len__(self) -> int:
        return len(self.links)

    @property
    def pair_of(self) -> IntArray:
        """(M,), the pair that each match belongs to."""
        return np.repeat(np.arange(len(self.pairs)), np.diff(self.starts))


def encode_points(reference: FloatArray, found: FloatArray) -> IntArray:
    """Points (N,2) and (N,2) px of the small image as of `Match`."""
    return np.clip(np.round(np.hstack([reference, found]) * SUBPIXELS), -_LIMIT, _LIMIT).astype(np.int16)


def join_matches(frames: Sequence[FrameMatches], image_size: Sequence[int], small_size: Sequence[int]) -> BackgroundTracks | None:
    """The tracks of a clip from what each frame kept, or None if a frame was not looked at.

    Args:
        image_size, small_size: (width, height) px, of the footage and of the image in which points were tracked.
    """
    if not frames or any(frame.link < 0 for frame in frames):
        return None
    found = [(row, match) for row, frame in enumerate(frames) for match in frame.matches]
    pairs = np.array([(match.reference, row) for row, match in found], int).reshape(-1, 2)
    starts = np.concatenate([[0], np.cumsum([len(match.points) for _row, match in found])]).astype(int)
    points = np.vstack([np.zeros((0, 4), np.int16), *(match.points for _row, match in found)])
    agrees = np.concatenate([np.zeros(0, bool), *(match.agrees for _row, match in found)])
    pixel = np.tile(np.asarray(image_size, float) / np.asarray(small_size, float), 2)
    links = np.array([frame.link for frame in frames])
    return BackgroundTracks(links, pairs, starts, (points / SUBPIXELS + 0.5) * pixel, agrees.astype(bool), float(pixel[0]))


def pack_matches(frames: Sequence[FrameMatches]) -> dict[str, AnyArray]:
    """Some frames' matches as named arrays."""
    matches = [match for frame in frames for match in frame.matches]
    return {
        "camera_links": np.array([frame.link for frame in frames], np.int8),
        "camera_counts": np.array([len(frame.matches) for frame in frames], np.int32),
        "camera_pairs": np.array([match.reference for match in matches], np.int32),
        "camera_sizes": np.array([len(match.points) for match in matches], np.int32),
        "camera_points": np.vstack([np.zeros((0, 4), np.int16), *(match.points for match in matches)]).astype(np.int16),
        "camera_agrees": np.concatenate([np.zeros(0, bool), *(match.agrees for match in matches)]).astype(bool),
        "picture_changes": np.array([frame.change for frame in frames], np.float32).reshape(-1, 2),
    }


def unpack_matches(arrays: Mapping[str, AnyArray], first: int, count: int) -> list[FrameMatches]:
    """The inverse of `pack_matches`, for `count` frames from row `first` on; NOT_LOOKED_AT for files of earlier versions.

    Raises ValueError if the arrays are not those of so many frames.
    """
    if "camera_links" not in arrays:
        return [NOT_LOOKED_AT] * count
    if any(name not in arrays for name in _ARRAYS):
        raise ValueError("the background's matches are incomplete")
    links, counts, references, sizes, points, agrees = (arrays[name] for name in _ARRAYS)
    changes = np.asarray(arrays.get("picture_changes", np.full((count, 2), np.nan)), float)
    if not (_are_counts(counts, (count,)) and _are_counts(sizes, (int(counts.sum()),))):
        raise ValueError("the background's matches are not of these frames")
    rows, total = np.repeat(np.arange(first, first + count), counts), int(sizes.sum())
    shapes = links.shape, changes.shape, references.shape, points.shape, agrees.shape
    is_whole = shapes == ((count,), (count, 2), rows.shape, (total, 4), (total,))
    if not is_whole or not np.isin(links, (-1, FOLLOWS, LOST, CUT)).all() or not ((references >= 0) & (references < rows)).all():
        raise ValueError("the background's matches are not of these frames")
    ends, lasts = np.cumsum(sizes), np.cumsum(counts)
    matches = [
        Match(int(row), points[end - size : end].astype(np.int16), agrees[end - size : end].astype(bool))
        for row, size, end in zip(references, sizes, ends, strict=True)
    ]
    frames = zip(links, counts, lasts, changes.tolist(), strict=True)
    return [FrameMatches(int(link), tuple(matches[last - number : last]), Change(*values)) for link, number, last, values in frames]


def _are_counts(values: AnyArray, shape: tuple[int, ...]) -> bool:
    """Whether values are integers from 0 on, of this shape."""
    return values.shape == shape and np.issubdtype(values.dtype, np.integer) and bool((values >= 0).all())
