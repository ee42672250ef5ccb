"""Image files of several pictures: animated WebP, AVIF and PNG with their times, and multi-page TIFF."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from ...core.array_types import AnyArray, FloatArray, ImageArray
from ...core.conventions import FOLDER_FPS
from ...core.time_gaps import MAX_GAP
from .frame_source import Footage, Frame, FrameRange, PathArgument, nominal_rate

MAX_CHUNK, MAX_CHUNK_PIXELS = 32, 1 << 26  # decoded at a time, which bounds the memory
MIN_DURATION = 0.011  # s; shorter ones mean "unknown" in these formats
DEFAULT_DURATION = 0.1  # s, what browsers then show

_Picture = tuple[ImageArray, float]  # image (H,W,3) uint8 RGB, its duration in s


class AnimatedImage(Footage):
    """An image file of several pictures. fps: of the pages of a TIFF, which have no times."""

    rotation = 0
    is_mirrored = False
    num_declared_frames = 0

    def __init__(self, path: PathArgument, frames: FrameRange | None, first: _Picture, fps: float | None) -> None:
        super().__init__(path, frames)
        image, self._first_duration = first
        self.size = (image.shape[1], image.shape[0])
        self._page_rate = float(fps or FOLDER_FPS) if _is_tiff(_read_bytes(path, 4)) else 0.0

    @classmethod
    def open(cls, path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> Self | None:
        """The pictures of a file, or None if it does not hold several that can be read."""
        if not _may_hold_several(_read_bytes(path, 4096)):
            return None
        content = np.fromfile(path, np.uint8)
        pictures = _decode_pictures(content, 0, 2, 1.0)
        # A second page of another size is a thumbnail of the first.
        is_sequence = len(pictures) > 1 and pictures[0][0].shape == pictures[1][0].shape
        return cls(path, frames, pictures[0], fps) if is_sequence else None

    @property
    def play_rate(self) -> float:
        return self._page_rate or 1 / self._first_duration

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        time, previous, row = 0.0, 0.0, 0
        content = np.fromfile(self.source, np.uint8)
        index = 0
        chunk = max(1, min(MAX_CHUNK, MAX_CHUNK_PIXELS // (self.size[0] * self.size[1])))
        while pictures := _decode_pictures(content, index, chunk, self._page_rate):
            for image, duration in pictures:
                if index >= self.first:
                    is_fitting = (image.shape[1], image.shape[0]) == self.size
                    yield Frame(row, time, time - previous if row else 0.0, image if row >= decode_from and is_fitting else None)
                    row, previous, time = row + 1, time, time + duration
                index += 1
                if index == self.end:
                    return
        if row == 0:
            raise self.past_end_error(index)

    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        return self._page_rate or nominal_rate(timestamps, ())


def _read_bytes(path: PathArgument, count: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(count)


def _is_tiff(header: bytes) -> bool:
    return header[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _may_hold_several(header: bytes) -> bool:
    """Whether the first bytes of a file say that it is animated, or are a TIFF's, which do not tell."""
    is_webp = header[:4] == b"RIFF" and header[8:16] == b"WEBPVP8X" and len(header) > 20 and bool(header[20] & 2)
    is_png = header[:4] == b"\x89PNG" and b"acTL" in header
    is_avif = header[4:8] == b"ftyp" and b"avis" in header[8 : max(16, int.from_bytes(header[:4], "big"))]
    return is_webp or is_png or is_avif or _is_tiff(header)


def _decode_pictures(content: AnyArray, first: int, count: int, page_rate: float) -> list[_Picture]:
    """Up to `count` pictures from number `first` on; fewer where the file ends."""
    try:
        if _is_tiff(content[:4].tobytes()):
            _is_read, pages = cv2.imdecodemulti(content, cv2.IMREAD_COLOR, range=(first, first + count))
            return [(_rgb(page), 1 / page_rate) for page in pages]
        _is_read, animation = cv2.imdecodeanimation(content, first, count)
    except cv2.error:
        return []
    seconds = [min(duration / 1000, MAX_GAP) for duration in animation.durations]
    return [(_rgb(frame), s if s >= MIN_DURATION else DEFAULT_DURATION) for frame, s in zip(animation.frames, seconds)]


def _rgb(image: AnyArray) -> ImageArray:
    code = cv2.COLOR_BGRA2RGB if image.ndim == 3 and image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)
