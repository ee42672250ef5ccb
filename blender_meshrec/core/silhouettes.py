"""Silhouettes of one person in some frames, from detectors that segment people."""

from dataclasses import dataclass

import numpy as np

from .array_types import ArrayLike, BoolArray, FloatArray, IntArray
from .frozen_arrays import read_only_array

MASK_SIZE = 96  # px, side of a mask
BOX_MARGIN = 1.3  # side of the image square that a mask shows, over the longer side of the person's box
MAX_SILHOUETTES = 32  # per clip; enough because the shape is the same in all frames


@dataclass(frozen=True)
class Silhouettes:
    """S masks of one person.

    rows: (S,), frames. squares: (S,3) px, middle x, middle y and side of the image square that each mask shows.
    masks: (S,MASK_SIZE,MASK_SIZE), true on the person.
    """

    rows: IntArray
    squares: FloatArray
    masks: BoolArray

    def __post_init__(self) -> None:
        for name, dtype, shape in (("rows", np.int64, ()), ("squares", np.float32, (3,)), ("masks", bool, (MASK_SIZE, MASK_SIZE))):
            array = np.asarray(getattr(self, name), dtype).reshape(-1, *shape)
            object.__setattr__(self, name, read_only_array(array))
        if not len(self.rows) == len(self.squares) == len(self.masks):
            raise ValueError(f"Silhouettes of {len(self.rows)} rows have {len(self.squares)} squares and {len(self.masks)} masks")

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, rows: IntArray) -> "Silhouettes":
        """Those of some frames (R,), ascending, whose rows count these."""
        inside = np.isin(self.rows, rows)
        return Silhouettes(np.searchsorted(rows, self.rows[inside]), self.squares[inside], self.masks[inside])


def evenly_spaced_indices(rows: ArrayLike, max_count: int = MAX_SILHOUETTES) -> IntArray:
    """Indices of at most `max_count` of ascending rows (S,), spread evenly over them."""
    rows = np.asarray(rows)
    if len(rows) <= max_count:
        return np.arange(len(rows))
    wanted = np.linspace(rows[0], rows[-1], max_count)
    return np.unique(np.abs(rows[:, None] - wanted).argmin(0))
