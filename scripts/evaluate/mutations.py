"""Mutations of files for fuzzing: bytes that change, move, repeat or go missing, numbers in texts, and .npz files of other arrays."""

import io
import re
import zipfile
from collections.abc import Callable, Mapping

import numpy as np

from blender_meshrec.core.array_types import AnyArray

_EXTREME_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF)
_EXTREME_WORDS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\x80\0\0\0", b"\x7f\xff\xff\xff")
_EXTREME_NUMBERS = (b"0", b"-1", b"1e30", b"1e400", b"nan", b"inf", b"99999999999", b"9" * 400, b"1e-9", b"0.5", b"true", b'"a"', b"null")
_REPEATED = (b"[", b"{", b'{"a":', b"\0", b"9", b"\n", b"(")
_DTYPES = ("f2", "f4", "f8", "i1", "i8", "u8", "?", "U3", "S3", "c16", "O")
_CENTRAL_HEADER = b"PK\x01\x02"


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """A file's content with one to four random mutations."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        changed = _MUTATIONS[int(rng.integers(len(_MUTATIONS)))](changed, rng)
    return bytes(changed)


def mutate_npz(arrays: Mapping[str, object], rng: np.random.Generator) -> bytes:
    """An .npz of arrays by name, of which one to three are other arrays or missing, or whose archive is unusual."""
    changed = {name: np.asarray(value) for name, value in arrays.items()}
    for _ in range(int(rng.integers(1, 4))):
        name = str(rng.choice(sorted(changed)))
        changed[name] = _ARRAY_MUTATIONS[int(rng.integers(len(_ARRAY_MUTATIONS)))](changed[name], rng)
        if rng.random() < 0.1 and len(changed) > 1:
            del changed[name]
    stream = io.BytesIO()
    if rng.random() < 0.5:
        np.savez_compressed(stream, allow_pickle=True, **changed)
    else:
        np.savez(stream, allow_pickle=True, **changed)
    packed = stream.getvalue()
    return _change_archive(packed, rng) if rng.random() < 0.3 else packed


def _position(content: bytearray, rng: np.random.Generator) -> int:
    # Half of the mutations hit the first kilobyte, where headers are.
    return int(rng.integers(max(1, min(len(content), 1024) if rng.random() < 0.5 else len(content))))


def _flip_bit(content: bytearray, rng: np.random.Generator) -> bytearray:
    if content:
        content[_position(content, rng) % len(content)] ^= 1 << int(rng.integers(8))
    return content


def _set_byte(content: bytearray, rng: np.random.Generator) -> bytearray:
    if content:
        content[_position(content, rng) % len(content)] = int(rng.choice(_EXTREME_BYTES))
    return content


def _set_word(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _position(content, rng)
    content[start : start + 4] = _EXTREME_WORDS[int(rng.integers(len(_EXTREME_WORDS)))]
    return content


def _cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: _position(content, rng)]


def _remove(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _position(content, rng)
    del content[start : start + int(rng.integers(1, 100))]
    return content


def _repeat(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _position(content, rng)
    content[start:start] = content[start : start + int(rng.integers(1, 200))] * int(rng.integers(1, 20))
    return content


def _insert(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = _position(content, rng)
    content[start:start] = _REPEATED[int(rng.integers(len(_REPEATED)))] * int(rng.choice([1, 10, 20_000]))
    return content


def _replace_number(content: bytearray, rng: np.random.Generator) -> bytearray:
    numbers = list(re.finditer(rb"-?\d[\d.]*", content[:4096]))
    if numbers:
        found = numbers[int(rng.integers(len(numbers)))]
        content[found.start() : found.end()] = _EXTREME_NUMBERS[int(rng.integers(len(_EXTREME_NUMBERS)))]
    return content


_MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    _flip_bit, _set_byte, _set_word, _cut, _remove, _repeat, _insert, _replace_number,
)  # fmt: skip


def _set_values(array: AnyArray, rng: np.random.Generator) -> AnyArray:
    """One value, or all, at an extreme of the array's type."""
    changed = array.copy()
    if not changed.size or changed.dtype.kind not in "fiu":
        return changed
    is_float = changed.dtype.kind == "f"
    extremes: list[float] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -1] if is_float else [0, np.iinfo(changed.dtype).max]
    value = extremes[int(rng.integers(len(extremes)))]
    with np.errstate(over="ignore"):
        changed[... if rng.random() < 0.3 else np.unravel_index(int(rng.integers(changed.size)), changed.shape)] = value
    return changed


def _set_shape(array: AnyArray, rng: np.random.Generator) -> AnyArray:
    shapes = [(0,), (), (1,), (0, *array.shape[1:]), array.shape[::-1], (*array.shape, 1), (1, *array.shape), (array.size,), (2, 2)]
    return np.resize(array, shapes[int(rng.integers(len(shapes)))]) if array.size else np.zeros((2, 3))


def _set_dtype(array: AnyArray, rng: np.random.Generator) -> AnyArray:
    with np.errstate(all="ignore"):
        try:
            return array.astype(str(rng.choice(_DTYPES)))
        except (ValueError, TypeError, OverflowError):  # text that is no number
            return np.zeros(array.shape)


def _change_length(array: AnyArray, rng: np.random.Generator) -> AnyArray:
    return array if array.ndim == 0 else np.resize(array, (int(rng.choice([1, 2, 50, 1000])), *array.shape[1:]))


_ARRAY_MUTATIONS: tuple[Callable[[AnyArray, np.random.Generator], AnyArray], ...] = (_set_values, _set_shape, _set_dtype, _change_length)


def _change_archive(packed: bytes, rng: np.random.Generator) -> bytes:
    """An archive whose first member is marked as encrypted, packed by another method, or as of another size."""
    start = packed.find(_CENTRAL_HEADER)
    if start < 0:
        return packed
    changed = bytearray(packed)
    match int(rng.integers(4)):
        case 0:
            changed[start + 8] |= 1
        case 1:
            changed[start + 10] = int(rng.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99]))
        case 2:
            changed[start + 24 : start + 28] = _EXTREME_WORDS[int(rng.integers(len(_EXTREME_WORDS)))]
        case _:
            changed[start + 42 : start + 46] = _EXTREME_WORDS[int(rng.integers(len(_EXTREME_WORDS)))]
    return bytes(changed)
