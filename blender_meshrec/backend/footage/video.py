"""Opening footage, and reading videos with PyAV: every frame upright, with square pixels and its true time."""

import re
import struct
from pathlib import Path

import av
import cv2
import numpy as np

from ...core.errors import InputError
from .frame_source import Footage, Frame, nominal_rate
from .images import IMAGE_SUFFIXES, Picture, PictureFolder

READABLE = "Choose a video, an image, or a folder of numbered images."
EXPORT_AGAIN = "Export the clip again as an H.264 .mp4."


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
            return PictureFolder(path, frames, fps)
        if not path.exists():
            raise InputError(f"There is no file {path}.", "Check the path.")
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty (0 bytes).", "Copy it again from the camera or the disk it came from.")
        # Some pictures only FFmpeg knows (HEIC); a GIF may move.
        if path.suffix.lower() in IMAGE_SUFFIXES:
            picture = Picture.open(path, frames)
            if picture:
                return picture
        return Video(path, frames)
    except PermissionError as error:
        raise InputError(f"{path.name} may not be read.", "Give yourself permission to read it, or copy it elsewhere.") from error


class Video(Footage):
    """A video file. Raises InputError, saying which of the usual things is wrong with it."""

    def __init__(self, path, frames=None):
        super().__init__(path, frames)
        with self._open() as container:
            stream = self._picture_stream(container)
            still = next(_decoded(container, stream, []), None)
            if still is None:
                raise InputError(f"No frame of {self.name} could be decoded ({stream.codec_context.name}).", EXPORT_AGAIN)
            self._stored_size = _square_size(still, stream)
            self._matrix = display_matrix(still)
            self._declared = (stream.guessed_rate, stream.average_rate)
            self._claimed, self._claimed_end = stream.frames, claimed_end(container, stream)
        width, height = self._stored_size
        self.size = (height, width) if self._matrix[0, 0] == 0 else (width, height)
        self.rotation = round(np.degrees(np.arctan2(self._matrix[0, 1], self._matrix[0, 0]))) % 360
        self.claimed = self.claimed_in_range(self._claimed)

    def read(self, pixels_from=0):
        garbled, start, previous, count, longest = [], None, None, 0, 0.0
        with self._open() as container:
            stream = self._picture_stream(container)
            for count, frame in enumerate(_decoded(container, stream, garbled), 1):
                row = count - 1 - self.first
                time = self._time(frame, previous)
                since, previous = time - (time if start is None else previous), time
                longest = max(longest, since)
                if row < 0:
                    continue
                start = time if start is None else start
                yield Frame(row, time - start, since, self._image(frame) if row >= pixels_from else None)
                if count == self.end:
                    break
        if start is None:
            raise self.beyond_the_end(count)
        if count != self.end and count < self._claimed - 1:
            self.warnings.append(f"{self.name} ends early: {count} of {self._claimed} frames could be read.")
        elif count != self.end and self._claimed_end is not None and previous + max(3 * longest, 0.1) < self._claimed_end:
            self.warnings.append(f"{self.name} ends early: {previous:.1f} of {self._claimed_end:.1f} seconds could be read.")
        if garbled:
            self.warnings.append(f"{self.name} is damaged: {len(garbled)} of its frames are garbled or lost.")

    def rate(self, timestamps):
        return nominal_rate(timestamps, self._declared)

    def _open(self):
        try:
            # Only files are read, whatever a playlist in disguise may ask for; "file:" keeps colons in names harmless.
            return av.open(f"file:{self.source}", metadata_errors="replace", options={"protocol_whitelist": "file"})
        except (av.error.FFmpegError, ValueError) as error:
            if lacks_index(self.source):
                problem = f"{self.name} was cut off before its index was written (no moov atom)."
                raise InputError(problem, "Copy it again from the camera, or have a video repair tool rebuild the index.") from error
            raise InputError(f"{self.name} is not a video or image that can be read.", READABLE) from error

    def _picture_stream(self, container):
        # A song's cover is a video stream too.
        moving = [stream for stream in container.streams.video if not stream.disposition & av.stream.Disposition.attached_pic]
        if not moving:
            what = "sound but no pictures" if container.streams.audio else "no pictures"
            raise InputError(f"{self.name} holds {what}.", READABLE)
        if moving[0].codec_context is None:
            raise InputError(f"The codec of {self.name} is not known.", EXPORT_AGAIN)
        moving[0].thread_type = "AUTO"
        return moving[0]

    def _time(self, frame, previous):
        """Seconds of a frame; files without times count on at the declared rate. Times always grow."""
        step = 1.0 / float(next((rate for rate in self._declared if rate), 30))
        time = frame.time
        if time is None:
            return 0.0 if previous is None else previous + step
        return time if previous is None or time > previous else previous + 0.1 * step

    def _image(self, frame):
        width, height = self._stored_size
        return upright(frame.to_ndarray(format="rgb24", width=width, height=height), self._matrix)


def _decoded(container, stream, garbled):
    """Every frame that decodes; what does not is noted in `garbled` and passed over."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            garbled.append(str(error))
            continue
        except av.error.FFmpegError as error:
            # The container itself breaks off: what came before stays good.
            garbled.append(str(error))
            return
        for frame in frames:
            if frame.is_corrupt:
                garbled.append("corrupt")
            yield frame


def _square_size(frame, stream):
    """(width, height) of the stored image once its pixels are made square; the shorter side of a pixel grows."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    return (round(frame.width * max(aspect, 1.0)), round(frame.height / min(aspect, 1.0)))


def claimed_end(container, stream):
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


def upright(image, matrix):
    """Turn and mirror an image as a `display_matrix` says."""
    if matrix[0, 0] == 0:
        image = cv2.transpose(image)
    flip_x, flip_y = (matrix.sum(0) < 0).tolist()
    if flip_x or flip_y:
        image = cv2.flip(image, -1 if flip_x and flip_y else int(flip_x))
    return np.ascontiguousarray(image)


def lacks_index(path):
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
