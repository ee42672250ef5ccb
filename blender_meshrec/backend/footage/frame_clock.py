"""The true times of a video's frames, from time stamps that may repeat, be missing, or jump where recordings were joined."""

import statistics
from collections import deque

from ...core.time_gaps import MAX_GAP, MAX_GAP_INTERVALS

MAX_STEPS_BACK = 2  # intervals; less is the rounding or reordering of single time stamps, more is a new recording
MAX_GLITCH_FRAMES = 2  # after so few frames a clock that jumped may come back, as if it had not
NUM_INTERVALS = 99  # whose median is the usual interval
MAX_RATE_DEVIATION = 0.03  # relative difference up to which a declared frame rate agrees with a measured one


class FrameClock:
    """Gives rising times to the frames of a file, in order.

    A time stamp that goes back, or ahead by more than a recording leaves out, is the beginning of another recording: its frames
    follow at the usual interval. num_jumps: how many; first_jump: index of the first frame after one.
    """

    def __init__(self, declared_rate: float | None) -> None:
        self._declared_step = 1.0 / (declared_rate or 30.0)
        self._intervals: deque[float] = deque(maxlen=NUM_INTERVALS)
        self._previous: float | None = None
        self._offset, self._offset_before_jump = 0.0, 0.0  # s, added to time stamps
        self._index, self._last_jump = -1, -MAX_GLITCH_FRAMES
        self.num_jumps, self.first_jump = 0, 0

    @property
    def stored_end(self) -> float:
        """The time of the last frame on the clock of the file, s."""
        return (self._previous or 0.0) - self._offset

    def time_of(self, stored: float | None) -> float:
        """The time of the next frame in s, given its time stamp; frames without one follow at the declared rate."""
        self._index += 1
        previous = self._previous
        if previous is None:
            time = 0.0 if stored is None else stored
        elif stored is None:
            time = previous + self._declared_step
        else:
            time = self._time_after(previous, stored)
            self._intervals.append(time - previous)
        self._previous = time
        return time

    def _time_after(self, previous: float, stored: float) -> float:
        usual = self._usual_interval()
        if self._index - self._last_jump <= MAX_GLITCH_FRAMES and 0 < stored + self._offset_before_jump - previous <= 3 * usual:
            self._offset = self._offset_before_jump
        time = stored + self._offset
        if time - previous < -MAX_STEPS_BACK * usual or time - previous > max(MAX_GAP, MAX_GAP_INTERVALS * usual):
            return self._jump(previous + usual, stored)
        return time if time > previous else previous + 0.1 * self._declared_step

    def _jump(self, time: float, stored: float) -> float:
        if self.num_jumps == 0:
            self.first_jump = self._index
        self.num_jumps += 1
        self._last_jump = self._index
        self._offset_before_jump, self._offset = self._offset, time - stored
        return time

    def _usual_interval(self) -> float:
        """The declared interval if the frames agree with it or are too few to tell, else their median interval, s."""
        if not self._intervals:
            return self._declared_step
        median = statistics.median(self._intervals)
        return self._declared_step if abs(median / self._declared_step - 1) < MAX_RATE_DEVIATION else median
