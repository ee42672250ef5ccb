"""The speed of a job's current stage and its remaining time, estimated from the Progress messages."""

import time
from collections import deque
from collections.abc import Callable

from ...bridge.messages import Progress
from ..translation import translate

_WINDOW_SECONDS = 8.0  # s; the rate is the mean over this window, because some parts of footage take longer than others
_MIN_SECONDS = 1.0  # s; a shorter time gives no stable rate


class ProgressRate:
    """The rate of the current stage; each new stage starts a new measurement.

    stage: its name, None before the first. clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stage: str | None = None
        self._clock = clock
        self._stage_start = clock()
        self._counts: deque[tuple[float, int]] = deque()  # (time, units done)
        self._num_left: int | None = 0

    def update(self, progress: Progress) -> None:
        """Record a Progress."""
        now = self._clock()
        if progress.stage != self.stage or (self._counts and progress.done < self._counts[-1][1]):
            self.stage, self._stage_start = progress.stage, now
            self._counts.clear()
        if progress.total or progress.done:  # the mere name of a stage counts nothing: a cache may know its first frames
            self._counts.append((now, progress.done))
        while len(self._counts) > 2 and now - self._counts[1][0] > _WINDOW_SECONDS:
            self._counts.popleft()
        self._num_left = max(0, progress.total - progress.done) if progress.total else None

    @property
    def elapsed(self) -> float:
        """Seconds since the stage began."""
        return self._clock() - self._stage_start

    @property
    def rate(self) -> float | None:
        """Units per second until now, None if unknown. The rate of a stage that hangs decreases."""
        if not self._counts:
            return None
        start_time, start_count = self._counts[0]
        seconds, num_done = self._clock() - start_time, self._counts[-1][1] - start_count
        return num_done / seconds if num_done > 0 and seconds >= _MIN_SECONDS else None

    @property
    def seconds_left(self) -> float | None:
        """Remaining seconds of the stage at this rate; None if its length or the rate is unknown."""
        rate = self.rate
        return None if rate is None or self._num_left is None else self._num_left / rate

    def rate_text(self, unit: str = "frames") -> str:
        """The rate, or how long the stage has run while the rate is unknown."""
        rate = self.rate
        if rate is None:
            elapsed = self.elapsed
            return translate("Running for {time}", time=format_duration(elapsed)) if elapsed >= _MIN_SECONDS else ""
        return translate("{rate} {unit} a second", rate=f"{rate:.1f}", unit=translate(unit))


def format_duration(seconds: float) -> str:
    """A duration as text, in seconds, minutes or hours."""
    if seconds < 90:
        return translate("{seconds} s", seconds=max(1, round(seconds)))
    if seconds < 90 * 60:
        return translate("{minutes} min", minutes=round(seconds / 60))
    return translate("{hours} h {minutes} min", hours=int(seconds // 3600), minutes=int(seconds % 3600 // 60))
