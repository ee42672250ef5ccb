"""Safe reading of numeric and text arrays from an .npz: nothing is unpickled, and claimed sizes are checked before memory is taken.

All readers of .npz files use `read_arrays`, whatever the files are.
"""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..array_types import AnyArray
from ..errors import InputError, MeshRecError, ModelError
from ..messages import Message
from .input_file import refuse_special_file
from .read_errors import file_not_readable

MAX_BYTES = 1 << 30  # of all arrays that are read from a file
MAX_VALUES = 1 << 27  # numbers in them: an hour of one person at 60 frames a second is 6e7
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes
_ENCRYPTED = 0x1  # a bit of a member's flags
# What zipfile and numpy raise at damaged files, besides ValueError and OSError.
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    SyntaxError,
    MemoryError,
    zlib.error,
    struct.error,
    tokenize.TokenError,
)


class ArchiveError(ValueError):
    """A file is no .npz, or is damaged; the text completes "it cannot be read: ...", and is empty where there is no more to say."""


def read_arrays(
    path: str | Path, keys: Iterable[str], error_class: type[MeshRecError] = InputError, max_values: int = MAX_VALUES
) -> dict[str, AnyArray]:
    """The arrays among `keys` that the .npz holds, by name: of numbers, booleans or text.

    Args:
        max_values: the limit of all arrays together; that of their bytes is MAX_BYTES.

    Raises:
        ArchiveError: the file is damaged, or one of these arrays holds Python objects. OSError: it cannot be opened.
        MeshRecError: of `error_class`: the arrays are too large, or the path is that of a pipe or a device.
    """
    refuse_special_file(path, error_class)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(key, archive.getinfo(f"{key}.npy")) for key in keys if f"{key}.npy" in archive.NameToInfo]
            num_values = sum(_count_values(archive, member) for _key, member in members)
            if num_values > max_values or sum(member.file_size for _key, member in members) > MAX_BYTES:
                raise _too_large_error(path, error_class, max_values)
            return {key: _read_array(archive, member) for key, member in members}
    except ArchiveError:
        raise
    except ValueError as error:
        raise ArchiveError(str(error)) from error
    except _DAMAGED as error:
        raise ArchiveError from error


def archive_keys(path: str | Path) -> set[str]:
    """The names of the arrays of an .npz; empty where the file is none or cannot be read."""
    try:
        refuse_special_file(path)
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (InputError, OSError, ValueError, *_DAMAGED):
        return set()


def read_numeric_npz(path: str | Path, keys: Iterable[str]) -> dict[str, AnyArray]:
    """The arrays among `keys` that a body's .npz holds, by name.

    Raises:
        ModelError: the file is damaged, or one of these arrays holds Python objects or is larger than a body's can be.
    """
    path = Path(path)
    remedy = "Download it again from its official site, or choose another file."
    try:
        return read_arrays(path, keys, ModelError)
    except ArchiveError as error:
        if reason := str(error):
            raise ModelError(
                "body-archive-unreadable", "{path} cannot be read: {reason}.", remedy, path=path.name, reason=reason
            ) from error
        raise ModelError("body-archive-damaged", "{name} is damaged.", remedy, name=path.name) from error
    except OSError as error:
        raise file_not_readable(path, error) from error


def _count_values(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """The number of values of an array by its header, which is checked against the member's size.

    Raises:
        ArchiveError: it holds objects, is not of the size that it claims, or is packed as numpy does not pack.
    """
    name = member.filename.removesuffix(".npy")
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"{name} is encrypted")
    if member.compress_type not in _METHODS:
        raise ArchiveError(f"{name} is compressed by an unknown method")
    with archive.open(member) as file:
        shape, dtype = read_array_header(file)
        if dtype.hasobject or dtype.kind not in "biufUS":
            raise ArchiveError(f"{name} holds objects instead of numbers")
        num_values = int(np.prod(shape, dtype=object))
        if min(shape, default=0) < 0 or member.file_size - file.tell() != num_values * dtype.itemsize:
            raise ArchiveError(f"{name} is not of the size it claims")
        return num_values


def read_array_header(file: IO[bytes]) -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    """The shape and the dtype of an .npy file, by its header; the file is then at the values. Raises ValueError: it is damaged."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> AnyArray:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _too_large_error(path: str | Path, error_class: type[MeshRecError], max_values: int) -> MeshRecError:
    problem = Message(
        "archive-too-large.problem",
        "{name} holds more numbers than are read: the limit is {limit:.0f} million, and {megabytes:.0f} MB.",
        name=Path(path).name,
        limit=max_values / 1e6,
        megabytes=MAX_BYTES / 2**20,
    )
    remedy = Message("archive-too-large.remedy", "Split the file into shorter ranges, or choose another file.")
    return error_class("archive-too-large", problem, remedy)
