"""Blender's side of the backend: start it, hear from it, end it. Nothing here waits, except `BackendJob.wait`."""

import contextlib
import io
import os
import queue
import signal
import subprocess
import sys
import threading

from ..core.errors import CancelledError, MeshRecError, NotSetUpError, error_from_exit_code
from .backend_location import PACKAGE_FOLDER, find_backend
from .messages import Failure, Progress, Result, failure_from_error
from .wire import TruncatedMessageError, WireError, read_message, write_message

LAUNCH_SCRIPT = PACKAGE_FOLDER / "backend" / "launch.py"
MAX_LOG_BYTES = 32 * 1024  # of what the backend prints, the end: what a bug report needs
EXIT_TIMEOUT = 5.0
_WINDOWS = sys.platform == "win32"


def start_job(request, python=None, launch_script=None, low_priority=False):
    """Start the backend on a ReconstructRequest.

    Args:
        python: the Python of the backend's environment; found by `find_backend` by default.
        launch_script: the script that is started; the backend's own by default.
        low_priority: this program's own window goes first.

    Returns:
        A BackendJob, at work already.

    Raises:
        MeshRecError: there is no environment to run the backend in, or it cannot be started.
    """
    python = find_backend(python)
    written = io.BytesIO()
    write_message(written, request)
    # -I: nothing of the environment variables, the current folder or the user's own packages reaches the backend.
    command = [str(python), "-I", "-X", "utf8", str(launch_script or LAUNCH_SCRIPT)]
    command += ["considerate"] if low_priority else []
    own_group = _process_group_options(low_priority)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(command, **pipes, **own_group)
    except OSError as error:
        raise NotSetUpError(
            "backend-not-startable",
            "The backend could not be started with {path}: {reason}.",
            "Choose the Python of the backend's environment, or run `python3 build.py setup` again.",
            path=python,
            reason=error.strerror or error,
        ) from error
    return BackendJob(process, written.getvalue())


def _process_group_options(low_priority):
    if _WINDOWS:
        priority = subprocess.BELOW_NORMAL_PRIORITY_CLASS if low_priority else 0
        return {"creationflags": subprocess.CREATE_NO_WINDOW | priority}
    # A Linux for desktops shares its processors out among sessions before it asks who stepped back: one that steps back behind
    # this program's window has to stay in this program's session.
    return {"process_group": 0} if low_priority else {"start_new_session": True}


class BackendJob:
    """A request that the backend works on, in a process of its own.

    The last message is a Result or a Failure, whatever becomes of the process; none follows it.
    """

    def __init__(self, process, request):
        self._process = process
        self._request = request
        self._messages = queue.SimpleQueue()
        self._log = bytearray()
        self._stage = None
        self._cancelled = False
        self._answer = None
        self._listener = threading.Thread(target=self._read_log, daemon=True)
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._listener.start()
        self._reader.start()

    @property
    def pid(self):
        """The backend's process."""
        return self._process.pid

    @property
    def finished(self):
        """Whether the last message has been handed out."""
        return self._answer is not None

    @property
    def log(self):
        """The end of what the backend has printed."""
        return self._log.decode("utf-8", "replace")

    def poll(self):
        """The messages that have arrived since the last call, at once: Progress, and in the end a Result or a Failure."""
        arrived = []
        while self._answer is None:
            try:
                arrived.append(self._next_message(block=False))
            except queue.Empty:
                break
        return arrived

    def cancel(self):
        """End the backend's process, and whatever that has started, at once."""
        self._cancelled = True
        self._kill()

    def wait(self, on_progress=lambda progress: None):
        """Wait for the end and return the Result.

        An exception meanwhile, Ctrl-C's included, ends the backend before it is passed on.

        Raises:
            MeshRecError: what the backend failed with, details for a bug report among its notes; CancelledError after `cancel`.
        """
        try:
            while self._answer is None:
                try:
                    message = self._next_message(timeout=0.2)  # without a limit, Windows would not let Ctrl-C through
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

    def _next_message(self, **waiting):
        """The next message; the last one is kept."""
        message = self._messages.get(**waiting)
        if not isinstance(message, Progress):
            self._answer = message
        return message

    def _read_messages(self):
        """The reader's thread: hand the request over, pass on what comes, see the process end."""
        answer, unreadable = None, None
        try:
            with contextlib.suppress(OSError):  # it may have ended already; then reading says so
                self._process.stdin.write(self._request)
                self._process.stdin.flush()
            while answer is None and (message := read_message(self._process.stdout)) is not None:
                if isinstance(message, Progress):
                    self._stage = message.stage
                    self._messages.put(message)
                elif isinstance(message, Result | Failure):
                    answer = message
                else:
                    raise WireError("the backend sent a request")
        except (TruncatedMessageError, OSError):
            answer = None  # it died while it spoke
        except (WireError, MemoryError) as error:
            unreadable = error
        if answer is None and unreadable is None:
            # Its end of the pipe closed: it is ending on its own, and how it does is the answer.
            try:
                self._process.wait(EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                unreadable = "it closed its pipe and went on"
        self._kill()
        returncode = self._process.wait()
        self._listener.join(1.0)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self._messages.put(answer or self._make_failure(returncode, unreadable))

    def _read_log(self):
        """The log's thread: keep the end of what the backend prints."""
        with self._process.stderr as pipe:
            while piece := pipe.read1():
                self._log += piece
                del self._log[:-MAX_LOG_BYTES]

    def _kill(self):
        if self._process.returncode is not None:
            return
        if _WINDOWS:
            self._process.kill()
            return
        # Its group: nothing it has started survives it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _make_failure(self, returncode, unreadable):
        if self._cancelled:
            return failure_from_error(CancelledError())
        return failure_from_error(explain_exit(returncode, self._stage, unreadable), self.log)


def explain_exit(returncode, stage, unreadable=None):
    """The MeshRecError for a backend that ended without an answer.

    Args:
        returncode: as subprocess gives it. stage: of its last Progress, or None. unreadable: why its answer cannot be read, if so.
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
    if returncode < 0 or returncode >= 0xC0000000:  # a signal, or the way Windows reports a crash
        remedy = "Run it again, with the device cpu if it happens twice, and report it with the details."
        return MeshRecError("backend-crashed", "The backend crashed {when} ({signal}).", remedy, when=when, signal=_exit_name(returncode))
    if stage is None:
        remedy = "Run `meshrec doctor`, which says what is missing."
        return NotSetUpError("backend-did-not-start", "The backend did not start (exit code {code}).", remedy, code=returncode)
    problem = "The backend ended {when} without an answer (exit code {code})."
    remedy = "Run it again, and report it with the details if it happens twice."
    return MeshRecError("backend-ended-without-answer", problem, remedy, when=when, code=returncode)


def _exit_name(returncode):
    if returncode >= 0:
        return f"0x{returncode:X}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def error_from_failure(failure):
    """The error that a Failure stands for, its details in a note."""
    error = error_from_exit_code(failure.exit_code, failure.problem, failure.remedy)
    if failure.details:
        error.add_note(failure.details)
    return error
