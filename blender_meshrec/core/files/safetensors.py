"""Files of tensors that are numbers alone: 8 bytes, a table in JSON, and the numbers. Source: the format of the safetensors library.

Written here where torch and that library are not at hand, tensor by tensor, so that a network of any size needs the memory of one tensor.
"""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ..array_types import AnyArray, FloatArray
from ..errors import ModelError
from .input_file import parse_json, refuse_special_file
from .pickle_stubs import DamagedError

_MAX_HEADER_BYTES = 1 << 24
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


class TensorEntry(NamedTuple):
    """A tensor of a file: its type by the format's name, its shape, and the places (first, end) of its bytes after the table."""

    kind: str
    shape: tuple[int, ...]
    places: tuple[int, int]


class TensorTable(NamedTuple):
    """The table of a file: its tensors by name, the notes that its writer left, and where the numbers begin, in bytes."""

    tensors: Mapping[str, TensorEntry]
    notes: Mapping[str, str]
    start: int


def read_tensor_table(path: str | Path) -> TensorTable:
    """The table of a file. Raises OSError; ValueError: it is not such a file, or is not whole; ModelError: it is no file on disk."""
    refuse_special_file(path, ModelError)
    size = Path(path).stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(_MAX_HEADER_BYTES, size - 8):
            raise ValueError("no table")
        table = parse_json(file.read(length))
    if not isinstance(table, dict):
        raise ValueError("no table")
    notes = table.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise ValueError("no table")
    return TensorTable({name: _entry(entry, size - 8 - length) for name, entry in table.items()}, notes, 8 + length)


def _entry(entry: object, end: int) -> TensorEntry:
    values = entry if isinstance(entry, dict) else {}
    kind, shape, places = (values.get(key) for key in ("dtype", "shape", "data_offsets"))
    numbers = [*shape, *places] if isinstance(shape, list) and isinstance(places, list) and len(places) == 2 else [-1]
    if isinstance(kind, str) and kind in _DTYPES and all(type(number) is int and number >= 0 for number in numbers):
        lengths, first, last = tuple(numbers[:-2]), numbers[-2], numbers[-1]
        size = int(np.prod(lengths, dtype=object)) * np.dtype(_DTYPES[kind]).itemsize
        if first <= last <= end and last - first == size:
            return TensorEntry(kind, lengths, (first, last))
    raise ValueError("a tensor is not of the size it claims")


def read_tensor(file: BinaryIO, table: TensorTable, name: str) -> AnyArray:
    """A tensor of an open file; bfloat16 as single precision. Raises DamagedError: the file ends before."""
    kind, shape, (first, last) = table.tensors[name]
    file.seek(table.start + first)
    content = file.read(last - first)
    if len(content) != last - first:
        raise DamagedError("it breaks off")
    values = np.frombuffer(content, _DTYPES[kind]).reshape(shape)
    return (values.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else values


def write_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]], read: Callable[[str], FloatArray], notes: Mapping[str, str]) -> None:
    """Write tensors in single precision. shapes: by name; read: gives one of them, of its shape. Raises OSError."""
    table: dict[str, object] = {"__metadata__": dict(notes)}
    place = 0
    for name, shape in shapes.items():
        end = place + 4 * int(np.prod(shape, dtype=np.int64))
        table[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [place, end]}
        place = end
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name in shapes:
            file.write(np.ascontiguousarray(read(name), "<f4").tobytes())
