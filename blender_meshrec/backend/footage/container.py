"""What a video file says about itself, read with PyAV: its frames, pixel aspect, end time, orientation and completeness."""

import contextlib
import os
import re
import struct
from collections.abc import Iterator

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...core.array_types import FloatArray, ImageArray
from .frame_source import PathArgument

MAX_BOXES_TO_SEARCH = 64  # of an MP4 file, for its index and its metadata
MAX_XML_BYTES = 2**20
MAX_CAPTURE_RATE = 1e5  # fps
MIN_SLOW_MOTION = 1.9  # times slower or faster; cameras choose whole factors, and phones vary their rate by less
MIN_AVERAGE_TO_GUESSED_RATE = 0.05
_SONY_CAPTURE_RATE = re.compile(rb'captureFps="(\d+(?:\.\d+)?)p"')


def _unknown_side_data_type(cls: type[SideDataType], value: object) -> SideDataType:
    """A member for a kind of side data that FFmpeg has and PyAV does not list, such as EXIF."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNKNOWN_{value}", value
    return member


# Without it, asking a frame for any side data raises ValueError if the frame has some that PyAV does not know.
SideDataType._missing_ = classmethod(_unknown_side_data_type)  # pyrefly: ignore[method-assign, bad-assignment]  an Enum's own hook


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


def edited_end_time(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds at which the edit list of an MP4 or MOV ends the pictures; None if it leaves none of them out."""
    if "mp4" not in container.format.name.split(",") or not (
        stream.frames and stream.duration and stream.time_base and stream.average_rate
    ):
        return None
    seconds = float(stream.duration * stream.time_base)
    if round(seconds * float(stream.average_rate)) >= stream.frames - 1:
        return None
    return seconds + float((stream.start_time or 0) * stream.time_base)


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


def orientation_of(matrix: FloatArray) -> tuple[int, bool]:
    """(degrees clockwise, mirrored) of a `display_matrix`: mirror left to right if so, then rotate."""
    is_mirrored = bool(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0] < 0)
    degrees = round(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0])))
    return (degrees + 180 * is_mirrored) % 360, is_mirrored


def apply_display_matrix(image: ImageArray, matrix: FloatArray) -> ImageArray:
    """Turn and mirror an image as a `display_matrix` says."""
    if matrix[0, 0] == 0:
        image = np.asarray(cv2.transpose(image), np.uint8)
    flip_x, flip_y = (matrix.sum(0) < 0).tolist()
    if flip_x or flip_y:
        image = np.asarray(cv2.flip(image, -1 if flip_x and flip_y else int(flip_x)), np.uint8)
    return np.ascontiguousarray(image)


def average_rate(stream: VideoStream) -> float:
    """Frames per second at which a stream plays, by its own account; hours between two frames count for nothing."""
    average, guessed = float(stream.average_rate or 0), float(stream.guessed_rate or 0)
    return (average if average > MIN_AVERAGE_TO_GUESSED_RATE * guessed else guessed) or 30.0


def stated_capture_rate(path: PathArgument, container: InputContainer, stream: VideoStream) -> float | None:
    """Frames per second at which a camera says that it recorded, if the file plays at another rate: slow motion or time lapse.

    Phones with Android write com.android.capture.fps, and Sony's cameras captureFps="120p" into an XML box.
    """
    play_rate = average_rate(stream)
    tags = {**container.metadata, **stream.metadata}
    stated = [value for key, value in tags.items() if re.sub(r"[._-]", "", key.lower()).endswith("capturefps")]
    stated += [match[1].decode() for match in [_SONY_CAPTURE_RATE.search(_xml_box(path))] if match]
    for word in stated:
        with contextlib.suppress(ValueError):
            rate = float(word)
            if 0 < rate <= MAX_CAPTURE_RATE and not 1 / MIN_SLOW_MOTION < rate / play_rate < MIN_SLOW_MOTION:
                return rate
    return None


def _xml_box(path: PathArgument) -> bytes:
    """The content of an MP4's top-level box of metadata, empty without one."""
    for kind, offset, length in _top_level_boxes(path):
        if kind == b"meta" and length <= MAX_XML_BYTES:
            with open(path, "rb") as file:
                file.seek(offset)
                return file.read(length)
    return b""


def _top_level_boxes(path: PathArgument) -> Iterator[tuple[bytes, int, int]]:
    """The first boxes of an MP4 or MOV file: (kind, offset, length)."""
    offset = 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(MAX_BOXES_TO_SEARCH):
            if offset > size:  # what a damaged box claims
                return
            file.seek(offset)
            header = file.read(16)
            if len(header) < 8:
                return
            length = int.from_bytes(header[:4], "big")
            if length == 1 and len(header) == 16:
                length = int.from_bytes(header[8:], "big")
            yield header[4:8], offset, length
            if length < 8:
                return
            offset += length


def is_missing_index(path: PathArgument) -> bool:
    """Whether a file is an MP4 or MOV whose index (moov box) was never written, as when a phone's battery dies."""
    kinds = {kind for kind, _offset, _length in _top_level_boxes(path)}
    return b"ftyp" in kinds and b"moov" not in kinds
