"""Slow motion and time lapse in true time: a file's times divided by how much faster it was captured than it plays."""

from collections.abc import Iterable, Iterator

import numpy as np

from ...core.array_types import FloatArray
from ...core.conventions import standard_fps
from ...core.messages import Message
from .frame_clock import MAX_RATE_DEVIATION
from .frame_source import Footage, Frame


def in_true_time(footage: Footage, capture_rate: float | None) -> tuple[Footage, float]:
    """Footage whose times are those of the capture, and how many times faster it is than the file plays.

    Args:
        capture_rate: frames per second at which it was captured; None for what the file says, which is said in a warning.
    """
    rate = capture_rate or footage.stated_capture_rate
    if rate is None or abs(rate / footage.play_rate - 1) < 1e-3:
        return footage, 1.0
    if capture_rate is None:
        text = (
            "{name} was captured at {capture:.5g} frames a second and plays at {rate:.5g}: the motion has the true time. "
            "With a capture rate of {rate:.5g} it keeps the time of the file."
        )
        footage.warnings.append(Message("video-slow-motion", text, name=footage.name, capture=rate, rate=footage.play_rate))
    return RetimedFootage(footage, rate), rate / footage.play_rate


class RetimedFootage(Footage):
    """Footage that was captured at another rate than it plays at."""

    def __init__(self, footage: Footage, capture_rate: float) -> None:
        super().__init__(footage.source, (footage.first, footage.end))
        self._footage, self._capture_rate = footage, capture_rate
        self._speed = capture_rate / footage.play_rate
        self.size, self.rotation, self.is_mirrored = footage.size, footage.rotation, footage.is_mirrored
        self.num_declared_frames, self.stated_lens = footage.num_declared_frames, footage.stated_lens
        self.warnings = footage.warnings

    def leave_out_images(self, step: int) -> None:
        self._footage.leave_out_images(step)

    def convert_only(self, rows: Iterable[int]) -> None:
        self._footage.convert_only(rows)

    @property
    def play_rate(self) -> float:
        return self._capture_rate

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        for frame in self._footage.read(decode_from):
            yield frame._replace(time=frame.time / self._speed, interval=frame.interval / self._speed)

    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        rate = self._speed * self._footage.frame_rate(np.asarray(timestamps, float) * self._speed)
        return standard_fps(self._capture_rate if abs(rate / self._capture_rate - 1) < MAX_RATE_DEVIATION else rate)
