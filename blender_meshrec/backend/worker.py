"""The backend's process: reads requests, sends progress and one answer to each, through the pipes it was started with.

It ends when the pipe does. Models that it has loaded stay loaded from one request to the next.
"""

import contextlib
import faulthandler
import importlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeAlias

from ..bridge.memory_limit import has_graphics_driver, limit_memory
from ..bridge.messages import Failure, Progress, ReconstructRequest, Result, failure_from_error
from ..bridge.windows_system import end_children_with_this_process
from ..bridge.wire import MessageTooLargeError, WireError, read_message, write_message
from ..core.errors import ExitCode, MeshRecError, NotSetUpError
from .kept_models import keep_models

Recover: TypeAlias = Callable[[ReconstructRequest, Callable[[Progress], None]], Result]

MIN_PROGRESS_INTERVAL = 0.05  # s


def main(recover: Recover | None = None, with_pictures: bool = False) -> NoReturn:
    """Serve requests until the parent closes the pipe or ends this process.

    Args:
        recover: the pipeline's `recover` by default. with_pictures: add a picture of the worst moment to the pipeline's results.
    """
    if recover is None and with_pictures:
        recover = recover_with_picture
    incoming, outgoing = claim_pipes()
    faulthandler.enable()
    raise_oom_score()
    end_children_with_this_process()
    keep_models()
    requests: queue.SimpleQueue[ReconstructRequest] = queue.SimpleQueue()
    threading.Thread(target=receive_requests, args=(incoming, requests), daemon=True).start()
    sender = MessageSender(outgoing)
    while True:
        request = requests.get()
        if request.device == "cpu" or not has_graphics_driver():
            limit_memory()
        sender.send(handle_request(request, sender.progress, recover))
        sys.stderr.flush()


def claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep standard input and output for messages, as binary streams.

    Output of other code, native code included, goes to standard error; standard input is empty for it. (On Windows, loading a
    library can hang while another thread waits for standard input.)
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def receive_requests(stream: BinaryIO, requests: "queue.SimpleQueue[ReconstructRequest]") -> NoReturn:
    """Queue the requests that arrive, and end this process with the incoming pipe, which ends when the parent process does."""
    # prctl's parent-death signal is no alternative: it is sent when the thread that started this process ends. os._exit skips the
    # interpreter's shutdown, in which native libraries may hang or crash.
    try:
        while isinstance(request := read_message(stream), ReconstructRequest):
            requests.put(request)
    except WireError:
        traceback.print_exc()
        os._exit(ExitCode.FAULT)
    os._exit(ExitCode.CANCELLED if request is None else ExitCode.FAULT)


def raise_oom_score() -> None:
    """Make Linux end this process when memory runs out, rather than the Blender with the user's unsaved work."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


class MessageSender:
    """Sends messages; progress at most every MIN_PROGRESS_INTERVAL."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._stage: str | None = None
        self._pending: Progress | None = None
        self._last_sent = 0.0

    def progress(self, progress: Progress) -> None:
        """Send a Progress now, later, or not at all; the first and the last of a stage are always sent."""
        now = time.monotonic()
        if progress.stage != self._stage:
            self._flush()
            self._stage, self._last_sent = progress.stage, 0.0
        self._pending = progress
        if now - self._last_sent >= MIN_PROGRESS_INTERVAL or 0 < progress.total <= progress.done:
            self._flush()
            self._last_sent = now

    def send(self, message: Result | Failure) -> None:
        """Send a message at once, after the pending progress."""
        self._flush()
        self._stage = None
        try:
            self._write(message)
        except MessageTooLargeError:
            problem, remedy = "The result is too large to be passed on.", "Choose a shorter range of frames, or fewer people."
            self._write(failure_from_error(MeshRecError("result-too-large", problem, remedy)))

    def _flush(self) -> None:
        if self._pending is not None:
            self._write(self._pending)
            self._pending = None

    def _write(self, message: Progress | Result | Failure) -> None:
        try:
            write_message(self._stream, message)
        except OSError:  # the parent has closed the pipe
            os._exit(ExitCode.CANCELLED)


def handle_request(
    request: ReconstructRequest, on_progress: Callable[[Progress], None], recover: Recover | None = None
) -> Result | Failure:
    """Reconstruct: the Result, or a Failure that explains the problem to the user."""
    try:
        if recover is None:
            recover = importlib.import_module("..pipeline", __name__).recover
        return recover(request, on_progress)
    except MeshRecError as error:
        return failure_from_error(error, traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - the other process must receive every error
        return failure_from_error(_explain_error(error), traceback.format_exc())


def recover_with_picture(request: ReconstructRequest, on_progress: Callable[[Progress], None]) -> Result:
    """The pipeline's result, with a picture of its worst moment."""
    result = importlib.import_module("..pipeline", __name__).recover(request, on_progress)
    return importlib.import_module("..worst_moment", __name__).with_picture(result, request)


def _explain_error(error: Exception) -> MeshRecError:
    """The MeshRecError for an unexpected error."""
    own_package = __name__.split(".")[0]
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] != own_package:
        return NotSetUpError(
            "environment-incomplete",
            "The backend's environment is not complete: {reason}.",
            "Run `python3 build.py setup` in a checkout, or set the backend up again.",
            reason=error,
        )
    if _is_out_of_memory(error):
        return MeshRecError(
            "memory-too-small",
            "The memory was not enough for this footage.",
            "Close other programs, choose a shorter range of frames, or choose the device cpu.",
        )
    reason = f"{type(error).__name__}: {error}".rstrip(": .")
    remedy = "This is a fault of ours: please report it with the details."
    return MeshRecError("reconstruction-failed", "The reconstruction failed ({reason}).", remedy, reason=reason)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    # If torch is not imported, the error is not torch's; importing torch here could fail again.
    return "torch" in sys.modules and importlib.import_module("..devices", __name__).is_out_of_memory(error)
