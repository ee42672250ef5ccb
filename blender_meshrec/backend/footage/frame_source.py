"""The interface of all footage: upright, square-pixel RGB images with their true times, one at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from ...core.array_types import FloatArray, ImageArray
from ...core.conventions import standard_fps
from ...core.errors import InputError
from .frame_clock import MAX_RATE_DEVIATION

FrameRange: TypeAlias = tuple[int, int | None]  # (first, end) half-open, counted from 0; end None for "until the footage ends"
PathArgument: TypeAlias = str | Path

MIN_DECLARED_RATE = 1.0  # fps, of a video of one frame; single pictures in a video's container declare rates such as 0.04


class Frame(NamedTuple):
    """One frame: its row in the range, its time in s since the range's first frame and in s since the frame before.

    image: (H,W,3) uint8 RGB, or None where it was not requested or cannot be read. begins_shot: it seems to be the first after a
    cut. changes_at_once: the picture changes by much more than in the frames before, so that people may be elsewhere.
    """

    row: int
    time: float
    interval: float
    image: ImageArray | None
    begins_shot: bool = False
    changes_at_once: bool = False

    @property
    def is_first_of_shot(self) -> bool:
        """Whether nobody is known in it yet."""
        return self.row == 0 or self.begins_shot

    def is_due(self, period: float) -> bool:
        """Whether something that is done every `period` s is done at this frame; it always is at the first frame."""
        return self.row == 0 or int(self.time / period) != int((self.time - self.interval) / period)


class StatedLens(NamedTuple):
    """The focal length that a file states, px of the upright image, and the standard deviation of its logarithm."""

    focal: float
    sigma: float


class Footage(ABC):
    """Footage over a range of its frames.

    source: the path. size: (width, height) px, upright. rotation, is_mirrored: the stored image is mirrored left to right if so, and
    then turned by so many degrees clockwise. stated_capture_rate: frames per second at which a camera says that it recorded, if it
    plays at another rate. stated_lens: the focal length that the file states, or None.
    first, end: the range. num_declared_frames: number of frames that the file claims for the range, 0 without a claim; never
    relied on. warnings: sentences, complete once everything is read.
    """

    size: tuple[int, int]
    rotation: int
    is_mirrored: bool = False
    stated_capture_rate: float | None = None
    stated_lens: StatedLens | None = None
    num_declared_frames: int
    _image_step = 1
    _image_rows: frozenset[int] | None = None

    def __init__(self, source: PathArgument, frames: FrameRange | None = None) -> None:
        self.source = str(source)
        self.first, self.end = frames or (0, None)
        self.warnings: list[str] = []
        if self.first < 0 or (self.end is not None and self.end <= self.first):
            raise InputError(
                "frame-range-empty",
                "The range of frames {first}:{end} is empty.",
                "Give a range such as 0:100; the end is not included.",
                first=self.first,
                end=self.end,
            )

    def leave_out_images(self, step: int) -> None:
        """From now on, `read` need convert only one of `step` images; the others may come as None."""
        self._image_step = step

    def convert_only(self, rows: Iterable[int]) -> None:
        """From now on, `read` need convert only the images of these rows; the others may come as None."""
        self._image_rows = frozenset(rows)

    def is_wanted(self, row: int, decode_from: int) -> bool:
        """Whether the image of a row is to be converted; decode_from: as of `read`."""
        is_chosen = self._image_rows is None or row in self._image_rows
        return is_chosen and row >= decode_from and row % self._image_step == 0

    @property
    def name(self) -> str:
        """The file name."""
        return Path(self.source).name

    @property
    @abstractmethod
    def play_rate(self) -> float:
        """Frames per second at which the file plays, as far as it is known beforehand."""

    @abstractmethod
    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        """Give every Frame of the range in order; rows before `decode_from` come with image None, which is faster.

        Raises:
            InputError: nothing can be read, or the range begins after the end.
        """

    @abstractmethod
    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        """The nominal frames per second, given the times (F,) s of the frames read."""

    def declared_in_range(self, num_in_file: int) -> int:
        """The number of frames of the range, given the number that the file claims to have, 0 if it claims none."""
        end = num_in_file if self.end is None else min(self.end, num_in_file or self.end)
        return max(0, end - self.first)

    def past_end_error(self, num_frames: int) -> InputError:
        """The error of a range that begins after the last frame."""
        return InputError(
            "frame-range-past-end",
            "{name} has {frames} frames, and the range begins at frame {first}.",
            "Choose frames below {frames}.",
            name=self.name,
            frames=num_frames,
            first=self.first,
        )


class FixedRateFootage(Footage):
    """Footage whose frames have no times of their own: row i is at i / fps."""

    fps: float

    @property
    def play_rate(self) -> float:
        return self.fps

    def fixed_rate_frame(self, row: int, image: ImageArray | None) -> Frame:
        """The Frame of a row."""
        return Frame(row, row / self.fps, 1 / self.fps if row else 0.0, image)

    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        return self.fps


def nominal_rate(timestamps: FloatArray | list[float], declared_rates: Iterable[float | None]) -> float:
    """The rate at which a clip is meant to play: the declared rate if the frames agree with it, else the measured one.

    A declared rate agrees with the frames if it matches their median interval (a phone that drops frames still counts as
    30 frames a second) or their mean interval (times may be rounded).

    Args:
        timestamps: (F,) s. declared_rates: rates that the file gives, the most reliable first; None and 0 are ignored.
    """
    rates = [float(rate) for rate in declared_rates if rate]
    if len(timestamps) < 2:
        return standard_fps(next((rate for rate in rates if rate >= MIN_DECLARED_RATE), 30.0))
    median = 1.0 / float(np.median(np.diff(timestamps)))
    mean = (len(timestamps) - 1) / float(timestamps[-1] - timestamps[0])
    agreeing = [rate for rate in rates if any(abs(rate / measured - 1) < MAX_RATE_DEVIATION for measured in (median, mean))]
    return standard_fps(agreeing[0] if agreeing else median)
