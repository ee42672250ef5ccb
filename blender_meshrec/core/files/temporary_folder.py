"""Temporary folders that a killed process may leave behind, and that the next run then removes.

A folder holds a marker file that its process keeps locked. The system drops the lock when the process ends, however it ends: a marker
that can be locked is of a folder that nobody uses any more.
"""

import contextlib
import errno
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import OutputError

if sys.platform != "win32":
    import fcntl

OUTPUT_PREFIX = ".meshrec-"  # beside outputs
SCRATCH_PREFIX = "meshrec-"  # in the system's folder for temporary files
_MARKER = ".in-use"
_UNMARKED_LIFETIME = 24 * 3600  # s; of folders beside outputs without a marker: of a disk without locks, or of an earlier version
_LITTLE_SPACE = 64 << 20  # bytes
_FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)


class TemporaryFolder:
    """A new folder inside `parent`, which exists until `remove` is called, or the end of a `with` block.

    Leftovers of ended processes in `parent` are removed first.

    Raises:
        OSError: the folder cannot be made.
    """

    path: Path
    _marker: int | None

    def __init__(self, parent: Path, prefix: str = OUTPUT_PREFIX) -> None:
        _remove_leftovers(parent, prefix)
        self.path = _make_folder(parent, prefix)
        try:
            self._marker = _lock_marker(self.path)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def remove(self) -> None:
        """Delete the folder with its content; does nothing the second time."""
        if self._marker is not None:
            os.close(self._marker)  # before the deletion: Windows and network disks delete no open files
            self._marker = None
        shutil.rmtree(self.path, ignore_errors=True)


def _make_folder(parent: Path, prefix: str) -> Path:
    """A new folder; beside outputs, files that are moved out of it can be read by whom `parent` allows.

    Raises:
        OSError: it cannot be made.
    """
    if sys.platform != "win32" or prefix != OUTPUT_PREFIX:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    # Since Python 3.12.4, mkdtemp of Windows allows nobody else into the folder, and a file keeps the permissions of the folder that it
    # was made in: on a studio's share, only whoever wrote an output could read it.
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(4)}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder


def find_temporary_folder() -> Path:
    """The system's folder for temporary files.

    Raises:
        OutputError: there is none that can be written.
    """
    try:
        return Path(tempfile.gettempdir()).resolve()
    except OSError as error:
        raise temporary_folder_error(error) from error


@contextlib.contextmanager
def scratch_folder() -> Generator[Path, None, None]:
    """Yield a new folder for intermediate files, in the system's folder for temporary files; it is removed at the end.

    Raises:
        OutputError: there is no usable folder for temporary files, or it is full.
    """
    try:
        folder = TemporaryFolder(find_temporary_folder(), SCRATCH_PREFIX)
    except OSError as error:
        raise temporary_folder_error(error) from error
    with folder:
        yield folder.path


def is_temporary_folder_full(path: Path, error: OSError) -> bool:
    """Whether `path` was not written because the folder for temporary files is full, and not the disk of `path`."""
    if error.errno not in _FULL_DISK_ERRORS:
        return False
    try:
        temporary, parent = Path(tempfile.gettempdir()).resolve(), path.absolute().parent.resolve()
        if _is_scratch(parent, temporary):
            return True
        # A copy that fails names its source and its target.
        files = [Path(name).resolve() for name in (error.filename, error.filename2) if isinstance(name, str)]
        if files:
            inside = parent.is_relative_to(temporary)  # an output among the temporary files
            return all(file.is_relative_to(temporary) and not (inside and file.is_relative_to(parent)) for file in files)
        free = shutil.disk_usage(temporary).free
        return temporary.stat().st_dev != parent.stat().st_dev and free < min(_LITTLE_SPACE, shutil.disk_usage(parent).free)
    except OSError:
        return False


def temporary_folder_error(error: OSError) -> OutputError:
    """The error of a folder for temporary files that is missing, may not be written, or is full."""
    if error.errno in _FULL_DISK_ERRORS:
        return OutputError(
            "temporary-folder-full",
            "The folder for temporary files is full ({path}).",
            "Free some space there, or set TMPDIR (TEMP on Windows) to a folder on another disk.",
            path=tempfile.gettempdir(),
        )
    return OutputError(
        "temporary-folder-unusable",
        "There is no usable folder for temporary files: {reason}.",
        "Set TMPDIR (TEMP on Windows) to a folder you may write to.",
        reason=error.strerror or error,
    )


def _is_scratch(folder: Path, temporary: Path) -> bool:
    """Whether a folder is one that `scratch_folder` made, or inside one."""
    if not folder.is_relative_to(temporary):
        return False
    return any((temporary / part / _MARKER).exists() for part in (".", *folder.relative_to(temporary).parts[:1]))


def _lock_marker(folder: Path) -> int | None:
    """Make the folder's marker and lock it; returns its file descriptor, None where the disk has no locks."""
    marker, unlocked = folder / _MARKER, folder / f"{_MARKER}.new"
    if sys.platform == "win32":  # a file that is open cannot be deleted
        return os.open(marker, os.O_CREAT | os.O_RDWR)
    # It gets its name once it is locked, so that no other process finds it unlocked.
    descriptor = os.open(unlocked, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        unlocked.unlink()
        return None
    os.rename(unlocked, marker)
    return descriptor


def _remove_leftovers(parent: Path, prefix: str) -> None:
    """Remove this user's folders of ended processes; what cannot be looked at or removed stays."""
    try:
        with os.scandir(parent) as entries:
            found = [Path(entry.path) for entry in entries if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in found:
        with contextlib.suppress(OSError):
            if _is_leftover(folder, prefix):
                shutil.rmtree(folder, ignore_errors=True)


def _is_leftover(folder: Path, prefix: str) -> bool:
    """Whether a folder whose name begins with `prefix` is of a process that has ended.

    Raises:
        OSError: the process goes on, or it cannot be told.
    """
    state, marker = folder.lstat(), folder / _MARKER
    if sys.platform != "win32" and state.st_uid != os.getuid():
        return False
    if marker.is_symlink() or not marker.is_file():
        return prefix == OUTPUT_PREFIX and time.time() - state.st_mtime > _UNMARKED_LIFETIME
    if sys.platform == "win32":
        marker.unlink()
        return True
    descriptor = os.open(marker, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
    return True
