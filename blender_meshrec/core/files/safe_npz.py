"""Safe reading of numeric and text arrays from an .npz: nothing is unpickled, and claimed sizes are checked."""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..array_types import AnyArray
from ..errors import ModelError
from .read_errors import file_not_readable

_MAX_BYTES = 1 << 30


def read_numeric_npz(path: str | Path, keys: Iterable[str]) -> dict[str, AnyArray]:
    """The arrays among `keys` that the .npz holds, by name.

    Raises:
        ModelError: the file is damaged, or one of these arrays holds Python objects or is larger than a body's can be.
    """
    path = Path(path)
    remedy = "Download it again from its official site, or choose another file."
    arrays: dict[str, AnyArray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key in keys:
                if f"{key}.npy" in archive.NameToInfo:
                    arrays[key] = _read_array(archive, f"{key}.npy")
    except ValueError as error:
        raise ModelError("body-archive-unreadable", "{path} cannot be read: {reason}.", remedy, path=path.name, reason=error) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise ModelError("body-archive-damaged", "{name} is damaged.", remedy, name=path.name) from error
    except OSError as error:
        raise file_not_readable(path, error) from error
    return arrays


def _read_array(archive: zipfile.ZipFile, member: str) -> AnyArray:
    """One array; its header is checked before memory is allocated."""
    size = archive.getinfo(member).file_size
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        if dtype.hasobject or dtype.kind not in "biufUS":
            raise ValueError(f"{member.removesuffix('.npy')} holds objects instead of numbers")
        if min(shape, default=0) < 0 or size > _MAX_BYTES or size - file.tell() != int(np.prod(shape, dtype=object)) * dtype.itemsize:
            raise ValueError(f"{member.removesuffix('.npy')} is not of the size it claims")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
