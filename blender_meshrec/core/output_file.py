"""Output that appears whole or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

from .errors import OutputError


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


def _output_error(path, error):
    if error.errno == errno.ENOSPC:
        problem = f"The disk is full: {path.name} was not written."
        return OutputError(problem, "Free some space, or choose an output folder on another disk.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"The folder {path.parent} cannot be written.", "Choose an output folder you may write to.")
    return OutputError(f"{path} could not be written: {error.strerror or error}.", "Choose another output file.")
