"""Which frames of a range of footage were looked at: all of them, or some, whose motion is interpolated for the others."""

from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import AnyArray, FloatArray, IntArray
from ...core.records import Observations


@dataclass(frozen=True)
class LookedAt:
    """F of the N frames of a range.

    rows: (F,) in the range, ascending. all_times: (N,) s, of every frame. step: the detector looked at one of so many frames; of these,
    the ones that only repeat the picture before them are left out, too.
    """

    rows: IntArray
    all_times: FloatArray
    step: int = 1

    @property
    def is_every(self) -> bool:
        """Whether no frame is left out."""
        return len(self.rows) == len(self.all_times)

    @property
    def num_seen(self) -> int:
        """How many frames the detector looked at."""
        return -(-len(self.all_times) // self.step)

    @property
    def num_repeated(self) -> int:
        """How many of these only repeat the picture before them."""
        return self.num_seen - len(self.rows)

    def spread(self, values: AnyArray) -> AnyArray:
        """Values (F,...) as (N,...): a frame that was left out has those of the last one before it."""
        return np.asarray(values)[np.searchsorted(self.rows, np.arange(len(self.all_times)), "right") - 1]

    def observed(self, seen: Observations) -> Observations:
        """What was seen in the F frames, in all N: without the person in those that were left out."""
        everywhere = seen.at(self.spread(np.arange(len(self.rows))))
        return replace(everywhere, visible=everywhere.visible & np.isin(np.arange(len(self.all_times)), self.rows), silhouettes=None)

    def between(self, first: int, last: int) -> "LookedAt":
        """Those from row `first` of F up to row `last`, not included, and the frames between them, counted from the first."""
        begin = int(self.rows[first])
        end = int(self.rows[last]) if last < len(self.rows) else len(self.all_times)
        times = self.all_times[begin:end]
        return LookedAt(self.rows[first:last] - begin, times - times[0], self.step)
