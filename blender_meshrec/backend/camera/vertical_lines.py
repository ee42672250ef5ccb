"""Straight edges of the background: found in some frames of the footage pass, stored, and gathered for a clip.

Walls, doors, poles, trees and furniture have vertical edges. Each spans a plane with the camera, and up lies in all of these planes
(fitting/tilt_from_lines.py). Those that lie tell the lens (fitting/perpendicular_edges.py). The first frame of each shot is looked at,
and then ever fewer; what is stored are end points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

from ...core.array_types import AnyArray, BoolArray, FloatArray, ImageArray, IntArray
from .background_mask import background_mask

WIDTH = 640  # px of the larger side, at which edges are looked for; smaller images are not enlarged
FIRST_STEP, STEP_GROWTH = 40, 0.25  # frames between the first two looks at a shot; a later step is this share of the frames since its begin
MIN_LENGTH = 0.045  # of an edge, of the image's larger side
MAX_LEAN = np.radians(40.0)  # of an edge from the image's vertical
MIN_FREE = 0.8  # share of an edge that must lie outside the people
# Share of the width, or of the height, at the picture's sides where no edges along them are sought; grey level of bars beside a picture.
BORDER, BLACK = 0.012, 24
MAX_EDGES = 120  # a frame: the longest of those that lean little, and as many of the others
SUBPIXELS = 32  # end points are stored in 32nds of a pixel of the image in which they were found
_LIMIT = 2**15 - 1
_NOTHING = np.zeros((0, 4), np.int16)

Outlines: TypeAlias = Sequence[tuple[BoolArray, FloatArray] | None]


@dataclass(frozen=True)
class VerticalLines:
    """The edges of a clip, E of them: those that may be vertical, and others, of which files of earlier versions have none.

    rows: (E,), the frame of each. ends: (E,4) px of the footage, x and y of its upper and of its lower end; the first pixel's centre is
    (0.5, 0.5). pixel: px of the footage that make one of the image in which they were found.
    """

    rows: IntArray
    ends: FloatArray
    pixel: float

    @property
    def upright(self) -> "VerticalLines":
        """Those that may be vertical."""
        across, down = (self.ends[:, 2:] - self.ends[:, :2]).T
        return self.chosen(leans_little(across, down))

    def chosen(self, which: BoolArray) -> "VerticalLines":
        """Those of `which` (E,)."""
        return replace(self, rows=self.rows[which], ends=self.ends[which])

    def within(self, first: int, last: int) -> "VerticalLines":
        """The edges of the frames from `first` on, `last` excluded."""
        return self.chosen((self.rows >= first) & (self.rows < last))

    def rows_from(self, first: int, last: int) -> "VerticalLines":
        """Those edges, with `first` as row 0."""
        inside = self.within(first, last)
        return replace(inside, rows=inside.rows - first)


class LineFinder:
    """Call `update` once a frame, in order."""

    def __init__(self) -> None:
        self._since = -1  # frames since the shot's first
        self._next = 0

    def update(self, image: ImageArray | None, is_cut: bool, boxes: Sequence[FloatArray], outlines: Outlines = ()) -> IntArray | None:
        """The edges of the next frame, (E,4) as `find_all_edges` gives them, or None if it is not looked at.

        Args:
            image: (H,W,3) uint8 RGB, or None where it cannot be read. is_cut: it begins a shot. boxes, outlines: as of background_mask.py.
        """
        self._since += 1
        if is_cut:
            self._since = self._next = 0
        if image is None or self._since < self._next:
            return None
        self._next = self._since + max(FIRST_STEP, round(STEP_GROWTH * self._since))
        return find_all_edges(image, boxes, outlines)


def line_image_scale(image_size: Sequence[int]) -> float:
    """Pixels of the image in which edges are found per pixel of footage of (width, height) px."""
    return min(1.0, WIDTH / max(image_size))


def leans_little(across: FloatArray, down: FloatArray) -> BoolArray:
    """Which edges from their upper to their lower end, (E,) each, may be vertical."""
    return np.abs(across) < np.tan(MAX_LEAN) * down


def find_edges(image: ImageArray, boxes: Sequence[FloatArray], outlines: Outlines = ()) -> IntArray:
    """Those of `find_all_edges` that may be vertical."""
    found = find_all_edges(image, boxes, outlines)
    across, down = (found[:, 2:].astype(float) - found[:, :2]).T
    return found[leans_little(across, down)]


def find_all_edges(image: ImageArray, boxes: Sequence[FloatArray], outlines: Outlines = ()) -> IntArray:
    """Straight edges of the background in an image (H,W,3) uint8 RGB.

    Returns:
        (E,4) int16, x and y of the upper and of the lower end, in 32nds of a pixel of the image at `line_image_scale`; first those that
        lean little, then the others, the longest of each first.
    """
    height, width = image.shape[:2]
    scale = line_image_scale((width, height))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    stride = max(1, int(0.5 / scale))
    grey = np.asarray(cv2.resize(np.ascontiguousarray(image[::stride, ::stride, 1]), size, interpolation=cv2.INTER_AREA), np.uint8)
    if min(grey.shape) < 2:
        return _NOTHING
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return _NOTHING
    ends = np.asarray(found, float).reshape(-1, 4)
    ends = np.where((ends[:, 1] > ends[:, 3])[:, None], ends[:, [2, 3, 0, 1]], ends)
    across, down = (ends[:, 2:] - ends[:, :2]).T
    length = np.hypot(across, down)
    is_kept = (length > MIN_LENGTH * max(size)) & _is_inside(ends, 0, _content(grey))
    is_kept &= leans_little(across, down) | _is_inside(ends, 1, _content(grey.T))
    ends = ends[is_kept][np.argsort(-length[is_kept], kind="stable")]
    points = ends[:, None, :2] + np.linspace(0, 1, 9)[:, None] * (ends[:, 2:] - ends[:, :2])[:, None]
    columns, rows = np.clip(np.floor(points).astype(int), 0, np.array(size) - 1).transpose(2, 0, 1)
    is_free = background_mask(grey.shape, scale, boxes, outlines, prefers_outlines=True)[rows, columns] > 0
    ends = ends[is_free.mean(1) >= MIN_FREE]
    upright = leans_little(*(ends[:, 2:] - ends[:, :2]).T)
    ends = np.concatenate([ends[upright][:MAX_EDGES], ends[~upright][:MAX_EDGES]])
    return np.clip(np.round(ends * SUBPIXELS), -_LIMIT, _LIMIT).astype(np.int16)


def _is_inside(ends: FloatArray, axis: int, content: tuple[int, int]) -> BoolArray:
    """Which edges (E,4) px do not lie along the borders, of which an axis has one at either end of `content` px."""
    places, border = ends[:, [axis, axis + 2]], BORDER * (content[1] - content[0])
    return (places.max(1) > content[0] + border) & (places.min(1) < content[1] - border)


def _content(grey: ImageArray) -> tuple[int, int]:
    """The first column of the picture and the one after its last, without black bars at its sides."""
    columns = np.flatnonzero(grey.max(0) > BLACK)
    return (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, grey.shape[1])


def join_edges(frames: Sequence[IntArray | None], image_size: Sequence[int]) -> VerticalLines | None:
    """The edges of a clip from what each frame kept, or None if no frame was looked at; image_size: (width, height) px."""
    if all(edges is None for edges in frames):
        return None
    found = [(row, edges) for row, edges in enumerate(frames) if edges is not None]
    rows = np.repeat([row for row, _edges in found], [len(edges) for _row, edges in found])
    pixel = 1 / line_image_scale(image_size)
    # The detector's own pixels are centred on integers.
    return VerticalLines(rows, (np.vstack([edges for _row, edges in found]) / SUBPIXELS + 0.5) * pixel, pixel)


def pack_edges(frames: Sequence[IntArray | None]) -> dict[str, AnyArray]:
    """Some frames' edges as named arrays."""
    return {
        "edge_counts": np.array([-1 if edges is None else len(edges) for edges in frames], np.int32),
        "edge_ends": np.vstack([_NOTHING, *(edges for edges in frames if edges is not None)]).astype(np.int16),
    }


def unpack_edges(arrays: Mapping[str, AnyArray], count: int) -> list[IntArray | None]:
    """The inverse of `pack_edges`, for `count` frames; None for each in files of earlier versions.

    Raises ValueError if the arrays are not those of so many frames.
    """
    if "edge_counts" not in arrays:
        return [None] * count
    counts, ends = arrays["edge_counts"], arrays.get("edge_ends", _NOTHING)
    if counts.shape != (count,) or not np.issubdtype(counts.dtype, np.integer) or (counts < -1).any():
        raise ValueError("the background's edges are not of these frames")
    sizes = np.maximum(counts, 0)
    if ends.shape != (int(sizes.sum()), 4):
        raise ValueError("the background's edges are not of these frames")
    starts = np.cumsum(sizes) - sizes
    return [None if number < 0 else ends[start : start + number].astype(np.int16) for number, start in zip(counts, starts, strict=True)]
