"""Read arrays of numbers and text from an .npz without unpickling, and without believing the sizes it claims."""

import zipfile
from pathlib import Path

import numpy as np

from ..errors import ModelError

_MAX_BYTES = 1 << 30


def read_numeric_npz(path, keys):
    """Those of `keys` that the .npz holds, by name.

    Raises:
        ModelError: damaged, or one of these arrays holds Python objects, or is larger than a body's can be.
    """
    path = Path(path)
    remedy = "Download it again from its official site, or choose another file."
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key in keys:
                if f"{key}.npy" in archive.NameToInfo:
                    found[key] = _array(archive, f"{key}.npy")
    except ValueError as error:
        raise ModelError("body-archive-unreadable", "{path} cannot be read: {reason}.", remedy, path=path.name, reason=error) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zipfile.zlib.error) as error:
        raise ModelError("body-archive-damaged", "{name} is damaged.", remedy, name=path.name) from error
    except OSError as error:
        raise ModelError(
            "body-file-not-readable",
            "{path} cannot be read: {reason}.",
            "Check the path and that you may read it.",
            path=path,
            reason=error.strerror or error,
        ) from error
    return found


def _array(archive, member):
    """One array, refused by its header before any memory is taken for it."""
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
