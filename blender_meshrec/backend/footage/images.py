"""Single images and folders of numbered images, read with OpenCV, and with FFmpeg if they are OpenEXR or HEIF."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from ...core.array_types import AnyArray, ImageArray
from ...core.conventions import FOLDER_FPS, IMAGE_FPS, IMAGE_SUFFIXES
from ...core.errors import InputError
from ...core.files.natural_order import natural_key
from ...core.messages import Message
from .exif import read_exif
from .frame_source import FixedRateFootage, Frame, FrameRange, PathArgument
from .heif import decode_heif, heif_orientation
from .picture_size import check_picture
from .stated_lens import lens_of_exif


def decode_image(path: PathArgument, as_stored: bool = False) -> ImageArray | None:
    """An image file as (H,W,3) uint8 RGB, turned upright by its orientation unless `as_stored`; None if it cannot be read."""
    try:
        check_picture(path)
    except (InputError, OSError):
        return None
    if Path(path).suffix.lower() == ".exr":
        return _decode_exr(path)
    # Read by Python: OpenCV's own reader fails on non-Latin paths on Windows.
    content = np.fromfile(path, np.uint8)
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if as_stored else 0)
    try:
        image = cv2.imdecode(content, flags) if content.size else None
    except cv2.error:
        return None
    if image is not None:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
    # By content: photos of phones are renamed, and floating-point TIFF is of a kind that OpenCV has no colours for.
    if is_heif(content[:12].tobytes()):
        return decode_heif(path, as_stored)
    return _decode_float(content)


def is_heif(header: bytes) -> bool:
    """Whether a file that begins so holds HEIF pictures."""
    return header[4:8] == b"ftyp" and header[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def _decode_float(content: AnyArray) -> ImageArray | None:
    """An image of floating-point numbers, which are linear light."""
    try:
        light = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    except cv2.error:
        return None
    if light is None or light.dtype.kind != "f":
        return None
    channels = light[..., None] if light.ndim == 2 else light[..., 2::-1]
    return _srgb_from_linear(np.broadcast_to(channels[..., :3] if channels.shape[-1] >= 3 else channels[..., :1], (*light.shape[:2], 3)))


def _decode_exr(path: PathArgument) -> ImageArray | None:
    """An OpenEXR file, which OpenCV's wheels cannot read: linear light clipped to 0..1 and encoded as sRGB."""
    try:
        with av.open(f"file:{path}", format="exr_pipe", options={"protocol_whitelist": "file"}) as container:
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, StopIteration):
        return None
    return _srgb_from_linear(frame.reformat(format="gbrpf32le").to_ndarray())


def _srgb_from_linear(light: AnyArray) -> ImageArray:
    """Linear light clipped to 0..1 and encoded as sRGB."""
    linear = np.clip(np.nan_to_num(light), 0, 1)
    # The transfer function of sRGB, IEC 61966-2-1.
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (255 * encoded).round().astype(np.uint8)


def stored_orientation(path: PathArgument, image: ImageArray) -> tuple[int, bool]:
    """(degrees clockwise, mirrored): a file's stored pixels, mirrored left to right if so and then rotated, are its image (H,W,3)."""
    stored = decode_image(path, as_stored=True)
    if stored is None:
        return 0, False
    with open(path, "rb") as file:
        if is_heif(file.read(12)):
            return heif_orientation(path)
    for is_mirrored, seen in ((False, stored), (True, stored[:, ::-1])):
        for turns in range(4):
            if np.array_equal(np.rot90(seen, -turns), image):
                return 90 * turns, is_mirrored
    return 0, False


class StillImage(FixedRateFootage):
    """One image: one frame at 24 frames a second."""

    num_declared_frames = 1
    fps = IMAGE_FPS

    def __init__(self, path: PathArgument, frames: FrameRange | None, image: ImageArray) -> None:
        super().__init__(path, frames)
        self._image = image
        self.size = (image.shape[1], image.shape[0])
        self.rotation, self.is_mirrored = stored_orientation(path, image)
        self.stated_lens = lens_of_exif(read_exif(Path(path).read_bytes()), self.size)
        if self.first > 0:
            raise self.past_end_error(1)

    @classmethod
    def open(cls, path: PathArgument, frames: FrameRange | None = None) -> "StillImage | None":
        """The image, or None if it cannot be read."""
        image = decode_image(path)
        return None if image is None else cls(path, frames, image)

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        yield self.fixed_rate_frame(0, self._image if decode_from == 0 else None)


class ImageSequence(FixedRateFootage):
    """A folder of numbered images, in the order of their numbers; fps: 30 by default.

    An image that cannot be read, or is of another size than the first, becomes a frame without an image: the frames after it
    keep their times.
    """

    def __init__(self, path: PathArgument, frames: FrameRange | None = None, fps: float | None = None) -> None:
        super().__init__(path, frames)
        files = [file for file in Path(path).iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")]
        if not files:
            raise InputError(
                "image-folder-empty",
                "The folder {name} holds no images.",
                "Choose a folder of numbered .png or .jpg images, or the video itself.",
                name=self.name,
            )
        _refuse_special_files(files, self.name)
        files.sort(key=lambda file: natural_key(file.name))
        if self.first >= len(files):
            raise self.past_end_error(len(files))
        self._files = files[self.first : self.end]
        self.num_declared_frames = len(self._files)
        self.fps = float(fps or FOLDER_FPS)
        first_readable = next(((file, image) for file in self._files if (image := decode_image(file)) is not None), None)
        if first_readable is None:
            raise InputError(
                "images-unreadable",
                "None of the {count} images in {name} can be read.",
                "Export the images again.",
                count=len(files),
                name=self.name,
            )
        file, image = first_readable
        self.size = (image.shape[1], image.shape[0])
        self.rotation, self.is_mirrored = stored_orientation(file, image)
        self.stated_lens = lens_of_exif(read_exif(file.read_bytes()), self.size)

    def read(self, decode_from: int = 0) -> Iterator[Frame]:
        unreadable: list[str] = []
        of_another_size: list[str] = []
        self._warn_of_missing_images()
        for row, file in enumerate(self._files):
            image = None
            if self.is_wanted(row, decode_from):
                image = decode_image(file)
                if image is None:
                    unreadable.append(file.name)
                elif (image.shape[1], image.shape[0]) != self.size:
                    of_another_size.append(file.name)
                    image = None
            yield self.fixed_rate_frame(row, image)
        self._warn_of_skipped_images(unreadable, of_another_size)

    def _warn_of_missing_images(self) -> None:
        missing, before = find_missing_images([file.name for file in self._files])
        if missing:
            self.warnings.append(
                Message(
                    "images-missing",
                    "Images missing from {folder}: {count}, the first after {name}. The others count as consecutive.",
                    folder=self.name,
                    count=missing,
                    name=before,
                )
            )

    def _warn_of_skipped_images(self, unreadable: list[str], of_another_size: list[str]) -> None:
        """Warn of the files of these names."""
        if unreadable:
            text = "Images that cannot be read: {count}, the first being {name}."
            self.warnings.append(Message("images-skipped-unreadable", text, count=len(unreadable), name=unreadable[0]))
        if of_another_size:
            text = "Images of another size, which were passed over: {count}, the first being {name}."
            self.warnings.append(Message("images-skipped-of-another-size", text, count=len(of_another_size), name=of_another_size[0]))


def _refuse_special_files(files: Sequence[Path], folder: str) -> None:
    """Refuse a folder with images that are pipes, devices, folders, or links that lead nowhere. Raises InputError."""
    special = [file.name for file in files if not file.is_file()]
    if special:
        raise InputError(
            "images-not-files",
            "Images in {folder} that are no files: {count}, the first being {name}.",
            "Remove pipes, devices, folders and broken links with the names of images from the folder.",
            folder=folder,
            count=len(special),
            name=special[0],
        )


def find_missing_images(names: Sequence[str]) -> tuple[int, str]:
    """The number of images that a sequence of file names leaves out, and the name before the first gap; (0, "") without gaps.

    Names whose numbers do not usually go up by one (times, or every second frame) count as having no gaps.
    """
    parts = [match for name in names if (match := re.fullmatch(r"(.*?)(\d+)(\D*)", name.rpartition(".")[0]))]
    if len(names) < 2 or len(parts) < len(names) or len({(part[1], part[3]) for part in parts}) > 1:
        return 0, ""
    steps = np.diff([int(part[2]) for part in parts])
    if np.median(steps) != 1:
        return 0, ""
    return int(np.maximum(steps - 1, 0).sum()), names[int(np.argmax(steps > 1))]
