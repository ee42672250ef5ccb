"""The journal of a batch: one line of JSON an event, on the disk before the next task begins; it also keeps two runs off one folder.

| event | fields besides `time` |
|---|---|
| run | version, tasks, to_run, engine, workers, command |
| begin | key, clip, worker |
| retry | key, clip, reason |
| end | key, clip, status (done, failed), fingerprint, exit_code, problem, remedy, outputs (path, bytes, digest), seconds, report, ... |
| stop | reason |
"""

import contextlib
import errno
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ...core.errors import MeshRecError, OutputError
from ...core.files.input_file import parse_json

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "journal.jsonl"
_LOCKED_BYTE = 1 << 40  # far beyond the end: Windows would otherwise keep others from reading
_LOCKED_ERRORS = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class Journal:
    """The open journal of a folder; nobody else can open it until it is closed, or this process ends.

    ended: the last "end" event of each task, by key. interrupted: keys of tasks that began and never ended. has_lock: False on a disk
    without locks.

    Raises:
        OutputError: another run has it open, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise journal_error(self.path, error) from error
        try:
            self.has_lock = _lock(self._descriptor, folder)
            self.ended, self.interrupted, self._size = self._read()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)

    def append(self, event: str, **facts: Any) -> None:
        """Append an event; it is on the disk, whole, when this returns, or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        line = json.dumps({"event": event, "time": round(time.time(), 3), **facts}, allow_nan=False) + "\n"
        content = memoryview(line.encode("ascii"))
        try:
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            written = 0
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
            os.fsync(self._descriptor)
            self._size += len(content)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            if isinstance(error, OSError):
                raise journal_error(self.path, error) from error
            raise
        if event == "end":
            self.ended[facts["key"]] = {"event": event, **facts}

    def _read(self) -> tuple[dict[str, dict[str, Any]], set[str], int]:
        """What the journal says, and the length of its whole lines: a killed run may have left a part of one."""
        with open(self.path, "rb") as file:
            content = file.read()
        size = content.rfind(b"\n") + 1
        ended: dict[str, dict[str, Any]] = {}
        begun: set[str] = set()
        for line in content[:size].splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):  # a line that was damaged since
                event = parse_json(line)
                if event["event"] == "begin":
                    begun.add(event["key"])
                elif event["event"] == "end" and isinstance(event["outputs"], list):
                    ended[event["key"]] = event
                    begun.discard(event["key"])
        if size < len(content):
            os.ftruncate(self._descriptor, size)
        return ended, begun, size


def read_ended(folder: Path) -> dict[str, dict[str, Any]]:
    """The last "end" event of each task in the journal of a folder, without locking or changing it; {} if there is none."""
    ended: dict[str, dict[str, Any]] = {}
    try:
        content = (folder / NAME).read_bytes()
    except OSError:
        return ended
    for line in content.splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            event = parse_json(line)
            if event["event"] == "end" and isinstance(event["outputs"], list):
                ended[event["key"]] = event
    return ended


def _lock(descriptor: int, folder: Path) -> bool:
    """Lock the journal; False where the disk has no locks. Raises OutputError: somebody else has locked it."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _LOCKED_ERRORS:
            return False
        raise OutputError(
            "batch-folder-in-use",
            "Another batch is writing into {folder}.",
            "Wait until it has ended, or choose another folder.",
            folder=folder,
        ) from error
    return True


def journal_error(path: Path, error: OSError) -> MeshRecError:
    """The error of a journal that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(
            "output-disk-full",
            "The disk is full: {name} was not written.",
            "Free some space, or choose an output folder on another disk.",
            name=path.name,
        )
    return OutputError(
        "output-not-written",
        "{name} could not be written: {reason}.",
        "Choose another output file.",
        name=path,
        reason=error.strerror or error,
    )
