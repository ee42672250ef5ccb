"""Gaps in timestamps: pauses of a recording and jumps of its clock, which a motion does not wait for."""

from dataclasses import replace

import numpy as np

from .array_types import ArrayLike, FloatArray
from .messages import Message
from .records import Recovery

MAX_GAP = 10.0  # s between two frames; more is a jump of the clock, or a pause of the recording (FFmpeg's own limit)
MAX_GAP_INTERVALS = 20  # of the usual interval: frames of a time lapse are far apart, and that is no gap


def close_time_gaps(timestamps: ArrayLike, fps: float) -> tuple[FloatArray, int]:
    """Timestamps (F,) s in which frames after a gap follow at the usual interval, and the number of gaps.

    Work on the frames of a file then grows with how many they are, not with the hours that they span.
    """
    timestamps = np.asarray(timestamps, float)
    intervals = np.diff(timestamps)
    usual = float(np.median(intervals)) if len(intervals) > 1 else 1 / fps
    is_gap = intervals > max(MAX_GAP, MAX_GAP_INTERVALS * usual)
    if not is_gap.any():
        return timestamps, 0
    return timestamps[0] + np.concatenate([[0.0], np.cumsum(np.where(is_gap, 1 / fps, intervals))]), int(is_gap.sum())


def recovery_without_gaps(recovery: Recovery, name: str) -> tuple[Recovery, tuple[Message, ...]]:
    """A Recovery whose gaps are closed, and a note if it had some; `name` of the motion or the person, for the note."""
    timestamps, count = close_time_gaps(recovery.timestamps, recovery.mocap_framerate)
    if not count:
        return recovery, ()
    text = "The time stamps of {name} leave out {seconds:.0f} s (gaps: {count}). The frames after a gap follow at the usual rate."
    seconds = float(recovery.timestamps[-1] - timestamps[-1])
    return replace(recovery, timestamps=timestamps), (Message("motion-gaps-closed", text, name=name, seconds=seconds, count=count),)
