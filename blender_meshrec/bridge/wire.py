"""The wire format: messages as bytes in the pipes between Blender and the backend. Never pickle.

A frame is a header of 20 bytes, a JSON text, and the raw arrays one after another:

| bytes | meaning |
|---|---|
| 4 | `MREC` |
| 2, 2 | version of this format; zero |
| 4, 8 | length of the text; length of all arrays |
| text | {"kind": class, "fields": {...}, "arrays": [[dtype, shape], ...]}; {"$array": 0} is an array, {"$message": {...}} a Message |
| arrays | little-endian, C order, in the order of the list |

Both sides ship together: another version means that two installations were mixed.
"""

import json
import math
import os
import re
import struct
import types
from dataclasses import fields
from typing import Any, Protocol, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np

from ..core.array_types import AnyArray
from ..core.files.motion_npz import recovery_from_arrays
from ..core.messages import Message, message_from_json, message_to_json
from ..core.records import Recovery
from .messages import Failure, Progress, ReconstructRequest, Result

WireMessage: TypeAlias = ReconstructRequest | Progress | Result | Failure

MAGIC, VERSION = b"MREC", 1
HEADER = struct.Struct("<4sHHIQ")
# An hour of one person at 60 frames a second is 0.2 GB. Text takes up to 25 times its size as objects.
MAX_TEXT_BYTES, MAX_ARRAY_BYTES = 1 << 24, 1 << 31
MAX_PROGRESS_BYTES = 1 << 14  # text of a Progress, of which any number may come
MAX_DIMENSIONS = 8
CHUNK_BYTES = 1 << 20
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
# Placeholders of a message's text: a format that asks for a thousand characters, or for attributes, is none of ours.
_PLACEHOLDER = re.compile(r"\{\w+(:[^{}\d]*\d{0,2}(\.\d{1,2})?[^{}\d]?)?\}")
MESSAGE_TYPES: dict[str, type[WireMessage]] = {kind.__name__: kind for kind in (ReconstructRequest, Progress, Result, Failure)}


class WireError(Exception):
    """The bytes from the pipe are not a message of this version."""


class TruncatedMessageError(WireError):
    """The stream ended in the middle of a message: the process that wrote it has ended."""


class MessageTooLargeError(TypeError):
    """A message is larger than the other side accepts."""


class ReadableStream(Protocol):
    """A binary stream that can be read."""

    def read(self, size: int, /) -> bytes | None: ...


class WritableStream(Protocol):
    """A binary stream that can be written."""

    def write(self, content: Any, /) -> Any: ...

    def flush(self) -> None: ...


def write_message(stream: WritableStream, message: WireMessage) -> None:
    """Write one message to a binary stream and flush it.

    Raises:
        TypeError: the message is of an unknown class, too large, or holds something that the wire format does not represent.
    """
    arrays: list[AnyArray] = []
    text = {"kind": type(message).__name__, "fields": _encode_value(_message_fields(message), arrays)}
    text["arrays"] = [[array.dtype.str, array.shape] for array in arrays]
    encoded = json.dumps(text).encode("ascii")
    size = sum(array.nbytes for array in arrays)
    if len(encoded) > MAX_TEXT_BYTES or size > MAX_ARRAY_BYTES:
        raise MessageTooLargeError("The message is too large for the wire.")
    stream.write(HEADER.pack(MAGIC, VERSION, 0, len(encoded), size) + encoded)
    for array in arrays:
        stream.write(array.data.cast("B") if array.size else b"")
    stream.flush()


def read_message(stream: ReadableStream) -> WireMessage | None:
    """Read one message from a binary stream; None where the stream ends between two messages.

    Memory is allocated as bytes arrive, whatever sizes the header claims.

    Raises:
        WireError: the bytes are not a message, or end in the middle of one.
    """
    header = _read_exactly(stream, HEADER.size, allow_end=True)
    if not header:
        return None
    text_size, arrays_size = _check_header(header)
    encoded = _read_exactly(stream, text_size)
    try:
        text = json.loads(encoded.decode("ascii"))
        kind, content = MESSAGE_TYPES[text["kind"]], text["fields"]
        array_headers = [_check_array_header(*entry) for entry in text["arrays"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError("the message's text cannot be understood") from error
    if kind is Progress and (text_size > MAX_PROGRESS_BYTES or arrays_size):
        raise WireError("the message claims to be larger than any is")
    if sum(size for _dtype, _shape, size in array_headers) != arrays_size:
        raise WireError("the message's arrays are not of the size it claims")
    arrays = [_decode_array(_read_exactly(stream, size), dtype, shape) for dtype, shape, size in array_headers]
    try:
        return _build_message(kind, _decode_value(content, arrays))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise WireError(f"the message's fields do not make a {kind.__name__}: {error}") from error


def _check_header(header: bytearray) -> tuple[int, int]:
    """The lengths of the text and of all arrays that a header claims."""
    magic, version, zero, text_size, arrays_size = HEADER.unpack(header)
    if magic != MAGIC or zero:
        raise WireError("this is not a message")
    if version != VERSION:
        raise WireError(f"the message is of version {version}, not {VERSION}: two installations are mixed")
    if text_size > MAX_TEXT_BYTES or arrays_size > MAX_ARRAY_BYTES:
        raise WireError("the message claims to be larger than any is")
    return text_size, arrays_size


def _message_fields(message: WireMessage) -> dict[str, Any]:
    """A message's fields by name; recoveries as dictionaries of arrays."""
    if type(message) not in MESSAGE_TYPES.values():
        raise TypeError(f"{type(message).__name__} is no message.")
    content = {entry.name: getattr(message, entry.name) for entry in fields(message)}
    if isinstance(message, Result):
        content["recoveries"] = [recovery.arrays() for recovery in message.recoveries]
    return content


def _encode_value(value: Any, arrays: list[AnyArray]) -> Any:
    """A value as JSON represents it; its arrays are appended to `arrays`."""
    if isinstance(value, Message):
        return {"$message": message_to_json(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray):
        return _encode_array(value, arrays)
    if isinstance(value, (list, tuple)):
        return [_encode_value(item, arrays) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value) and not value.keys() & {"$array", "$message"}:
        return {key: _encode_value(item, arrays) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} cannot travel.")


def _encode_array(value: AnyArray, arrays: list[AnyArray]) -> dict[str, int]:
    array = np.ascontiguousarray(value, value.dtype.newbyteorder("<")).reshape(value.shape)
    if array.dtype.str not in DTYPES:
        raise TypeError(f"An array of {value.dtype} cannot travel; numbers and booleans can.")
    arrays.append(array)
    return {"$array": len(arrays) - 1}


def _decode_value(value: Any, arrays: list[AnyArray]) -> Any:
    """The inverse of `_encode_value`; tuples become lists."""
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
        _check_templates(value["$message"])
        return message_from_json(value["$message"])
    return {key: _decode_value(item, arrays) for key, item in value.items()}


def _check_templates(content: Any) -> None:
    """Check that the text of a message in JSON, and of the messages among its values, asks for nothing but its values.

    Raises:
        ValueError, TypeError, KeyError: it does not.
    """
    if isinstance(content, str):
        return
    if re.search("[{}]", _PLACEHOLDER.sub("", re.sub(r"\{\{|\}\}", "", content["text"]))):
        raise ValueError("a text with an unknown placeholder")
    for value in content["values"].values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                _check_templates(item)


def _check_array_header(dtype: Any, shape: Any) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """dtype, shape and number of bytes of an entry in the list of arrays."""
    if dtype not in DTYPES or not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError("an array of an unknown kind")
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("an array of an impossible shape")
    itemsize = np.dtype(dtype).itemsize
    # An array of no bytes may have long axes besides the empty one, but none that numpy cannot count.
    if math.prod(length or 1 for length in shape) * itemsize > MAX_ARRAY_BYTES:
        raise ValueError("an array of an impossible shape")
    return np.dtype(dtype), tuple(shape), math.prod(shape) * itemsize


def _decode_array(raw: bytearray, dtype: np.dtype[Any], shape: tuple[int, ...]) -> AnyArray:
    if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
        raise WireError("an array of booleans holds other bytes")
    return np.frombuffer(raw, dtype).reshape(shape)


def _read_exactly(stream: ReadableStream, size: int, allow_end: bool = False) -> bytearray:
    """Exactly `size` bytes; with `allow_end`, none where the stream is at its end."""
    received = bytearray()
    while len(received) < size:
        chunk = stream.read(min(CHUNK_BYTES, size - len(received)))
        if not chunk:
            if allow_end and not received:
                break
            raise TruncatedMessageError("the stream ended in the middle of a message")
        received += chunk
    return received


def _build_message(kind: type[WireMessage], content: dict[str, Any]) -> WireMessage:
    """The message of a class, its fields checked against the types that the class declares."""
    if kind is Result:
        content["recoveries"] = [_build_recovery(arrays) for arrays in content["recoveries"]]
    hints = get_type_hints(kind)
    message = kind(**{name: _check_field(name, value, hints[name]) for name, value in content.items()})
    if isinstance(message, Result):
        _check_result(message)
    return message


def _check_result(result: Result) -> None:
    """Check what a Result's tuples hold. Raises TypeError."""
    if not all(type(number) is int for number in result.people):
        raise TypeError("people are not numbers")
    if not all(portrait is None or _is_picture(portrait) for portrait in result.portraits):
        raise TypeError("a portrait is no picture")
    if not all(texture is None or _is_file(texture) for texture in result.textures):
        raise TypeError("a texture is no file")
    _check_thumbnails(result)


def _check_thumbnails(result: Result) -> None:
    """Check that thumbnails are pictures and have places. Raises TypeError."""
    images, places = result.thumbnails, result.thumbnail_places
    if (images is None) != (places is None):
        raise TypeError("thumbnails without places")
    if images is not None and places is not None:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or images.shape[1] != images.shape[2]:
            raise TypeError("thumbnails are no pictures")
        if places.shape != (len(images), 2) or places.dtype.kind != "i":
            raise TypeError("places are none of thumbnails")


def _is_file(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 1


def _is_picture(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3


def _check_field(name: str, value: Any, hint: Any) -> Any:
    """A field's value, a list as a tuple where the field is one; items are not checked."""
    alternatives = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    allowed = tuple(get_origin(alternative) or alternative for alternative in alternatives)
    if isinstance(value, list) and tuple in allowed:
        return tuple(value)
    # An int is accepted for a float; a bool is accepted for neither.
    if type(value) not in allowed and not (type(value) is int and float in allowed):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value


def _build_recovery(arrays: dict[str, Any]) -> Recovery:
    unknown = arrays.keys() - {entry.name for entry in fields(Recovery)}
    if unknown:
        raise ValueError(f"a recovery has no {', '.join(sorted(unknown))}")
    return recovery_from_arrays(arrays)
