"""Output that appears whole or not at all."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

from ..errors import OutputError


@contextlib.contextmanager
def whole_file(path):
    """Give a temporary path beside `path`, with the same suffix; move it into place when the block ends well.

    Raises:
        OutputError: the folder cannot be written, or the disk is full. Nothing is left behind.
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


def check_writable(path):
    """Find out now, before hours of work, whether a file could be written at `path`; leaves nothing behind.

    Raises:
        OutputError: a folder is in the way, the folder cannot be made or written, or the disk is full.
    """
    path = Path(path)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        is_folder = False
    except OSError as error:  # the name is too long, the folder is shut
        raise _output_error(path, error) from error
    if is_folder:
        raise OutputError(f"{path} is a folder.", "Give the output a file name.")
    folder = next(parent for parent in path.absolute().parents if parent.exists() or parent.is_symlink())
    try:
        with tempfile.TemporaryFile(prefix=".meshrec-", dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path, error):
    if error.errno == errno.ENOSPC:
        problem = f"The disk is full: {path.name} was not written."
        return OutputError(problem, "Free some space, or choose an output folder on another disk.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"The folder {path.parent} cannot be written.", "Choose an output folder you may write to.")
    if error.errno == errno.ENOTDIR:
        return OutputError(f"{path.parent} is not a folder.", "Choose another output folder.")
    return OutputError(f"{path} could not be written: {error.strerror or error}.", "Choose another output file.")
