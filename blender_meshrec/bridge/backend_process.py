"""The client of the backend: start its process, receive its messages, end it. Only `BackendJob.wait` blocks."""

import contextlib
import io
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import TypeAlias

from ..core.errors import CancelledError, MeshRecError, NotSetUpError, error_from_exit_code
from ..core.files.temporary_folder import find_temporary_folder
from .backend_location import LAUNCH_SCRIPT, PathName, find_backend
from .log_tail import LogTail
from .messages import Failure, Progress, ReconstructRequest, Result, failure_from_error
from .process_groups import kill_process_group, start_process_group, wait_for_exit
from .wire import ReadableStream, TruncatedMessageError, WireError, read_message, write_message

BackendMessage: TypeAlias = Progress | Result | Failure

EXIT_TIMEOUT = 5.0  # s
CANCEL_TIMEOUT = 0.5  # s
MAX_UNREAD_MESSAGES = 10_000  # Progress that nobody has polled


def start_job(
    request: ReconstructRequest, python: PathName | None = None, launch_script: PathName | None = None, low_priority: bool = False
) -> "BackendJob":
    """Start the backend on a ReconstructRequest.

    Args:
        python: the Python of the backend's environment; found by `find_backend` by default.
        launch_script: the script that is started; the backend's own by default.
        low_priority: let this program's own window have the processor first.

    Returns:
        The running BackendJob.

    Raises:
        MeshRecError: there is no environment for the backend, it cannot be started, or there is no folder for temporary files.
    """
    process = start_backend(python, launch_script, low_priority)
    request_bytes = io.BytesIO()
    write_message(request_bytes, request)
    return BackendJob(process, request_bytes.getvalue())


def start_backend(
    python: PathName | None = None,
    launch_script: PathName | None = None,
    low_priority: bool = False,
    environ: Mapping[str, str] | None = None,
    with_pictures: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start the backend's process, which waits for requests.

    Args:
        python, launch_script, low_priority: as of `start_job`. environ: environment variables; this process's by default. with_pictures:
            each Result has a picture.

    Raises:
        MeshRecError: as of `start_job`.
    """
    python = find_backend(python)
    find_temporary_folder()  # its libraries cannot be loaded without one
    # -I: isolates the backend from environment variables, the current folder and the user's own packages.
    command = [str(python), "-I", "-X", "utf8", str(launch_script or LAUNCH_SCRIPT)]
    command += ["background"] if low_priority else []
    command += ["pictures"] if with_pictures else []
    try:
        return start_process_group(command, env=environ, low_priority=low_priority)
    except OSError as error:
        raise NotSetUpError(
            "backend-not-startable",
            "The backend could not be started with {path}: {reason}.",
            "Choose the Python of the backend's environment, or run `python3 build.py setup` again.",
            path=python,
            reason=error.strerror or error,
        ) from error


class BackendJob:
    """A request that the backend executes in its own process.

    The last message is a Result or a Failure, however the process ends; none follows it.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", request: bytes) -> None:
        # All three are pipes, and what can be read is buffered.
        assert process.stdin is not None and process.stdout is not None and isinstance(process.stderr, io.BufferedReader)
        self._process = process
        self._input, self._output = process.stdin, process.stdout
        self._request = request
        self._messages: queue.SimpleQueue[BackendMessage] = queue.SimpleQueue()
        self._stage: str | None = None
        self._cancelled = False
        self._answer: Result | Failure | None = None
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._blocked_since: float | None = None  # since when the reader's thread has been waiting for a pipe, as time.monotonic
        self._log = LogTail(process.stderr)
        self._reader.start()
        threading.Thread(target=self._watch_process, daemon=True).start()

    @property
    def pid(self) -> int:
        """The id of the backend's process."""
        return self._process.pid

    @property
    def finished(self) -> bool:
        """Whether the last message has been returned."""
        return self._answer is not None

    @property
    def log(self) -> str:
        """The end of what the backend has printed."""
        return self._log.text

    def poll(self) -> list[BackendMessage]:
        """The messages that have arrived since the last call, without waiting: Progress, and at the end a Result or a Failure."""
        arrived: list[BackendMessage] = []
        while self._answer is None:
            try:
                arrived.append(self._next_message(block=False))
            except queue.Empty:
                break
        return arrived

    def cancel(self) -> None:
        """End the backend's process, and the processes it has started, at once."""
        self._cancelled = True
        self._kill()

    def wait(self, on_progress: Callable[[Progress], None] = lambda progress: None) -> Result:
        """Wait for the end and return the Result.

        An exception in the meantime, such as that of Ctrl-C, ends the backend before it is raised again.

        Raises:
            MeshRecError: the backend's error, with details for a bug report in a note; CancelledError after `cancel`.
        """
        try:
            while self._answer is None:
                try:
                    message = self._next_message(timeout=0.2)  # s; on Windows, Ctrl-C does not interrupt a wait without a timeout
                except queue.Empty:
                    continue
                if isinstance(message, Progress):
                    on_progress(message)
        finally:
            if self._answer is None:
                self.cancel()
            self._reader.join(EXIT_TIMEOUT)
        if isinstance(self._answer, Failure):
            raise error_from_failure(self._answer)
        return self._answer

    def _next_message(self, block: bool = True, timeout: float | None = None) -> BackendMessage:
        """The next message of the queue; the last one is stored as the answer. Raises queue.Empty where none has arrived."""
        message = self._messages.get(block, timeout)
        if not isinstance(message, Progress):
            self._answer = message
        return message

    def _read_messages(self) -> None:
        """The reader's thread: send the request, queue the messages that arrive, and end the process."""
        answer: Result | Failure | None = None
        unreadable: object = None
        try:
            with contextlib.suppress(OSError), self._blocking():  # the process may have ended; reading reports that
                self._input.write(self._request)
                self._input.flush()
            answer = self._read_answer()
        except (TruncatedMessageError, OSError, ValueError):
            pass  # the process ended in the middle of a message, or the pipe was closed
        except WireError as error:
            unreadable = error
        except Exception as error:  # noqa: BLE001 - whatever the bytes are, the job needs an answer
            unreadable = f"{type(error).__name__}: {error}"
        if answer is None and unreadable is None:
            # The backend has closed its end of the pipe: it is ending, and its exit code tells why.
            try:
                self._process.wait(EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                unreadable = "it closed its pipe and went on"
        self._kill()
        returncode = self._process.wait()
        self._log.join(1.0)
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()
        self._messages.put(answer or self._make_failure(returncode, unreadable))

    def _read_answer(self) -> Result | Failure | None:
        """Queue the Progress that arrives; the last message, or None where the stream ends without one."""
        stream = _WatchedStream(self._output, self._blocking)
        while (message := read_message(stream)) is not None:
            if isinstance(message, Progress):
                self._stage = message.stage
                if self._messages.qsize() < MAX_UNREAD_MESSAGES:
                    self._messages.put(message)
            elif isinstance(message, Result | Failure):
                return message
            else:
                raise WireError("the backend sent a request")
        return None

    @contextlib.contextmanager
    def _blocking(self) -> Generator[None, None, None]:
        """Note, for `_watch_process`, that the reader's thread may wait for a pipe in this block."""
        self._blocked_since = time.monotonic()
        try:
            yield
        finally:
            self._blocked_since = None

    def _watch_process(self) -> None:
        """The watcher's thread: answer in the reader's place where a process that the backend left behind holds its pipes open."""
        wait_for_exit(self._process)
        ended = time.monotonic()
        while self._reader.is_alive():
            self._reader.join(0.05)
            patience, since = CANCEL_TIMEOUT if self._cancelled else EXIT_TIMEOUT, self._blocked_since
            if since is not None and time.monotonic() - max(since, ended) > patience:
                self._kill()
                returncode = self._process.wait()
                self._reader.join(CANCEL_TIMEOUT)  # it goes on if the pipes were held by the process group
                if self._reader.is_alive():
                    self._messages.put(self._make_failure(returncode, None))
                return

    def _kill(self) -> None:
        if self._process.returncode is None:
            kill_process_group(self._process)

    def _make_failure(self, returncode: int, unreadable: object) -> Failure:
        if self._cancelled:
            return failure_from_error(CancelledError())
        return failure_from_error(explain_exit(returncode, self._stage, unreadable), self.log)


class _WatchedStream:
    """A pipe; while it is read, `blocking` is entered."""

    def __init__(self, pipe: ReadableStream, blocking: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        self._pipe, self._blocking = pipe, blocking

    def read(self, size: int, /) -> bytes | None:
        with self._blocking():
            return self._pipe.read(size)


def explain_exit(returncode: int, stage: str | None, unreadable: object = None) -> MeshRecError:
    """The MeshRecError for a backend that ended without an answer.

    Args:
        returncode: as subprocess returns it. stage: of the last Progress, or None. unreadable: why the answer cannot be read, or None.
    """
    when = f"while {stage[:1].lower()}{stage[1:]}" if stage else "before its work began"
    if unreadable is not None:
        remedy = "Install the add-on and its backend again."
        return MeshRecError("backend-answer-unreadable", "The backend's answer cannot be read: {reason}.", remedy, reason=unreadable)
    if returncode == -9:
        remedy = "Close other programs, choose a shorter range of frames, or use smaller footage."
        problem = "The backend was ended by the system {when}, most often for lack of memory."
        return MeshRecError("backend-killed-by-system", problem, remedy, when=when)
    if -returncode in (signal.SIGTERM, signal.SIGINT):
        return MeshRecError("backend-ended-from-outside", "The backend was ended from outside {when}.", "Run it again.", when=when)
    if returncode < 0 or returncode >= 0xC0000000:  # a signal, or a crash on Windows
        remedy = "Run it again, with the device cpu if it happens twice, and report it with the details."
        return MeshRecError("backend-crashed", "The backend crashed {when} ({signal}).", remedy, when=when, signal=_exit_name(returncode))
    if stage is None:
        remedy = "Run `meshrec doctor`, which says what is missing."
        return NotSetUpError("backend-did-not-start", "The backend did not start (exit code {code}).", remedy, code=returncode)
    problem = "The backend ended {when} without an answer (exit code {code})."
    remedy = "Run it again, and report it with the details if it happens twice."
    return MeshRecError("backend-ended-without-answer", problem, remedy, when=when, code=returncode)


def _exit_name(returncode: int) -> str:
    if returncode >= 0:
        return f"0x{returncode:X}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def error_from_failure(failure: Failure) -> MeshRecError:
    """The error that a Failure stands for, with its details in a note."""
    error = error_from_exit_code(failure.exit_code, failure.problem, failure.remedy)
    if failure.details:
        error.add_note(failure.details)
    return error
