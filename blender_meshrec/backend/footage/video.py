"""Opening footage, and reading videos with PyAV: every frame upright, with square pixels and its true time."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ...core.array_types import FloatArray, ImageArray
from ...core.conventions import IMAGE_SUFFIXES, standard_fps
from ...core.errors import InputError
from ...core.files.input_file import refuse_special_file
from ...core.messages import Message
from .animated_image import AnimatedImage
from .container import (
    apply_display_matrix,
    average_rate,
    declared_end_time,
    decode_frames,
    display_matrix,
    edited_end_time,
    is_missing_index,
    orientation_of,
    square_pixel_size,
    stated_capture_rate,
)
from .frame_clock import FrameClock
from .frame_source import Footage, Frame, FrameRange, PathArgument, nominal_rate
from .images import ImageSequence, StillImage
from .picture_size import MAX_VIDEO_PIXELS, check_picture, picture_too_large_error
from .quicktime_tags import read_quicktime_tags
from .stated_lens import lens_of_tags

SUPPORTED_FOOTAGE_REMEDY = "Choose a video, an image, or a folder of numbered images."
_DECODER_LIMITS = {"max_pixels": str(MAX_VIDEO_PIXELS)}
REEXPORT_REMEDY = "Export the clip again as an H.264 .mp4."


def open_footage(path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> Footage:
    """Open an image, a video or a folder of numbered images.

    Args:
        path: the file or folder. frames: (first, end) half-open, counted from 0, or None for all. fps: the frame rate of
            a folder of images, which states none; ignored for videos.

    Returns:
        Footage; iterate its `read()`.

    Raises:
        InputError: there is no such file, or nothing in it can be read as pictures.
    """
    path = Path(path).absolute()
    try:
        if path.is_dir():
            return ImageSequence(path, frames, fps)
        if not path.exists():
            raise InputError("footage-not-found", "There is no file {path}.", "Check the path.", path=path)
        refuse_special_file(path)
        if path.stat().st_size == 0:
            raise InputError(
                "footage-empty", "{name} is empty (0 bytes).", "Copy it again from the camera or the disk it came from.", name=path.name
            )
        # Formats that OpenCV cannot read (animated GIF) are opened as videos.
        if path.suffix.lower() in IMAGE_SUFFIXES:
            check_picture(path)
            image = AnimatedImage.open(path, frames, fps) or StillImage.open(path, frames)
            if image:
                return image
        return Video(path, frames)
    except PermissionError as error:
        raise InputError(
            "footage-not-permitted", "{name} may not be read.", "Give yourself permission to read it, or copy it elsewhere.", name=path.name
        ) from error


class Video(Footage):
    """A video file. Raises InputError, which says what is wrong with a file that cannot be read."""

    def __init__(self, path: PathArgument, frames: FrameRange | None = None) -> None:
        super().__init__(path, frames)
        with self._open() as container:
            stream = self._select_video_stream(container)
            first_frame = next(decode_frames(container, stream, []), None)
            if first_frame is None:
                raise InputError(
                    "video-undecodable",
                    "No frame of {name} could be decoded ({codec}).",
                    REEXPORT_REMEDY,
                    name=self.name,
                    codec=stream.codec_context.name,
                )
            self._square_pixel_size = square_pixel_size(first_frame, stream)
            self._display_matrix = display_matrix(first_frame)
            self._average_rate = average_rate(stream)
            self._declared_rates = [float(rate) for rate in (stream.guessed_rate, stream.average_rate) if rate]
            self._num_file_frames, self._declared_end_time = stream.frames, declared_end_time(container, stream)
            if (edited_end := edited_end_time(container, stream)) is not None:  # which frames an edit list leaves out is only known by time
                self._num_file_frames, self._declared_end_time = 0, edited_end
            self.stated_capture_rate = stated_capture_rate(self.source, container, stream)
            tags = {**read_quicktime_tags(self.source), **container.metadata, **stream.metadata}
        width, height = self._square_pixel_size
        self.size = (height, width) if self._display_matrix[0, 0] == 0 else (width, height)
        self.rotation, self.is_mirrored = orientation_of(self._display_matrix)
        self.stated_lens = lens_of_tags(tags, self.size)
        self.num_declared_frames = self.declared_in_range(self._num_file_frames)

    @property
    def play_rate(self) -> float:
        return standard_fps(self._average_rate)

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        decode_errors: list[str] = []
        clock = FrameClock(self._declared_rates[0] if self._declared_rates else None)
        start: float | None = None  # s, of the first frame of the range
        previous: float | None = None  # s, of the frame before
        count, longest_interval = 0, 0.0
        with self._open() as container:
            stream = self._select_video_stream(container)
            for count, frame in enumerate(decode_frames(container, stream, decode_errors), 1):
                row = count - 1 - self.first
                time = clock.time_of(frame.time)
                interval = 0.0 if start is None or previous is None else time - previous
                previous = time
                longest_interval = max(longest_interval, interval)
                if row < 0:
                    continue
                start = time if start is None else start
                image = self._to_upright_image(frame, decode_errors) if self.is_wanted(row, decode_from) else None
                yield Frame(row, time - start, interval, image)
                if count == self.end:
                    break
        if start is None or previous is None:
            raise self.past_end_error(count)
        if count != self.end:
            self._warn_of_early_end(count, clock.stored_end, longest_interval)
        if clock.num_jumps:
            text = (
                "The time stamps of {name} jump, as where recordings are joined or paused (jumps: {count}, the first at frame {frame}). "
                "The frames after a jump follow at the usual rate."
            )
            self.warnings.append(Message("video-times-jump", text, name=self.name, count=clock.num_jumps, frame=clock.first_jump))
        if decode_errors:
            text = "{name} is damaged: {count} of its frames are garbled or lost."
            self.warnings.append(Message("video-damaged", text, name=self.name, count=len(decode_errors)))

    def _warn_of_early_end(self, count: int, end_time: float, longest_interval: float) -> None:
        """Warn if the file declares more than was read: `count` frames, up to `end_time` s."""
        if count < self._num_file_frames - 1:
            self.warnings.append(
                Message(
                    "video-frames-missing",
                    "{name} ends early: {count} of {claimed} frames could be read.",
                    name=self.name,
                    count=count,
                    claimed=self._num_file_frames,
                )
            )
        elif self._declared_end_time is not None and end_time + max(3 * longest_interval, 0.1) < self._declared_end_time:
            self.warnings.append(
                Message(
                    "video-seconds-missing",
                    "{name} ends early: {count:.1f} of {claimed:.1f} seconds could be read.",
                    name=self.name,
                    count=end_time,
                    claimed=self._declared_end_time,
                )
            )

    def frame_rate(self, timestamps: FloatArray | list[float]) -> float:
        return nominal_rate(timestamps, self._declared_rates)

    def _open(self) -> InputContainer:
        try:
            # The protocol whitelist keeps playlists disguised as videos from opening URLs; "file:" allows colons in names.
            options = {"protocol_whitelist": "file", **_DECODER_LIMITS}
            return av.open(f"file:{self.source}", metadata_errors="replace", options=options)
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

    def _select_video_stream(self, container: InputContainer) -> VideoStream:
        """The first stream of moving pictures; the cover picture of a song and the tiles of a HEIF picture are video streams too."""
        moving = [
            stream for stream in container.streams.video if not stream.disposition & (Disposition.attached_pic | Disposition.dependent)
        ]
        moving.sort(key=lambda stream: stream.frames == 1)  # a picture sequence has its cover first
        if not moving:
            if container.streams.audio:
                raise InputError("footage-sound-only", "{name} holds sound but no pictures.", SUPPORTED_FOOTAGE_REMEDY, name=self.name)
            raise InputError("footage-without-pictures", "{name} holds no pictures.", SUPPORTED_FOOTAGE_REMEDY, name=self.name)
        if moving[0].codec_context is None:
            raise InputError("video-codec-unknown", "The codec of {name} is not known.", REEXPORT_REMEDY, name=self.name)
        context = moving[0].codec_context
        if context.width * context.height > MAX_VIDEO_PIXELS:
            raise picture_too_large_error(self.name, context.width, context.height, MAX_VIDEO_PIXELS)
        context.options = {**context.options, **_DECODER_LIMITS}
        # Not by frames: which frames of a damaged video are marked as corrupt, or lost at its end, then changes from run to run.
        moving[0].thread_type = "SLICE"
        return moving[0]

    def _to_upright_image(self, frame: VideoFrame, errors: list[str]) -> ImageArray | None:
        """The frame's image; None for a garbled frame: one that FFmpeg marks as such, or cannot convert, which is appended to `errors`.

        A garbled frame's picture is made up of other frames' parts, in which a person may be somewhere else.
        """
        if frame.is_corrupt:  # counted by `decode_frames`
            return None
        width, height = self._square_pixel_size
        try:
            image = np.asarray(frame.to_ndarray(format="rgb24", width=width, height=height), np.uint8)
        except (av.error.FFmpegError, ValueError) as error:
            errors.append(str(error))
            return None
        return apply_display_matrix(image, self._display_matrix)
