"""EXIF of pictures: what it says about the lens.

Source: CIPA DC-008 (Exif 2.32), 4.6; where it lies: JPEG's APP1 segments (4.7.2), PNG's chunk eXIf, WebP's chunk EXIF, and a HEIF file's
item Exif (ISO/IEC 23008-12, A.2.1). A TIFF file is EXIF itself.
"""

import contextlib
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .heif import heif_exif

MAX_ENTRIES = 1000  # of a directory
_EXIF_DIRECTORY = 0x8769
_SHORT, _LONG, _RATIONAL = 3, 4, 5
_MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of FocalPlaneResolutionUnit; inches by default


@dataclass(frozen=True)
class Exif:
    """What EXIF says about the lens; 0 for what it does not say.

    equivalent: FocalLengthIn35mmFilm, mm. focal_length: FocalLength, mm. pixels_per_mm: of the sensor, FocalPlaneXResolution. size:
    (width, height) px when it was written, PixelXDimension and PixelYDimension, before the picture is turned upright. digital_zoom:
    DigitalZoomRatio. has_maker_note: whether it has the camera's own notes, which photo editors leave out.
    """

    equivalent: float = 0.0
    focal_length: float = 0.0
    pixels_per_mm: float = 0.0
    size: tuple[float, float] = (0.0, 0.0)
    digital_zoom: float = 0.0
    has_maker_note: bool = False


def read_exif(content: bytes) -> Exif:
    """The EXIF of a picture's file; an empty one if it has none, or a damaged one."""
    tags: dict[int, float] = {}
    with contextlib.suppress(struct.error, IndexError, ValueError):
        tags = _read_tags(_find_exif(content))
    unit = _MILLIMETRES.get(int(tags.get(0xA210, 2)), math.inf)
    return Exif(
        equivalent=tags.get(0xA405, 0.0),
        focal_length=tags.get(0x920A, 0.0),
        pixels_per_mm=tags.get(0xA20E, 0.0) / unit,
        size=(tags.get(0xA002, 0.0), tags.get(0xA003, 0.0)),
        digital_zoom=tags.get(0xA404, 0.0),
        has_maker_note=0x927C in tags,
    )


def _find_exif(content: bytes) -> bytes:
    """The EXIF in a picture's file, which begins like a TIFF file; empty if there is none."""
    if content[:4] in (b"II*\0", b"MM\0*"):
        return content
    found = b""
    if content[:2] == b"\xff\xd8":
        found = next((body for body in _jpeg_segments(content) if body.startswith(b"Exif\0")), b"")
    elif content[:8] == b"\x89PNG\r\n\x1a\n":
        found = next((body for kind, body in _chunks(content, 8, ">I4s", 4, 1) if kind == b"eXIf"), b"")
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        found = next((body for kind, body in _chunks(content, 12, "<4sI", 0, 2) if kind == b"EXIF"), b"")
    elif content[4:8] == b"ftyp":
        found = heif_exif(content)
    return found[6:] if found.startswith(b"Exif\0") else found


def _jpeg_segments(content: bytes) -> Iterator[bytes]:
    """The bodies of a JPEG's APP1 segments before its picture."""
    offset = 2
    while offset + 4 <= len(content) and content[offset] == 0xFF:
        marker, length = content[offset + 1], int.from_bytes(content[offset + 2 : offset + 4], "big")
        if marker == 0xDA or length < 2:  # the picture begins
            return
        if marker == 0xE1:
            yield content[offset + 4 : offset + 2 + length]
        offset += 2 + length


def _chunks(content: bytes, offset: int, header: str, trailer: int, alignment: int) -> Iterator[tuple[bytes, bytes]]:
    """The (kind, body) of the chunks of a PNG or WebP from an offset on; trailer: bytes after each body."""
    while offset + 8 <= len(content):
        first, second = struct.unpack_from(header, content, offset)
        kind, length = (second, first) if isinstance(second, bytes) else (first, second)
        yield kind, content[offset + 8 : offset + 8 + length]
        offset += 8 + length + trailer + -length % alignment


def _read_tags(tiff: bytes) -> dict[int, float]:
    """The numbers in the first directory and the EXIF directory of a TIFF structure, by their tags."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return {}
    tags = _read_directory(tiff, order, struct.unpack_from(f"{order}I", tiff, 4)[0])
    return {**tags, **_read_directory(tiff, order, int(tags[_EXIF_DIRECTORY]))} if _EXIF_DIRECTORY in tags else tags


def _read_directory(tiff: bytes, order: str, offset: int) -> dict[int, float]:
    """The first number of each tag of a directory, 0 for other kinds of values."""
    tags: dict[int, float] = {}
    (count,) = struct.unpack_from(f"{order}H", tiff, offset)
    for entry in range(offset + 2, offset + 2 + 12 * min(count, MAX_ENTRIES), 12):
        tag, kind, number = struct.unpack_from(f"{order}HHI", tiff, entry)
        if number == 0:
            continue
        if kind == _SHORT:
            (tags[tag],) = struct.unpack_from(f"{order}H", tiff, entry + 8)
        elif kind == _LONG:
            (tags[tag],) = struct.unpack_from(f"{order}I", tiff, entry + 8)
        elif kind == _RATIONAL:
            numerator, denominator = struct.unpack_from(f"{order}2I", tiff, struct.unpack_from(f"{order}I", tiff, entry + 8)[0])
            tags[tag] = numerator / denominator if denominator else 0.0
        else:
            tags[tag] = 0.0
    return tags
