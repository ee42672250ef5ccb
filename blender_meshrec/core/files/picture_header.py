"""The size that a picture file states, read from its header before anything is decoded."""

import re
import struct

HEADER_BYTES = 1 << 18  # of a file, in which its size stands
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that start a frame


def stated_size(header: bytes) -> tuple[int, int]:
    """(width, height) px that the beginning of a picture file states; (0, 0) where it is not known."""
    try:
        if header.startswith(b"\x89PNG"):
            return _unpack(">II", header, 16)
        if header.startswith(b"\xff\xd8"):
            return _jpeg_size(header)
        if header.startswith(b"BM"):
            width, height = _unpack("<ii", header, 18)
            return abs(width), abs(height)
        if header.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size(header)
        if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
            return _webp_size(header)
        if header[4:8] == b"jP  " and (place := header.find(b"ihdr")) > 0:
            height, width = _unpack(">II", header, place + 4)
            return width, height
        if header[4:8] == b"ftyp":
            return max((_unpack(">II", header, found.end() + 4) for found in re.finditer(b"ispe", header)), default=(0, 0))
        if netpbm := re.match(rb"P[1-7]\s(?:\s*#[^\n]*\n)*\s*(?:WIDTH\s+)?(\d{1,9})\s+(?:HEIGHT\s+)?(\d{1,9})", header):
            return int(netpbm[1]), int(netpbm[2])
        if header.startswith(b"v/1\x01") and (place := header.find(b"dataWindow\0box2i\0")) > 0:
            left, top, right, bottom = struct.unpack_from("<4i", header, place + 21)
            return max(0, right - left + 1), max(0, bottom - top + 1)
    except struct.error:  # the header breaks off
        pass
    return 0, 0


def _unpack(layout: str, header: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, header, offset)
    return first, second


def _jpeg_size(header: bytes) -> tuple[int, int]:
    """The size in the first marker that starts a frame."""
    offset = 2
    while offset + 9 <= len(header):
        if header[offset] != 0xFF:
            return 0, 0
        marker = header[offset + 1]
        if marker in _JPEG_SIZES:
            height, width = _unpack(">HH", header, offset + 5)
            return width, height
        has_length = marker not in (0xFF, 0x01) and not 0xD0 <= marker <= 0xD8
        offset += 2 + int.from_bytes(header[offset + 2 : offset + 4], "big") if has_length else 1 + (marker != 0xFF)
    return 0, 0


def _tiff_size(header: bytes) -> tuple[int, int]:
    """The size in the first directory, if that lies in the header."""
    order = "<" if header.startswith(b"II") else ">"
    (place,) = struct.unpack_from(f"{order}I", header, 4)
    (count,) = struct.unpack_from(f"{order}H", header, place)
    sizes = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    for entry in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", header, place + 2 + 12 * entry)
        if tag in sizes:
            (sizes[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", header, place + 10 + 12 * entry)
    return sizes[_TIFF_WIDTH], sizes[_TIFF_HEIGHT]


def _webp_size(header: bytes) -> tuple[int, int]:
    kind = header[12:16]
    if kind == b"VP8X":
        width, width_high, height, height_high = struct.unpack_from("<HBHB", header, 24)
        return 1 + (width | width_high << 16), 1 + (height | height_high << 16)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", header, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = _unpack("<HH", header, 26)
    return width & 0x3FFF, height & 0x3FFF
