"""Atomic writing of output files: they appear whole or not at all."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

from ..errors import OutputError


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Generator[Path, None, None]:
    """Yield a temporary path beside `path`, with the same suffix; move the file to `path` when the block succeeds.

    Raises:
        OutputError: the folder cannot be written, or the disk is full. No file remains.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".meshrec-", dir=path.parent))
    except OSError as error:
        raise _output_error(path, error) from error
    try:
        temporary = folder / path.name
        try:
            yield temporary
            os.replace(temporary, path)
        except OSError as error:
            raise _output_error(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: str | Path) -> None:
    """Check, before a long computation, whether a file can be written at `path`; no file remains.

    Raises:
        OutputError: `path` is a folder, its folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = False
    except OSError as error:  # the name is too long, or the folder may not be searched
        raise _output_error(path, error) from error
    if is_folder:
        raise OutputError("output-is-folder", "{path} is a folder.", "Give the output a file name.", path=path)
    folder = next(parent for parent in path.absolute().parents if parent.exists() or parent.is_symlink())
    try:
        with tempfile.TemporaryFile(prefix=".meshrec-", dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENOSPC:
        return OutputError(
            "output-disk-full",
            "The disk is full: {name} was not written.",
            "Free some space, or choose an output folder on another disk.",
            name=path.name,
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            "output-folder-not-writable",
            "The folder {path} cannot be written.",
            "Choose an output folder you may write to.",
            path=path.parent,
        )
    if error.errno == errno.ENOTDIR:
        return OutputError("output-parent-not-folder", "{path} is not a folder.", "Choose another output folder.", path=path.parent)
    return OutputError(
        "output-not-written",
        "{name} could not be written: {reason}.",
        "Choose another output file.",
        name=path,
        reason=error.strerror or error,
    )
