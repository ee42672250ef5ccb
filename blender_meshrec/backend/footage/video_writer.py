"""Writing RGB images as an H.264 video."""

from fractions import Fraction
from types import TracebackType

import av
import cv2
import numpy as np

from ...core.array_types import ImageArray
from .frame_source import PathArgument


class VideoWriter:
    """An H.264 video of images of one size, both sides even; use as a context manager."""

    def __init__(self, path: PathArgument, fps: float) -> None:
        self._container = av.open(str(path), "w")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "23", "preset": "veryfast"}
        self._has_size = False

    def write(self, image: ImageArray) -> None:
        """Append an image, (H,W,3) uint8 RGB."""
        if not self._has_size:
            self._stream.height, self._stream.width = image.shape[:2]
            self._has_size = True
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")):
            self._container.mux(packet)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error_type is None:
            for packet in self._stream.encode():
                self._container.mux(packet)
        self._container.close()


def resize_to_height(image: ImageArray, height: int) -> ImageArray:
    """Resize to a height, with an even width: video encoders require even sides."""
    scale = height / image.shape[0]
    size = (max(2, round(image.shape[1] * scale / 2) * 2), height)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
