"""What every kind of footage offers: upright, square-pixel RGB images with true times, one at a time."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...core.conventions import standard_fps
from ...core.errors import InputError


class Frame(NamedTuple):
    """One frame: its row in the range, its time in s since the range's first frame and in s since the frame before.

    image: (H,W,3) uint8 RGB, or None where it was not asked for or cannot be read.
    """

    row: int
    time: float
    interval: float
    image: np.ndarray | None


class Footage:
    """A piece of footage over a range of its frames.

    source: the path. size: (width, height) px, upright. rotation: degrees clockwise the stored image is turned.
    first, end: the range, end None for "until the footage ends". num_declared_frames: how many frames the file claims the range to
    have, 0 when it claims nothing; never relied on. warnings: sentences, complete once everything was read.
    """

    def __init__(self, source, frames=None):
        self.source = str(source)
        self.first, self.end = frames or (0, None)
        self.warnings = []
        if self.first < 0 or (self.end is not None and self.end <= self.first):
            raise InputError(
                "frame-range-empty",
                "The range of frames {first}:{end} is empty.",
                "Give a range such as 0:100; the end is not included.",
                first=self.first,
                end=self.end,
            )

    @property
    def name(self):
        return Path(self.source).name

    def read(self, decode_from=0):
        """Give every Frame of the range in order; rows before `decode_from` come with image None, which is quicker.

        Raises:
            InputError: nothing can be read, or the range begins after the end.
        """
        raise NotImplementedError

    def frame_rate(self, timestamps):
        """The nominal frames per second, given the (F,) times that were read."""
        raise NotImplementedError

    def declared_in_range(self, num_in_file):
        end = num_in_file if self.end is None else min(self.end, num_in_file or self.end)
        return max(0, end - self.first)

    def past_end_error(self, num_frames):
        """The error of a range that begins after the last frame."""
        return InputError(
            "frame-range-past-end",
            "{name} has {frames} frames, and the range begins at frame {first}.",
            "Choose frames below {frames}.",
            name=self.name,
            frames=num_frames,
            first=self.first,
        )


def nominal_rate(timestamps, declared_rates):
    """The rate a clip is meant to play at: what the file declares if its frames agree, else what they show.

    timestamps: (F,) s. declared_rates: rates the file gives, the best first; None and 0 are passed over. A rate agrees if the
    median interval says so, as with a phone that drops frames and still counts as 30 frames a second, or the mean one,
    as with times that were rounded.
    """
    declared_rates = [float(rate) for rate in declared_rates if rate]
    if len(timestamps) < 2:
        return standard_fps(declared_rates[0]) if declared_rates else 30.0
    median = 1.0 / float(np.median(np.diff(timestamps)))
    mean = (len(timestamps) - 1) / float(timestamps[-1] - timestamps[0])
    agreeing = [rate for rate in declared_rates if any(abs(rate / measured - 1) < 0.03 for measured in (median, mean))]
    return standard_fps(agreeing[0] if agreeing else median)
