"""A backend process that stays up over many clips, so that its models are loaded once; it is started anew after a crash."""

import contextlib
import io
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from ..core.errors import CancelledError, ExitCode, MeshRecError
from .backend_location import PathName
from .backend_process import EXIT_TIMEOUT, error_from_failure, explain_exit, start_backend
from .log_tail import LogTail
from .messages import Failure, Progress, ReconstructRequest, Result
from .process_groups import kill_process_group
from .wire import TruncatedMessageError, WireError, WireMessage, read_message, write_message

_TIME_LIMIT_VARIABLE = "MESHREC_BACKEND_SECONDS"
_SILENT_SECONDS = 3600.0  # without any message, after which a backend is taken to hang
_POLL_SECONDS = 0.2
# One thread each: several workers share the cores, and results do not depend on the number of threads. Waiting threads sleep.
SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

_Arrival: TypeAlias = WireMessage | WireError | None  # None: the pipe has ended


class BackendSession:
    """One backend process, started with the first request; `run` is called by one thread, `cancel` by any.

    Args:
        python, launch_script: as of `start_job`. environ: environment variables to add to this process's own; it computes with one
            thread unless they say otherwise.
    """

    def __init__(
        self, python: PathName | None = None, launch_script: PathName | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._python, self._launch_script = python, launch_script
        self._environ = {**os.environ, **SINGLE_THREADED, **(environ or {})}
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._is_cancelled = False
        self.num_starts = 0

    def run(self, request: ReconstructRequest, on_progress: Callable[[Progress], None] = lambda progress: None) -> Result:
        """Have a request executed, and wait for its Result.

        Raises:
            MeshRecError: the backend's error; CancelledError after `cancel`.
        """
        is_used = self._process is not None
        try:
            return self._run(request, on_progress)
        except _EndedIdleError as ended:
            if not is_used:
                raise ended.reason from None
        try:
            return self._run(request, on_progress)  # it had ended between two clips: start it anew, once
        except _EndedIdleError as ended:
            raise ended.reason from None

    def use_python(self, python: PathName | None) -> None:
        """Choose the Python of the backend's environment; another one than before means another process."""
        if python != self._python:
            self.close()
            self._python = python

    def cancel(self) -> None:
        """End the backend's process at once; `run` raises CancelledError, now and later."""
        with self._lock:
            self._is_cancelled = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the backend's process; the next `run` starts another one."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def memory_bytes(self) -> int | None:
        """The memory that the backend's process occupies now; None where it cannot be measured."""
        process = self._process
        return None if process is None else resident_bytes(process.pid)

    def _run(self, request: ReconstructRequest, on_progress: Callable[[Progress], None]) -> Result:
        process = self._start()
        try:
            answer = process.ask(request, on_progress)
        except BaseException:
            self.close()
            if self._is_cancelled:
                raise CancelledError() from None
            raise
        if isinstance(answer, Failure):
            if answer.exit_code == ExitCode.FAULT:
                self.close()  # whatever state it left: the next clip gets a new process
            raise error_from_failure(answer)
        return answer

    def _start(self) -> "_Process":
        with self._lock:
            if self._is_cancelled:
                raise CancelledError()
            if self._process is None:
                self._process = _Process(start_backend(self._python, self._launch_script, environ=self._environ, with_pictures=True))
                self.num_starts += 1
            return self._process


class _EndedIdleError(Exception):
    """A backend ended before it said anything about a request."""

    def __init__(self, reason: MeshRecError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class _Process:
    """A running backend: what it sends is queued by a thread, so that waiting can have an end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None and process.stdout is not None and isinstance(process.stderr, io.BufferedReader)
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._arrivals: queue.SimpleQueue[_Arrival] = queue.SimpleQueue()
        self._log = LogTail(process.stderr)
        threading.Thread(target=self._read_messages, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: ReconstructRequest, on_progress: Callable[[Progress], None]) -> Result | Failure:
        """The answer to a request. Raises MeshRecError: the process ended, sent no message, or hung."""
        self._log.clear()
        with contextlib.suppress(OSError):  # it has ended: reading reports that
            write_message(self._input, request)
        stage: str | None = None
        limit, heard = silent_seconds(), time.monotonic()
        while True:
            try:
                message = self._arrivals.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() - heard > limit:
                    raise _silent_error(limit, stage) from None
                if self._process.poll() is not None and self._arrivals.empty() and time.monotonic() - heard > EXIT_TIMEOUT:
                    raise self._end_error(stage) from None  # a process that it left behind holds the pipe
                continue
            heard = time.monotonic()
            if isinstance(message, Progress):
                stage = message.stage
                on_progress(message)
            elif isinstance(message, Result | Failure):
                return message
            else:
                raise self._end_error(stage, message)

    def kill(self) -> None:
        """End the process and those it has started."""
        if self._process.returncode is None:
            kill_process_group(self._process)

    def wait(self) -> None:
        """Wait for its end, after `kill`, and close the pipes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT)
        with contextlib.suppress(OSError):
            self._input.close()

    def _end_error(self, stage: str | None, arrived: object = None) -> Exception:
        unreadable = arrived if arrived is not None and not isinstance(arrived, TruncatedMessageError) else None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT)
        self.kill()
        returncode = self._process.wait()
        self._log.join(1.0)
        error = explain_exit(returncode, stage, unreadable)
        error.add_note(self._log.text)
        return _EndedIdleError(error) if stage is None and unreadable is None else error

    def _read_messages(self) -> None:
        try:
            while (message := read_message(self._output)) is not None:
                self._arrivals.put(message)
            self._arrivals.put(None)
        except WireError as error:
            self._arrivals.put(error)
        except (OSError, ValueError):  # the pipe was closed
            self._arrivals.put(None)
        finally:
            with contextlib.suppress(OSError):
                self._output.close()


def silent_seconds() -> float:
    """Seconds without a message after which a backend is taken to hang: MESHREC_BACKEND_SECONDS, or an hour."""
    with contextlib.suppress(ValueError):
        if (chosen := float(os.environ.get(_TIME_LIMIT_VARIABLE, "0"))) > 0:
            return chosen
    return _SILENT_SECONDS


def _silent_error(seconds: float, stage: str | None) -> MeshRecError:
    return MeshRecError(
        "backend-silent",
        "The backend was ended because it had said nothing for {seconds:.0f} seconds ({stage}).",
        "Try a shorter range of frames; if it needs more time, set {variable} to a number of seconds.",
        seconds=seconds,
        stage=stage or "start",
        variable=_TIME_LIMIT_VARIABLE,
    )


def resident_bytes(pid: int) -> int | None:
    """The memory, bytes, that a process occupies now (Linux); None elsewhere, and where it has ended."""
    if sys.platform != "linux":
        return None
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
