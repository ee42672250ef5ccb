"""Opening footage, and reading videos with PyAV: every frame upright, with square pixels and its true time."""

import re
import struct
from pathlib import Path

import av
import cv2
import numpy as np

from ...core.errors import InputError
from ...core.messages import Message
from .frame_source import Footage, Frame, nominal_rate
from .images import IMAGE_SUFFIXES, ImageSequence, StillImage

SUPPORTED_FOOTAGE_REMEDY = "Choose a video, an image, or a folder of numbered images."
REEXPORT_REMEDY = "Export the clip again as an H.264 .mp4."


def open_footage(path, frames=None, fps=None):
    """Open an image, a video or a folder of numbered images.

    Args:
        path: the file or folder. frames: (first, end) half-open, counted from 0, or None for all. fps: the rate of
            a folder of images; whatever else knows its own.

    Returns:
        Footage; iterate its `read()`.

    Raises:
        InputError: there is nothing there, or nothing in it can be read as pictures.
    """
    path = Path(path).absolute()
    try:
        if path.is_dir():
            return ImageSequence(path, frames, fps)
        if not path.exists():
            raise InputError("footage-not-found", "There is no file {path}.", "Check the path.", path=path)
        if path.stat().st_size == 0:
            raise InputError(
                "footage-empty", "{name} is empty (0 bytes).", "Copy it again from the camera or the disk it came from.", name=path.name
            )
        # Some pictures only FFmpeg knows (HEIC); a GIF may move.
        if path.suffix.lower() in IMAGE_SUFFIXES:
            picture = StillImage.open(path, frames)
            if picture:
                return picture
        return Video(path, frames)
    except PermissionError as error:
        raise InputError(
            "footage-not-permitted", "{name} may not be read.", "Give yourself permission to read it, or copy it elsewhere.", name=path.name
        ) from error


class Video(Footage):
    """A video file. Raises InputError, saying which of the usual things is wrong with it."""

    def __init__(self, path, frames=None):
        super().__init__(path, frames)
        with self._open() as container:
            stream = self._select_video_stream(container)
            still = next(_decode_frames(container, stream, []), None)
            if still is None:
                raise InputError(
                    "video-undecodable",
                    "No frame of {name} could be decoded ({codec}).",
                    REEXPORT_REMEDY,
                    name=self.name,
                    codec=stream.codec_context.name,
                )
            self._square_pixel_size = _square_pixel_size(still, stream)
            self._display_matrix = display_matrix(still)
            self._declared_rates = (stream.guessed_rate, stream.average_rate)
            self._num_file_frames, self._declared_end_time = stream.frames, declared_end_time(container, stream)
        width, height = self._square_pixel_size
        self.size = (height, width) if self._display_matrix[0, 0] == 0 else (width, height)
        self.rotation = round(np.degrees(np.arctan2(self._display_matrix[0, 1], self._display_matrix[0, 0]))) % 360
        self.num_declared_frames = self.declared_in_range(self._num_file_frames)

    def read(self, decode_from=0):
        garbled, start, previous, count, longest = [], None, None, 0, 0.0
        with self._open() as container:
            stream = self._select_video_stream(container)
            for count, frame in enumerate(_decode_frames(container, stream, garbled), 1):
                row = count - 1 - self.first
                time = self._frame_time(frame, previous)
                since, previous = time - (time if start is None else previous), time
                longest = max(longest, since)
                if row < 0:
                    continue
                start = time if start is None else start
                yield Frame(row, time - start, since, self._to_upright_image(frame) if row >= decode_from else None)
                if count == self.end:
                    break
        if start is None:
            raise self.past_end_error(count)
        if count != self.end and count < self._num_file_frames - 1:
            self.warnings.append(
                Message(
                    "video-frames-missing",
                    "{name} ends early: {count} of {claimed} frames could be read.",
                    name=self.name,
                    count=count,
                    claimed=self._num_file_frames,
                )
            )
        elif count != self.end and self._declared_end_time is not None and previous + max(3 * longest, 0.1) < self._declared_end_time:
            self.warnings.append(
                Message(
                    "video-seconds-missing",
                    "{name} ends early: {count:.1f} of {claimed:.1f} seconds could be read.",
                    name=self.name,
                    count=previous,
                    claimed=self._declared_end_time,
                )
            )
        if garbled:
            self.warnings.append(
                Message(
                    "video-damaged", "{name} is damaged: {count} of its frames are garbled or lost.", name=self.name, count=len(garbled)
                )
            )

    def frame_rate(self, timestamps):
        return nominal_rate(timestamps, self._declared_rates)

    def _open(self):
        try:
            # Only files are read, whatever a playlist in disguise may ask for; "file:" keeps colons in names harmless.
            return av.open(f"file:{self.source}", metadata_errors="replace", options={"protocol_whitelist": "file"})
        except (av.error.FFmpegError, ValueError) as error:
            if is_missing_index(self.source):
                raise InputError(
                    "video-without-index",
                    "{name} was cut off before its index was written (no moov atom).",
                    "Copy it again from the camera, or have a video repair tool rebuild the index.",
                    name=self.name,
                ) from error
            raise InputError(
                "footage-unreadable", "{name} is not a video or image that can be read.", SUPPORTED_FOOTAGE_REMEDY, name=self.name
            ) from error

    def _select_video_stream(self, container):
        # A song's cover is a video stream too.
        moving = [stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic]
        if not moving:
            if container.streams.audio:
                raise InputError("footage-sound-only", "{name} holds sound but no pictures.", SUPPORTED_FOOTAGE_REMEDY, name=self.name)
            raise InputError("footage-without-pictures", "{name} holds no pictures.", SUPPORTED_FOOTAGE_REMEDY, name=self.name)
        if moving[0].codec_context is None:
            raise InputError("video-codec-unknown", "The codec of {name} is not known.", REEXPORT_REMEDY, name=self.name)
        moving[0].thread_type = "AUTO"
        return moving[0]

    def _frame_time(self, frame, previous):
        """Seconds of a frame; files without times count on at the declared rate. Times always grow."""
        step = 1.0 / float(next((rate for rate in self._declared_rates if rate), 30))
        time = frame.time
        if time is None:
            return 0.0 if previous is None else previous + step
        return time if previous is None or time > previous else previous + 0.1 * step

    def _to_upright_image(self, frame):
        width, height = self._square_pixel_size
        return apply_display_matrix(frame.to_ndarray(format="rgb24", width=width, height=height), self._display_matrix)


def _decode_frames(container, stream, errors):
    """Every frame that decodes; what does not is noted in `errors` and passed over."""
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
            # The container itself breaks off: what came before stays good.
            errors.append(str(error))
            return
        for frame in frames:
            if frame.is_corrupt:
                errors.append("corrupt")
            yield frame


def _square_pixel_size(frame, stream):
    """(width, height) of the stored image once its pixels are made square; the shorter side of a pixel grows."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    return (round(frame.width * max(aspect, 1.0)), round(frame.height / min(aspect, 1.0)))


def declared_end_time(container, stream):
    """Seconds at which a Matroska, WebM or MXF file says that its pictures end; None where it does not, or counts frames instead.

    Of other files FFmpeg guesses the length by what is left of them.
    """
    if stream.frames or not {"matroska", "mxf"} & set(container.format.name.split(",")):
        return None
    if stream.duration:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    told = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if told:
        return 3600 * int(told[1]) + 60 * int(told[2]) + float(told[3])
    # Without its own, the file's is as long as the sound.
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else None


def display_matrix(frame):
    """(2,2) of -1, 0, 1: row vectors (x, y) of the stored image times this give directions in the upright one."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return np.eye(2)
    a, b, _, c, d = struct.unpack("<5i", bytes(stored)[:20])
    linear = np.array([[a, b], [c, d]]) / 65536.0
    length = np.linalg.norm(linear, axis=1, keepdims=True)
    # Whole quarter turns and mirrors only: cameras write nothing else.
    return np.round(linear / length) if length.all() else np.eye(2)


def apply_display_matrix(image, matrix):
    """Turn and mirror an image as a `display_matrix` says."""
    if matrix[0, 0] == 0:
        image = cv2.transpose(image)
    flip_x, flip_y = (matrix.sum(0) < 0).tolist()
    if flip_x or flip_y:
        image = cv2.flip(image, -1 if flip_x and flip_y else int(flip_x))
    return np.ascontiguousarray(image)


def is_missing_index(path):
    """Whether a file is an MP4 or MOV whose index never was written, as when a phone's battery dies."""
    kinds, offset = set(), 0
    with open(path, "rb") as file:
        while len(header := file.read(16)) >= 8 and len(kinds) < 64:
            length = int.from_bytes(header[:4], "big")
            if length == 1 and len(header) == 16:
                length = int.from_bytes(header[8:], "big")
            kinds.add(header[4:8])
            if length < 8:
                break
            offset += length
            file.seek(offset)
    return b"ftyp" in kinds and b"moov" not in kinds
