"""Messages as bytes: what travels through the pipes between Blender and the backend. Never pickle.

A frame is a head of 20 bytes, a JSON text, and the raw arrays one after another:

| bytes | meaning |
|---|---|
| 4 | `MREC` |
| 2, 2 | version of this format; zero |
| 4, 8 | length of the text; length of all arrays |
| text | {"kind": name of a message, "fields": {...}, "arrays": [[dtype, shape], ...]}; {"$array": 0} stands for an array, {"$message": {...}} for a Message |
| arrays | little-endian, rows first, in the order of the list |

Both sides ship together, so a version that differs means two installations were mixed.
"""

import json
import math
import os
import struct
import types
from dataclasses import fields
from typing import get_args, get_type_hints

import numpy as np

from ..core.files.motion_npz import recovery_from_arrays
from ..core.messages import Message, message_from_json, message_to_json
from ..core.records import Recovery
from .messages import Failure, Progress, ReconstructRequest, Result

MAGIC, VERSION = b"MREC", 1
HEADER = struct.Struct("<4sHHIQ")
# An hour at 60 frames a second is 0.2 GB a person.
MAX_TEXT_BYTES, MAX_ARRAY_BYTES = 1 << 26, 1 << 33
MAX_DIMENSIONS = 8
CHUNK_BYTES = 1 << 20
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
MESSAGE_TYPES = {kind.__name__: kind for kind in (ReconstructRequest, Progress, Result, Failure)}


class WireError(Exception):
    """What came through the pipe is not a message of this version."""


class TruncatedMessageError(WireError):
    """The stream ended in the middle of a message: whoever wrote it is gone."""


def write_message(stream, message):
    """Write one message to a binary stream and flush it. Raises TypeError for what cannot travel."""
    arrays = []
    text = {"kind": type(message).__name__, "fields": _encode_value(_message_fields(message), arrays)}
    text["arrays"] = [[array.dtype.str, array.shape] for array in arrays]
    encoded = json.dumps(text).encode("ascii")
    size = sum(array.nbytes for array in arrays)
    if len(encoded) > MAX_TEXT_BYTES or size > MAX_ARRAY_BYTES:
        raise TypeError("The message is too large for the wire.")
    stream.write(HEADER.pack(MAGIC, VERSION, 0, len(encoded), size) + encoded)
    for array in arrays:
        stream.write(memoryview(array).cast("B") if array.size else b"")
    stream.flush()


def read_message(stream):
    """Read one message from a binary stream; None where the stream ends between two messages.

    Memory is taken as the bytes arrive, whatever sizes are claimed.

    Raises:
        WireError: these are not the bytes of a message, or they end in the middle of one.
    """
    head = _read_exactly(stream, HEADER.size, allow_end=True)
    if not head:
        return None
    magic, version, zero, text_size, arrays_size = HEADER.unpack(head)
    if magic != MAGIC or zero:
        raise WireError("this is not a message")
    if version != VERSION:
        raise WireError(f"the message is of version {version}, not {VERSION}: two installations are mixed")
    if text_size > MAX_TEXT_BYTES or arrays_size > MAX_ARRAY_BYTES:
        raise WireError("the message claims to be larger than any is")
    encoded = _read_exactly(stream, text_size)
    try:
        text = json.loads(encoded.decode("ascii"))
        kind, content, listed = MESSAGE_TYPES[text["kind"]], text["fields"], text["arrays"]
        shapes = [_check_array_header(*entry) for entry in listed]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError("the message's text cannot be understood") from error
    if sum(size for _dtype, _shape, size in shapes) != arrays_size:
        raise WireError("the message's arrays are not of the size it claims")
    arrays = [_decode_array(_read_exactly(stream, size), dtype, shape) for dtype, shape, size in shapes]
    try:
        return _build_message(kind, _decode_value(content, arrays))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise WireError(f"the message's fields do not make a {kind.__name__}: {error}") from error


def _message_fields(message):
    """A message's fields by name, its recoveries too as named arrays."""
    if type(message) not in MESSAGE_TYPES.values():
        raise TypeError(f"{type(message).__name__} is no message.")
    content = {field.name: getattr(message, field.name) for field in fields(message)}
    if isinstance(message, Result):
        content["recoveries"] = [recovery.arrays() for recovery in message.recoveries]
    return content


def _encode_value(value, arrays):
    """What JSON can say of a value; its arrays go to the list `arrays`."""
    if isinstance(value, Message):
        return {"$message": message_to_json(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
        if array.dtype.str not in DTYPES:
            raise TypeError(f"An array of {value.dtype} cannot travel; numbers and booleans can.")
        arrays.append(array)
        return {"$array": len(arrays) - 1}
    if isinstance(value, list | tuple):
        return [_encode_value(item, arrays) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value) and not value.keys() & {"$array", "$message"}:
        return {key: _encode_value(item, arrays) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} cannot travel.")


def _decode_value(value, arrays):
    if isinstance(value, list):
        return [_decode_value(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        index = value["$array"]
        if type(index) is not int or index < 0:
            raise ValueError("no such array")
        return arrays[index]
    if "$message" in value:
        return message_from_json(value["$message"])
    return {key: _decode_value(item, arrays) for key, item in value.items()}


def _check_array_header(dtype, shape):
    """dtype, shape and the bytes they need, of an entry in the list of arrays."""
    if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("an array of an unknown kind")
    if not all(type(length) is int and 0 <= length <= MAX_ARRAY_BYTES for length in shape):
        raise ValueError("an array of an impossible shape")
    return np.dtype(dtype), tuple(shape), math.prod(shape) * np.dtype(dtype).itemsize


def _decode_array(raw, dtype, shape):
    if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise WireError("an array of booleans holds other bytes")
    return np.frombuffer(raw, dtype).reshape(shape)


def _read_exactly(stream, size, allow_end=False):
    """Exactly `size` bytes; with `allow_end`, none where the stream is at its end."""
    read = bytearray()
    while len(read) < size:
        piece = stream.read(min(CHUNK_BYTES, size - len(read)))
        if not piece:
            if allow_end and not read:
                break
            raise TruncatedMessageError("the stream ended in the middle of a message")
        read += piece
    return read


def _build_message(kind, content):
    """The message of a kind, its fields checked against the types it declares."""
    if kind is Result:
        content["recoveries"] = [_build_recovery(named) for named in content["recoveries"]]
    hints = get_type_hints(kind)
    values = {}
    for name, value in content.items():
        allowed = get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        if isinstance(value, list) and tuple in allowed:
            value = tuple(value)
        # An int passes for a float, and a bool for neither.
        if type(value) not in allowed and not (type(value) is int and float in allowed):
            raise TypeError(f"{name} is a {type(value).__name__}")
        values[name] = value
    return kind(**values)


def _build_recovery(named):
    unknown = named.keys() - {field.name for field in fields(Recovery)}
    if unknown:
        raise ValueError(f"a recovery has no {', '.join(sorted(unknown))}")
    return recovery_from_arrays(named)
