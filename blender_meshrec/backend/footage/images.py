"""Single images and folders of numbered images, read with OpenCV, and with FFmpeg where they are OpenEXR."""

import re
from pathlib import Path

import av
import cv2
import numpy as np

from ...core.conventions import FOLDER_FPS, IMAGE_FPS
from ...core.errors import InputError
from ...core.files.natural_order import natural_key
from ...core.messages import Message
from .frame_source import Footage, Frame

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".jp2", ".ppm", ".exr", ".avif"))


def decode_image(path, as_stored=False):
    """An image file as (H,W,3) uint8 RGB, turned upright as its EXIF says unless `as_stored`; None if it cannot be read."""
    if Path(path).suffix.lower() == ".exr":
        return _decode_exr(path)
    # Read by Python: OpenCV's own reading fails on non-Latin paths on Windows.
    content = np.fromfile(path, np.uint8)
    flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if as_stored else 0)
    try:
        image = cv2.imdecode(content, flags) if content.size else None
    except cv2.error:
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _decode_exr(path):
    """An OpenEXR file, which OpenCV leaves out: its light, linear and without end, as a screen shows it."""
    try:
        with av.open(f"file:{path}", format="exr_pipe", options={"protocol_whitelist": "file"}) as container:
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, StopIteration):
        return None
    light = np.clip(np.nan_to_num(frame.reformat(format="gbrpf32le").to_ndarray()), 0, 1)
    # The transfer function of sRGB, IEC 61966-2-1.
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * shown).round().astype(np.uint8)


def stored_rotation(path, image):
    """Degrees clockwise between a file's stored pixels and the upright image they became; 0 for a mirrored one."""
    stored = decode_image(path, as_stored=True)
    return next((90 * turns for turns in range(4) if np.array_equal(np.rot90(stored, -turns), image)), 0)


class StillImage(Footage):
    """One image: one frame at 24 frames a second."""

    num_declared_frames = 1

    def __init__(self, path, frames, image):
        super().__init__(path, frames)
        self._to_upright_image = image
        self.size = (image.shape[1], image.shape[0])
        self.rotation = stored_rotation(path, image)
        if self.first > 0:
            raise self.past_end_error(1)

    @classmethod
    def open(cls, path, frames=None):
        """The picture, or None if OpenCV cannot read it."""
        image = decode_image(path)
        return None if image is None else cls(path, frames, image)

    def read(self, decode_from=0):
        yield Frame(0, 0.0, 0.0, self._to_upright_image if decode_from == 0 else None)

    def frame_rate(self, timestamps):
        return IMAGE_FPS


class ImageSequence(Footage):
    """A folder of numbered images: 30 frames a second unless told, in the order of the numbers in their names."""

    def __init__(self, path, frames=None, fps=None):
        super().__init__(path, frames)
        files = [file for file in Path(path).iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")]
        if not files:
            raise InputError(
                "image-folder-empty",
                "The folder {name} holds no images.",
                "Choose a folder of numbered .png or .jpg images, or the video itself.",
                name=self.name,
            )
        files.sort(key=lambda file: natural_key(file.name))
        if self.first >= len(files):
            raise self.past_end_error(len(files))
        self._files = files[self.first : self.end]
        self.num_declared_frames = len(self._files)
        self._fps = float(fps or FOLDER_FPS)
        image = None
        for file in self._files:
            image = decode_image(file)
            if image is not None:
                break
        if image is None:
            raise InputError(
                "images-unreadable",
                "None of the {count} images in {name} can be read.",
                "Export the images again.",
                count=len(files),
                name=self.name,
            )
        self.size = (image.shape[1], image.shape[0])
        self.rotation = stored_rotation(file, image)

    def read(self, decode_from=0):
        unreadable, odd = [], []
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
        for row, file in enumerate(self._files):
            # A picture that cannot be used keeps its place in time: nobody is seen in it.
            image = None
            if row >= decode_from:
                image = decode_image(file)
                if image is None:
                    unreadable.append(file.name)
                elif (image.shape[1], image.shape[0]) != self.size:
                    odd.append(file.name)
                    image = None
            yield Frame(row, row / self._fps, 1 / self._fps if row else 0.0, image)
        if unreadable:
            self.warnings.append(
                Message(
                    "images-skipped-unreadable",
                    "Images that cannot be read: {count}, the first being {name}.",
                    count=len(unreadable),
                    name=unreadable[0],
                )
            )
        if odd:
            self.warnings.append(
                Message(
                    "images-skipped-of-another-size",
                    "Images of another size, which were passed over: {count}, the first being {name}.",
                    count=len(odd),
                    name=odd[0],
                )
            )

    def frame_rate(self, timestamps):
        return self._fps


def find_missing_images(names):
    """How many numbers a sequence of file names leaves out, and the name before the first gap; (0, "") where names are no sequence.

    Where numbers do not usually go up by one, as times and every second frame do not, nothing is missing.
    """
    parts = [re.fullmatch(r"(.*?)(\d+)(\D*)", name.rpartition(".")[0]) for name in names]
    if len(names) < 2 or not all(parts) or len({(part[1], part[3]) for part in parts}) > 1:
        return 0, ""
    steps = np.diff([int(part[2]) for part in parts])
    if np.median(steps) != 1:
        return 0, ""
    return int(np.maximum(steps - 1, 0).sum()), names[int(np.argmax(steps > 1))]
