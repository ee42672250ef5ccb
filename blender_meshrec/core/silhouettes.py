"""Silhouettes of one person in a few frames: what a detector that segments people has beside keypoints."""

from dataclasses import dataclass

import numpy as np

# A silhouette's side, px; and the square of the picture it shows: the longer side of the person's box, times this.
MASK_SIZE, BOX_MARGIN = 96, 1.3
# So many are enough for a clip: shape is one for all of it.
MAX_SILHOUETTES = 32


@dataclass(frozen=True)
class Silhouettes:
    """rows (S,): which frames. squares (S,3) px: middle x, y and side of what of the picture each shows. masks (S,MASK_SIZE,MASK_SIZE)
    bool: true on the person."""

    rows: np.ndarray
    squares: np.ndarray
    masks: np.ndarray

    def __post_init__(self):
        for name, dtype, shape in (("rows", np.int64, ()), ("squares", np.float32, (3,)), ("masks", bool, (MASK_SIZE, MASK_SIZE))):
            array = np.array(getattr(self, name), dtype).reshape(-1, *shape)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if not len(self.rows) == len(self.squares) == len(self.masks):
            raise ValueError(f"Silhouettes of {len(self.rows)} rows have {len(self.squares)} squares and {len(self.masks)} masks")

    def __len__(self):
        return len(self.rows)


def evenly_spaced_indices(rows, max_count=MAX_SILHOUETTES):
    """Which of ascending rows (S,) to keep so that at most `max_count` remain, spread evenly over them: indices."""
    rows = np.asarray(rows)
    if len(rows) <= max_count:
        return np.arange(len(rows))
    wanted = np.linspace(rows[0], rows[-1], max_count)
    return np.unique(np.abs(rows[:, None] - wanted).argmin(0))
