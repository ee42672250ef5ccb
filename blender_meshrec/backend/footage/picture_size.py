"""The limits of the pictures that are decoded, checked by the size that a file states."""

from pathlib import Path

from ...core.errors import InputError
from ...core.files.input_file import refuse_special_file
from ...core.files.picture_header import HEADER_BYTES, stated_size
from .frame_source import PathArgument

# Cameras of medium format reach 151 million pixels; a decoded pixel takes 3 bytes, and a picture is held about three times.
MAX_PICTURE_PIXELS = 160_000_000
MAX_VIDEO_PIXELS = 8192 * 8192  # a decoder holds up to 17 frames for each of its threads
MAX_PICTURE_BYTES = 1 << 29
MAX_PIXELS_PER_BYTE = 1000  # of a larger picture's file; one that shows a person has fewer, and only areas of one colour have more
_FEW_PIXELS = 4_000_000


def check_picture(path: PathArgument) -> None:
    """Check, before a picture is decoded, that it is a file of a size that can be decoded.

    Raises:
        InputError: it is a pipe or a device, or larger than the limits, which the message says.
    """
    refuse_special_file(path)
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_PICTURE_BYTES:
        raise InputError(
            "picture-file-too-large",
            "{name} has {size:.0f} MB; the limit for a picture is {limit:.0f} MB.",
            "Export a smaller picture.",
            name=path.name,
            size=size / 2**20,
            limit=MAX_PICTURE_BYTES / 2**20,
        )
    with path.open("rb") as file:
        width, height = stated_size(file.read(HEADER_BYTES))
    limit = min(MAX_PICTURE_PIXELS, max(_FEW_PIXELS, MAX_PIXELS_PER_BYTE * size))
    if width * height > limit:
        raise picture_too_large_error(path.name, width, height, limit)


def picture_too_large_error(name: str, width: int, height: int, limit: int) -> InputError:
    """The error of a picture or video of more than `limit` pixels."""
    return InputError(
        "picture-too-large",
        "{name} states a size of {width} x {height} pixels; the limit for its kind and file size is {limit:.1f} million pixels.",
        "Scale it down, or export it again if that is not its size.",
        name=name,
        width=width,
        height=height,
        limit=limit / 1e6,
    )
