"""Footage of which only some frames are looked at, at even steps; the times of the others are kept."""

from collections.abc import Iterable, Iterator

import numpy as np

from ...core.array_types import FloatArray
from .frame_source import Footage, Frame


class ThinnedFootage(Footage):
    """One of `step` frames of footage, the first included. Rows count the frames that it gives, and intervals lie between them.

    all_times: s, of every frame, complete once everything is read.
    """

    def __init__(self, footage: Footage, step: int) -> None:
        super().__init__(footage.source, (footage.first, footage.end))
        self._footage, self.step = footage, step
        self.size, self.rotation, self.is_mirrored = footage.size, footage.rotation, footage.is_mirrored
        self.num_declared_frames, self.stated_lens = -(-footage.num_declared_frames // step), footage.stated_lens
        self.warnings = footage.warnings
        self.all_times: list[float] = []
        footage.leave_out_images(step)

    def convert_only(self, rows: Iterable[int]) -> None:
        """As of Footage; rows are those of this footage."""
        self._footage.convert_only([row * self.step for row in rows])

    @property
    def play_rate(self) -> float:
        return self._footage.play_rate

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        last = 0.0
        self.all_times.clear()
        for frame in self._footage.read(decode_from * self.step):
            self.all_times.append(frame.time)
            if frame.row % self.step == 0:
                yield Frame(frame.row // self.step, frame.time, frame.time - last if frame.row else frame.interval, frame.image)
                last = frame.time

    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        """The nominal frames per second of every frame, whatever `timestamps` of some of them are."""
        return self._footage.frame_rate(np.array(self.all_times))
