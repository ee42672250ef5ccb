"""The progress of a whole job, of which the backend reports one stage after another: a fraction and a time that never go back."""

import time
from collections.abc import Callable

from ...bridge.messages import Progress
from ..translation import translate
from .progress_rate import ProgressRate, format_duration

# Shares of the time that stages take, in their order: means of clips of 90 to 180 frames with Standard on a processor, whose people had
# been found before; how long that takes is an estimate. A stage that is not listed counts from where the stages before it ended to the end.
STAGE_SHARES = {
    "Load models": 0.0,
    "Finding people": 0.38,
    "Camera": 0.05,
    "Estimate": 0.03,
    "Place": 0.01,
    "Fit body": 0.01,
    "Stand up": 0.01,
    "Refine shape": 0.15,
    "Solve": 0.33,
    "Contacts": 0.01,
    "Check the result": 0.02,
    "Fill in frames": 0.0,
}
_STARTS = dict(zip(STAGE_SHARES, [sum(list(STAGE_SHARES.values())[:number]) for number in range(len(STAGE_SHARES))]))
_MAX_FRACTION = 0.99  # until the result is there


class OverallProgress:
    """The fraction and the remaining time of a job.

    rate: of the current stage. clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = ProgressRate(clock)
        self._clock = clock
        self._fraction = 0.0
        self._stage: str | None = None
        self._unit = "frames"
        self._last: Progress | None = None
        self._begun, self._start, self._share = clock(), 0.0, 0.0  # of the current stage: when, at which fraction, how much of the whole
        self._whole_seconds: float | None = None  # of all stages, as far as the ones so far tell
        self._left: float | None = None

    def update(self, progress: Progress) -> None:
        """Record a Progress."""
        self.rate.update(progress)
        self._unit = progress.unit
        stage = self._listed_stage(progress)
        self._last = progress
        if stage != self._stage:
            self._stage, self._begun = stage, self._clock()
            self._start = max(self._fraction, _STARTS.get(stage, self._fraction))
            self._share = min(STAGE_SHARES.get(stage, 1.0), 1 - self._start)
        done = min(1.0, progress.done / progress.total) if progress.total else 0.0
        self._advance(self._start + self._share * done)
        if stage in STAGE_SHARES and self._share > 0 and progress.total and self.rate.rate:
            self._whole_seconds = progress.total / self.rate.rate / STAGE_SHARES[stage]

    @property
    def fraction(self) -> float:
        """The completed fraction, 0..1; a stage of unknown length approaches its end ever more slowly."""
        if self._whole_seconds is not None and self._stage in STAGE_SHARES and self.rate.seconds_left is None:
            spent, expected = self._clock() - self._begun, STAGE_SHARES[self._stage] * self._whole_seconds
            self._advance(self._start + self._share * spent / max(spent + expected, 1e-9))
        return self._fraction

    @property
    def seconds_left(self) -> float | None:
        """The remaining seconds, which never grow; None while they are unknown."""
        estimate = self.rate.seconds_left
        if self._whole_seconds is not None:
            if estimate is None:
                estimate = max(0.0, self._share * self._whole_seconds - (self._clock() - self._begun))
            estimate += max(0.0, 1 - self._start - self._share) * self._whole_seconds
        if estimate is not None:
            self._left = estimate if self._left is None else min(self._left, estimate)
        return self._left

    @property
    def text(self) -> str:
        """The line below the bar: the rate of the current stage, and the time left of the whole."""
        left = self.seconds_left
        known = translate("{time} left", time=format_duration(left)) if left is not None else ""
        return ", ".join(part for part in (self.rate.rate_text(self._unit), known) if part)

    def _listed_stage(self, progress: Progress) -> str:
        """The stage of a Progress; one that goes on counting under a sentence of its own is the same stage."""
        stage, last = str(progress.stage), self._last
        goes_on = last is not None and progress.total and progress.total == last.total and progress.done > last.done
        return self._stage if stage not in STAGE_SHARES and goes_on and self._stage is not None else stage

    def _advance(self, fraction: float) -> None:
        self._fraction = min(_MAX_FRACTION, max(self._fraction, fraction))
