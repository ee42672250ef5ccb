"""Tags of MP4 and MOV files that FFmpeg does not pass on: those of a track, where phones describe the camera.

Source: QuickTime File Format, "Metadata": a box `meta` with `keys`, which has their names, and `ilst`, which has their values by number.
"""

import contextlib
import os
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from .frame_source import PathArgument

MAX_BOXES = 256  # in one box
MAX_TAGS_BYTES = 2**20  # of a box of tags
_HEADER = 8
_TEXT, _FLOAT, _DOUBLE, _SIGNED, _UNSIGNED = 1, 23, 24, 21, 22  # well-known types of values


class _Box(NamedTuple):
    """A box of a file: its kind, and where its content begins and ends."""

    kind: bytes
    begin: int
    end: int


def read_quicktime_tags(path: PathArgument) -> dict[str, str]:
    """The tags of an MP4 or MOV file and of its tracks as text, by name; empty for other and for damaged files.

    Of a name that occurs twice the first one counts: a file's own, or that of its first track.
    """
    tags: dict[str, str] = {}
    with contextlib.suppress(OSError, struct.error), open(path, "rb") as file:
        whole = _Box(b"", 0, os.fstat(file.fileno()).st_size)
        movies = [box for box in _boxes(file, whole) if box.kind == b"moov"]
        tracks = [box for movie in movies for box in _boxes(file, movie) if box.kind == b"trak"]
        for parent in (*movies, *tracks):
            for name, value in _tags_in(file, parent):
                tags.setdefault(name, value)
    return tags


def _tags_in(file: BinaryIO, parent: _Box) -> Iterator[tuple[str, str]]:
    """The tags (name, value) in the boxes `meta` of a film or track, also those in its `udta`."""
    boxes = list(_boxes(file, parent))
    boxes += [box for user in boxes if user.kind == b"udta" for box in _boxes(file, user)]
    for meta in (box for box in boxes if box.kind == b"meta" and box.end - box.begin <= MAX_TAGS_BYTES):
        # In MP4, the content of the box begins with four bytes of version and flags.
        begin = meta.begin + (4 if _read(file, meta.begin, 4) == bytes(4) else 0)
        parts = {box.kind: box for box in _boxes(file, meta._replace(begin=begin))}
        if b"keys" in parts and b"ilst" in parts:
            yield from _named_values(file, list(_names(_content(file, parts[b"keys"]))), parts[b"ilst"])


def _named_values(file: BinaryIO, names: Sequence[str], values: _Box) -> Iterator[tuple[str, str]]:
    """The tags (name, value) of a box `ilst`, whose items have the numbers of their names, from 1, as their kinds."""
    for item in _boxes(file, values):
        number = int.from_bytes(item.kind, "big")
        value = next((_value(_content(file, box)) for box in _boxes(file, item) if box.kind == b"data"), None)
        if 0 < number <= len(names) and value is not None:
            yield names[number - 1], value


def _boxes(file: BinaryIO, parent: _Box) -> Iterator[_Box]:
    """The boxes in a box; those that claim to be longer than it are left out."""
    offset = parent.begin
    for _ in range(MAX_BOXES):
        header = _read(file, offset, 16)
        if offset + _HEADER > parent.end or len(header) < _HEADER:
            return
        length, begin = int.from_bytes(header[:4], "big"), offset + _HEADER
        if length == 1:
            length, begin = int.from_bytes(header[8:16], "big"), offset + 16
        end = offset + length if length else parent.end
        if not begin <= end <= parent.end:
            return
        yield _Box(header[4:8], begin, end)
        offset = end


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _content(file: BinaryIO, box: _Box) -> bytes:
    return _read(file, box.begin, min(box.end - box.begin, MAX_TAGS_BYTES))


def _names(content: bytes) -> Iterator[str]:
    """The names in a box `keys`."""
    offset = 8
    while offset + _HEADER <= len(content):
        length = int.from_bytes(content[offset : offset + 4], "big")
        if length < _HEADER:
            return
        yield content[offset + _HEADER : offset + length].decode("utf-8", "replace")
        offset += length


def _value(content: bytes) -> str | None:
    """The value in a box `data`, as text; None if it is of no type that is known."""
    kind, raw = int.from_bytes(content[1:4], "big"), content[8:]
    if kind == _TEXT:
        return raw.decode("utf-8", "replace").rstrip("\0")
    if kind in (_SIGNED, _UNSIGNED):
        return str(int.from_bytes(raw, "big", signed=kind == _SIGNED))
    if (kind, len(raw)) in ((_FLOAT, 4), (_DOUBLE, 8)):
        return str(struct.unpack(">f" if kind == _FLOAT else ">d", raw)[0])
    return None
