"""What a video file says about itself, read with PyAV: its frames, pixel aspect, end time, orientation and completeness."""

import re
import struct
from collections.abc import Iterator

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...core.array_types import FloatArray, ImageArray
from .frame_source import PathArgument

MAX_BOXES_TO_SEARCH = 64  # of an MP4 file, for its index


def decode_frames(container: InputContainer, stream: VideoStream, errors: list[str]) -> Iterator[VideoFrame]:
    """Every frame that decodes; errors of the others are appended to `errors`."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            errors.append(str(error))
            continue
        except av.error.FFmpegError as error:
            # The container itself breaks off: the frames before remain usable.
            errors.append(str(error))
            return
        for frame in frames:
            if not isinstance(frame, VideoFrame):
                continue
            if frame.is_corrupt:
                errors.append("corrupt")
            yield frame


def square_pixel_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """(width, height) of the stored image once its pixels are made square; the shorter side of a pixel grows."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    return (round(frame.width * max(aspect, 1.0)), round(frame.height / min(aspect, 1.0)))


def declared_end_time(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds at which a Matroska, WebM or MXF file says that its pictures end; None if it does not, or counts frames instead.

    For other formats FFmpeg estimates the duration from the bytes that are there, which a truncated file falsifies.
    """
    if stream.frames or not {"matroska", "mxf"} & set(container.format.name.split(",")):
        return None
    if stream.duration and stream.time_base:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    stated = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if stated:
        return 3600 * int(stated[1]) + 60 * int(stated[2]) + float(stated[3])
    # The file's duration is that of its longest stream, which may be the sound.
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None


def display_matrix(frame: VideoFrame) -> FloatArray:
    """(2,2) of -1, 0, 1: row vectors (x, y) of the stored image times this give directions in the upright one."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(stored, SideData):
        return np.eye(2)
    a, b, _, c, d = struct.unpack("<5i", bytes(stored)[:20])
    linear = np.array([[a, b], [c, d]]) / 65536.0
    length = np.linalg.norm(linear, axis=1, keepdims=True)
    # Only quarter turns and mirrorings: cameras write nothing else.
    return np.round(linear / length) if length.all() else np.eye(2)


def apply_display_matrix(image: ImageArray, matrix: FloatArray) -> ImageArray:
    """Turn and mirror an image as a `display_matrix` says."""
    if matrix[0, 0] == 0:
        image = np.asarray(cv2.transpose(image), np.uint8)
    flip_x, flip_y = (matrix.sum(0) < 0).tolist()
    if flip_x or flip_y:
        image = np.asarray(cv2.flip(image, -1 if flip_x and flip_y else int(flip_x)), np.uint8)
    return np.ascontiguousarray(image)


def is_missing_index(path: PathArgument) -> bool:
    """Whether a file is an MP4 or MOV whose index (moov box) was never written, as when a phone's battery dies."""
    kinds: set[bytes] = set()
    offset = 0
    with open(path, "rb") as file:
        while len(header := file.read(16)) >= 8 and len(kinds) < MAX_BOXES_TO_SEARCH:
            length = int.from_bytes(header[:4], "big")
            if length == 1 and len(header) == 16:
                length = int.from_bytes(header[8:], "big")
            kinds.add(header[4:8])
            if length < 8:
                break
            offset += length
            file.seek(offset)
    return b"ftyp" in kinds and b"moov" not in kinds
