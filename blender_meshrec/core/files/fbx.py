"""A check of every length that the records of a binary FBX state, before an importer makes room for what they announce."""

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import InputError
from .fbx_records import ARRAY, DEFLATED, MAGIC, VALUE_BYTES, VERSION, property_end, record_head
from .input_file import refuse_special_file

_CHUNK_BYTES: Final = 1 << 20
MAX_RECORDS: Final = 2_000_000  # an importer takes about half a kilobyte for each
MAX_DEPTH: Final = 64
MAX_ARRAY_BYTES: Final = 1 << 30  # of all arrays together, unpacked


def check_fbx(path: Path) -> None:
    """Check the lengths of a binary FBX; files of other content pass, and are left to the importer.

    Raises:
        InputError: the file is a pipe or a device; or a record or an array is longer than what holds it, or an array is not of the length
            it states; or the file is beyond a limit.
    """
    refuse_special_file(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if file.read(len(MAGIC)) != MAGIC:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                _FbxCheck(content, size).check()
    except (OSError, ValueError, IndexError, struct.error, zlib.error) as error:
        raise InputError(
            "fbx-unreadable",
            "{name} cannot be read as FBX ({reason}).",
            "Export it again, or give another file.",
            name=path.name,
            reason=error,
        ) from error


@dataclass
class _FbxCheck:
    """Walks through the records of a file of `size` bytes; counts them, and the bytes of their arrays."""

    content: mmap.mmap
    size: int
    num_records: int = 0
    array_bytes: int = 0

    def check(self) -> None:
        """Raises ValueError."""
        start = len(MAGIC)
        (version,) = VERSION.unpack_from(self.content, start)
        record = record_head(version)
        position, ends = start + VERSION.size, [self.size]  # ends: of the records that are open, outermost first
        while ends:
            if position + record.size > ends[-1]:
                # The record of zeros may be missing where nothing is inside.
                position = ends.pop()
                continue
            end, num_properties, property_bytes, name_bytes = record.unpack_from(self.content, position)
            if end == 0:
                position = ends.pop()
                continue
            self._count_record(len(ends))
            properties = position + record.size + name_bytes
            if not properties + property_bytes <= end <= ends[-1]:
                raise ValueError(f"the record at byte {position} is longer than what holds it")
            position = self._check_properties(properties, num_properties, properties + property_bytes)
            ends.append(end)

    def _count_record(self, depth: int) -> None:
        self.num_records += 1
        if self.num_records > MAX_RECORDS:
            raise ValueError(f"it has more than {MAX_RECORDS} records, the limit")
        if depth > MAX_DEPTH:
            raise ValueError(f"its records are nested more than {MAX_DEPTH} deep, the limit")

    def _check_properties(self, position: int, count: int, end: int) -> int:
        """Check the `count` properties between two offsets; returns where they end."""
        if count > end - position:
            raise ValueError(f"the record at byte {position} has more properties than bytes")
        for _ in range(count):
            next_position = property_end(self.content, position)
            if next_position > end:
                raise ValueError(f"a property at byte {position} is longer than its record")
            if value_bytes := VALUE_BYTES.get(self.content[position]):
                self._check_array(position + 1, value_bytes)
            position = next_position
        return position

    def _check_array(self, position: int, value_bytes: int) -> None:
        num_values, encoding, packed_bytes = ARRAY.unpack_from(self.content, position)
        start = position + ARRAY.size
        array_bytes = num_values * value_bytes
        self.array_bytes += array_bytes
        if self.array_bytes > MAX_ARRAY_BYTES:
            raise ValueError(f"its arrays have more than {MAX_ARRAY_BYTES >> 20} MB, the limit")
        packed = memoryview(self.content)[start : start + packed_bytes]
        try:
            if array_bytes != (_unpacked_bytes(packed, array_bytes) if encoding == DEFLATED else packed_bytes):
                raise ValueError(f"the array at byte {position} is not as long as it states")
        finally:
            packed.release()


def _unpacked_bytes(packed: bytes | memoryview, limit: int) -> int:
    """The bytes that packed data unpacks to, or a larger number than `limit`; no more than a chunk is unpacked at a time."""
    if not packed:
        return 0
    unpacker, total = zlib.decompressobj(), 0
    while not unpacker.eof and total <= limit:
        chunk = unpacker.decompress(packed, _CHUNK_BYTES)
        total += len(chunk)
        packed = unpacker.unconsumed_tail
        if not chunk and not packed and not unpacker.eof:
            raise ValueError("an array is cut off")
    return total
