"""How fast a stage of a job goes and how long it will still take, from nothing but what its Progress has said."""

import time
from collections import deque

from .translation import translate

_WINDOW_SECONDS = 8.0  # s; the rate is that of the last so many seconds: footage is not equally hard throughout
_MIN_SECONDS = 1.0  # s; before that nothing is said of the rate, for it would jump about


class ProgressRate:
    """The pace of the stage that goes on; every stage begins anew, for none tells anything of another's pace.

    stage: its name, or None before the first. clock: gives seconds.
    """

    def __init__(self, clock=time.monotonic):
        self.stage = None
        self._clock = clock
        self._stage_start = clock()
        self._counts = deque()
        self._num_left = 0

    def update(self, progress):
        """Take a Progress in."""
        now = self._clock()
        if progress.stage != self.stage or (self._counts and progress.done < self._counts[-1][1]):
            self.stage, self._stage_start = progress.stage, now
            self._counts.clear()
        self._counts.append((now, progress.done))
        while len(self._counts) > 2 and now - self._counts[1][0] > _WINDOW_SECONDS:
            self._counts.popleft()
        self._num_left = max(0, progress.total - progress.done) if progress.total else None

    @property
    def elapsed(self):
        """Seconds since the stage began."""
        return self._clock() - self._stage_start

    @property
    def rate(self):
        """How many a second; None where too little is known. Up to now, so that a stage that hangs is seen to slow down."""
        if not self._counts:
            return None
        begun, first = self._counts[0]
        seconds, done = self._clock() - begun, self._counts[-1][1] - first
        return done / seconds if done > 0 and seconds >= _MIN_SECONDS else None

    @property
    def seconds_left(self):
        """Seconds that the stage will take at this rate; None where its length or the rate is not known."""
        rate = self.rate
        return None if rate is None or self._num_left is None else self._num_left / rate

    def text(self, unit="frames"):
        """One line: the rate and the time left, or how long the stage has taken so far."""
        if self.rate is None:
            return translate("For {time}", time=format_duration(self.elapsed)) if self.elapsed >= _MIN_SECONDS else ""
        rate = translate("{rate} {unit} a second", rate=f"{self.rate:.1f}", unit=translate(unit))
        return rate if self.seconds_left is None else translate("{rate}, {time} left", rate=rate, time=format_duration(self.seconds_left))


def format_duration(seconds):
    """Seconds as people say them."""
    if seconds < 90:
        return translate("{seconds} s", seconds=max(1, round(seconds)))
    if seconds < 90 * 60:
        return translate("{minutes} min", minutes=round(seconds / 60))
    return translate("{hours} h {minutes} min", hours=int(seconds // 3600), minutes=int(seconds % 3600 // 60))
