"""The backend's process: one request in, progress and one answer out, through the pipes it was started with."""

import contextlib
import faulthandler
import importlib
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from ..bridge.messages import ReconstructRequest, failure_from_error
from ..bridge.wire import read_message, write_message
from ..core.errors import ExitCode, MeshRecError, NotSetUpError

MIN_PROGRESS_INTERVAL = 0.05


def main(recover=None):
    """Serve one request and end the process.

    Args:
        recover: `recover(request, on_progress) -> Result`; the pipeline's by default.
    """
    incoming, outgoing = claim_pipes()
    faulthandler.enable()
    raise_oom_score()
    request = read_message(incoming)
    if not isinstance(request, ReconstructRequest):
        os._exit(ExitCode.FAULT)
    threading.Thread(target=exit_with_parent, args=(incoming,), daemon=True).start()
    outbox = MessageSender(outgoing)
    outbox.send(handle_request(request, outbox.progress, recover))
    # Without the interpreter's own ending: native libraries may hang or crash in theirs, and everything is said.
    sys.stderr.flush()
    os._exit(ExitCode.DONE)


def claim_pipes():
    """Keep standard input and output for messages, as binary streams.

    What anything else prints, native code too, goes to standard error; who reads finds nothing. (On Windows, merely
    loading a library can hang while another thread waits for standard input.)
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def exit_with_parent(stream):
    """Wait for the end of the incoming pipe, which comes when whoever started this process ends, and end too."""
    # Nothing follows the request, so a byte ends the wait as well. (prctl's parent-death signal will not do: it is sent
    # when the thread that started this process ends.)
    stream.read(1)
    os._exit(ExitCode.CANCELLED)


def raise_oom_score():
    """Where Linux runs out of memory, have it end this process rather than the Blender that holds somebody's work."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


class MessageSender:
    """Sends messages, progress not more often than the eye can follow."""

    def __init__(self, stream):
        self._stream = stream
        self._stage = None
        self._pending = None
        self._last_sent = 0.0

    def progress(self, progress):
        """Send a Progress now, later, or not at all: the first and the last of a stage are always sent."""
        now = time.monotonic()
        if progress.stage != self._stage:
            self._flush()
            self._stage, self._last_sent = progress.stage, 0.0
        self._pending = progress
        if now - self._last_sent >= MIN_PROGRESS_INTERVAL or 0 < progress.total <= progress.done:
            self._flush()
            self._last_sent = now

    def send(self, message):
        """Send any message at once, after the progress that still waits."""
        self._flush()
        self._write(message)

    def _flush(self):
        if self._pending is not None:
            self._write(self._pending)
            self._pending = None

    def _write(self, message):
        try:
            write_message(self._stream, message)
        except OSError:  # nobody listens any more
            os._exit(ExitCode.CANCELLED)


def handle_request(request, on_progress, recover=None):
    """Do what a request asks: the Result, or a Failure that says what went wrong in the user's words."""
    try:
        if recover is None:
            recover = importlib.import_module("..pipeline", __name__).recover
        return recover(request, on_progress)
    except MeshRecError as error:
        return failure_from_error(error, traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - whatever it is, the other process must hear of it
        return failure_from_error(_explain_error(error), traceback.format_exc())


def _explain_error(error):
    """The MeshRecError for an error that no stage foresaw."""
    ours = __name__.split(".")[0]
    if isinstance(error, ImportError) and (error.name or "").split(".")[0] != ours:
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
    said = f"{type(error).__name__}: {error}".rstrip(": .")
    remedy = "This is a fault of ours: please report it with the details."
    return MeshRecError("reconstruction-failed", "The reconstruction failed ({reason}).", remedy, reason=said)


def _is_out_of_memory(error):
    if isinstance(error, MemoryError):
        return True
    # Without torch imported it cannot be torch's; importing it here could fail once more.
    return "torch" in sys.modules and importlib.import_module("..devices", __name__).is_out_of_memory(error)
