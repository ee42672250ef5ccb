"""Atomic writing of output files: they appear whole or not at all, and only files are replaced."""

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from ..errors import OutputError
from .file_names import check_file_name
from .temporary_folder import TemporaryFolder, is_temporary_folder_full, temporary_folder_error

_REPLACE_SECONDS = 2.0  # s; virus scanners and indexers of Windows hold new files that long


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Generator[Path, None, None]:
    """Yield a temporary path beside `path`, with the same suffix; move the file to `path` when the block succeeds.

    The file is on the disk, and not only in the system's memory, before it is moved. If `path` is a link, the file it points to is
    written and the link stays.

    Raises:
        OutputError: `path` is a device or a pipe, the folder cannot be written, the disk is full, or, on Windows, another program has
            the file open or it cannot have this name. No file remains.
    """
    path = Path(path)
    check_file_name(path)
    try:
        target = _resolve_target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = TemporaryFolder(target.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    with folder:
        temporary = folder.path / path.name
        try:
            yield temporary
            _flush_to_disk(temporary)
            _resolve_target(path)  # something else may have taken its place meanwhile
            _replace_file(temporary, target)
            _flush_folder(target.parent)
        except OSError as error:
            raise _output_error(path, error) from error


def _replace_file(source: Path, target: Path) -> None:
    """Move a file to `target`, which it replaces; Windows refuses that while another program has one of them open: try for a while."""
    deadline = time.monotonic() + (_REPLACE_SECONDS if sys.platform == "win32" else 0.0)
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(0.05)


def _check_replaceable(target: Path) -> None:
    """Raise OSError for a file that Windows will not let be replaced: it is write-protected, or another program has it open."""
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target), None, str(target))
    _replace_file(target, target)  # changes nothing


def _resolve_target(path: Path) -> Path:
    """The file to write for an output `path`: `path` itself, or where it is a link, the file it points to.

    Raises:
        OutputError: it is a folder or no file at all. OSError: it cannot be looked at, or its links form a loop.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        mode = target.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target
    if stat.S_ISDIR(mode):
        raise OutputError("output-is-folder", "{path} is a folder.", "Give the output a file name.", path=path)
    if not stat.S_ISREG(mode):
        raise OutputError("output-not-file", "{path} is a device or a pipe, not a file.", "Give the output another name.", path=path)
    return target


def _flush_to_disk(file: Path) -> None:
    # Windows flushes only files that are open for writing.
    descriptor = os.open(file, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this kind of disk cannot be told to
            raise
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Flush the names of a folder's files, so that the move itself survives a power failure; the file is whole in any case."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: str | Path) -> None:
    """Check, before a long computation, whether a file can be written at `path`; no file remains.

    Raises:
        OutputError: `path` is a folder, a device or a pipe, its folder cannot be made or written, the disk is full, or, on Windows,
            another program has the file open or it cannot have this name.
    """
    path = Path(path)
    check_file_name(path)
    try:
        target = _resolve_target(path)
        if sys.platform == "win32" and target.exists():
            _check_replaceable(target)
    except OSError as error:  # the name is too long, or the folder may not be searched
        raise _output_error(path, error) from error
    folder = next(parent for parent in target.absolute().parents if os.path.lexists(parent))
    try:
        with tempfile.TemporaryFile(prefix=".meshrec-", dir=folder) as file:
            file.write(bytes(4096))
    except OSError as error:
        raise _output_error(path, error) from error


def _output_error(path: Path, error: OSError) -> OutputError:
    if is_temporary_folder_full(path, error):
        return temporary_folder_error(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            "output-disk-full",
            "The disk is full: {name} was not written.",
            "Free some space, or choose an output folder on another disk.",
            name=path.name,
        )
    if isinstance(error, PermissionError) and error.filename2 is not None:  # of os.replace
        if path.exists() and not os.access(path, os.W_OK):
            return OutputError(
                "output-write-protected", "{path} is write-protected.", "Remove its protection, or choose another name.", path=path
            )
        if sys.platform == "win32":
            remedy = "Close it there, or choose another name."
            return OutputError("output-in-use", "Another program has {path} open.", remedy, path=path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            "output-folder-not-writable",
            "The folder {path} cannot be written.",
            "Choose an output folder you may write to.",
            path=path.parent,
        )
    parent = next((parent for parent in path.absolute().parents if os.path.lexists(parent)), path.parent)
    if error.errno == errno.ENOTDIR or os.path.isfile(parent):  # Windows says that there is no such file
        return OutputError("output-parent-not-folder", "{path} is not a folder.", "Choose another output folder.", path=path.parent)
    return OutputError(
        "output-not-written",
        "{name} could not be written: {reason}.",
        "Choose another output file.",
        name=path,
        reason=error.strerror or error,
    )
