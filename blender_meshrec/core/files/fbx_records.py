"""Records of binary FBX files: their layout, and reading and writing them as a tree.

A record has the offset of its end, the number and bytes of its properties, its name, the properties, and the records inside it, which a
record of zeros closes. Source: Blender Foundation, "FBX binary file format specification", 2013, and Blender's importer.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..array_types import FloatArray

MAGIC: Final = b"Kaydara FBX Binary  \x00\x1a\x00"
VERSION: Final = struct.Struct("<I")
ARRAY: Final = struct.Struct("<III")  # values, encoding, bytes in the file
DEFLATED: Final = 1
VALUE_BYTES: Final = {b"b"[0]: 1, b"c"[0]: 1, b"i"[0]: 4, b"l"[0]: 8, b"f"[0]: 4, b"d"[0]: 8}  # of arrays, by the property's type
_VERSION_OF_LONG_RECORDS: Final = 7500
_SHORT_RECORD, _LONG_RECORD = struct.Struct("<IIIB"), struct.Struct("<QQQB")  # end, properties, their bytes, bytes of the name
_LENGTH: Final = struct.Struct("<I")
_SCALAR_BYTES: Final = {b"Z"[0]: 1, b"Y"[0]: 2, b"B"[0]: 1, b"C"[0]: 1, b"I"[0]: 4, b"F"[0]: 4, b"D"[0]: 8, b"L"[0]: 8}
_TEXT_TYPES: Final = b"RS"
_FLOAT_TYPES: Final = {b"f"[0]: "<f4", b"d"[0]: "<f8", b"F"[0]: "<f4", b"D"[0]: "<f8"}
_FOOTER_START, _FOOTER_END = 20, 140  # bytes before and after the zeros that align the footer
_FOOTER_ALIGNMENT: Final = 16


def record_head(version: int) -> struct.Struct:
    """The fixed part of a record of a version of the format."""
    return _SHORT_RECORD if version < _VERSION_OF_LONG_RECORDS else _LONG_RECORD


def property_end(content: bytes | mmap.mmap, position: int) -> int:
    """The offset of the end of the property at an offset, as far as the property itself says.

    Raises:
        ValueError: its type is unknown. IndexError, struct.error: the content ends before.
    """
    kind = content[position]
    if (scalar := _SCALAR_BYTES.get(kind)) is not None:
        return position + 1 + scalar
    if kind in _TEXT_TYPES:
        return position + 1 + _LENGTH.size + _LENGTH.unpack_from(content, position + 1)[0]
    if kind in VALUE_BYTES:
        return position + 1 + ARRAY.size + ARRAY.unpack_from(content, position + 1)[2]
    raise ValueError(f"the type of the property at byte {position} is unknown")


@dataclass
class Record:
    """A record. properties: with their types, as in the file. is_block: a record of zeros closes what is inside."""

    name: bytes
    properties: list[bytes]
    inside: list["Record"] = field(default_factory=list)
    is_block: bool = False

    def named(self, *path: bytes) -> Iterator["Record"]:
        """The records whose names, from this one inwards, are `path`."""
        for record in self.inside:
            if record.name == path[0]:
                if path[1:]:
                    yield from record.named(*path[1:])
                else:
                    yield record

    def text(self, index: int) -> bytes:
        """A property that is text; empty if it is none."""
        found = self.properties[index] if index < len(self.properties) else b""
        return found[1 + _LENGTH.size :] if found[:1] == b"S" else b""

    def integer(self, index: int) -> int | None:
        """A property that is an integer of 64 bits, as identities are."""
        found = self.properties[index] if index < len(self.properties) else b""
        return int.from_bytes(found[1:], "little", signed=True) if found[:1] == b"L" else None

    def floats(self, index: int) -> FloatArray | None:
        """A property that is a number or an array of them, (N,); None for another."""
        found = self.properties[index]
        dtype = _FLOAT_TYPES.get(found[0])
        if dtype is None:
            return None
        if found[0] not in VALUE_BYTES:
            return np.frombuffer(found[1:], dtype).astype(float)
        _num_values, encoding, _bytes = ARRAY.unpack_from(found, 1)
        packed = found[1 + ARRAY.size :]
        return np.frombuffer(zlib.decompress(packed) if encoding == DEFLATED else packed, dtype).astype(float)

    def set_floats(self, index: int, values: FloatArray) -> None:
        """Replace a property that `floats` returns, by values (N,)."""
        kind = self.properties[index][0]
        content = np.asarray(values).astype(_FLOAT_TYPES[kind]).tobytes()
        if kind in VALUE_BYTES:
            packed = zlib.compress(content, 1)
            content = ARRAY.pack(len(values), DEFLATED, len(packed)) + packed
        self.properties[index] = bytes([kind]) + content


def read_records(content: bytes) -> Record:
    """A nameless record that holds all those of a sound file.

    Raises:
        ValueError, IndexError, struct.error: it is not sound.
    """
    head = record_head(VERSION.unpack_from(content, len(MAGIC))[0])
    return Record(b"", [], list(_read_inside(content, len(MAGIC) + VERSION.size, len(content), head)))


def write_records(content: bytes, root: Record) -> bytes:
    """The content of a file like `content`, with other records."""
    head = record_head(VERSION.unpack_from(content, len(MAGIC))[0])
    parts = [content[: len(MAGIC) + VERSION.size]]
    position = len(parts[0])
    for record in root.inside:
        parts.append(_record_bytes(record, position, head))
        position += len(parts[-1])
    footer = content[_last_end(content, head) + head.size :]
    position += head.size + _FOOTER_START
    padding = bytes(_FOOTER_ALIGNMENT - position % _FOOTER_ALIGNMENT)
    return b"".join([*parts, bytes(head.size), footer[:_FOOTER_START], padding, footer[-_FOOTER_END:]])


def _read_inside(content: bytes, position: int, end: int, head: struct.Struct) -> Iterator[Record]:
    while position + head.size <= end:
        record_end, num_properties, _bytes, name_bytes = head.unpack_from(content, position)
        if record_end == 0:
            return
        start = position + head.size
        record = Record(content[start : start + name_bytes], [])
        at = start + name_bytes
        for _ in range(num_properties):
            next_at = property_end(content, at)
            record.properties.append(content[at:next_at])
            at = next_at
        record.is_block = record_end > at
        record.inside.extend(_read_inside(content, at, record_end, head))
        yield record
        position = record_end


def _record_bytes(record: Record, position: int, head: struct.Struct) -> bytes:
    """A record at an offset of the file, and all inside it."""
    properties = b"".join(record.properties)
    parts = [record.name, properties]
    at = position + head.size + len(record.name) + len(properties)
    for inner in record.inside:
        parts.append(_record_bytes(inner, at, head))
        at += len(parts[-1])
    if record.is_block:
        parts.append(bytes(head.size))
        at += head.size
    return head.pack(at, len(record.properties), len(properties), len(record.name)) + b"".join(parts)


def _last_end(content: bytes, head: struct.Struct) -> int:
    """The offset of the end of the last outermost record."""
    position = len(MAGIC) + VERSION.size
    while end := head.unpack_from(content, position)[0]:
        position = end
    return position
