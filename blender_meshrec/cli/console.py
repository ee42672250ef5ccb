"""What a command says: progress as a bar or as lines of JSON, results on standard output, errors on standard error."""

import json
import os
import sys
import threading
import time
import traceback

from ..core.errors import CancelledError, ExitCode, MeshRecError, OutputError

_BAR = 24  # characters


class Console:
    """Speaks to a terminal, a log or a script.

    style: `bar`, `json` (every event is a line on standard output) or `none`. debug: errors come with all that is known.
    interruption: an Event that is set when the user wants to stop. finished: how many inputs are done.
    """

    def __init__(self, style="bar", debug=False, interruption=None):
        self._style = style
        self._debug = debug
        self._interruption = interruption or threading.Event()
        self.finished = 0
        self._stage = None
        self._begun = 0.0
        self._width = 0

    def progress(self, progress, about=""):
        """How far a stage is; `about` names the input."""
        if self._style == "json":
            self._event("progress", input=about, stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit)
        elif self._style == "bar":
            begins = progress.stage != self._stage
            if begins:
                self._stage, self._begun = progress.stage, time.monotonic()
            if sys.stderr.isatty():
                self._draw(bar(progress, time.monotonic() - self._begun))
            elif begins:  # a log: a line for each stage
                self._murmur(progress.stage)

    def say(self, text):
        """A line of what the command was asked for."""
        self._draw("")
        if self._style != "json":
            self._print(text)

    def warn(self, text, about=""):
        """Something the user should know; the command goes on."""
        self._draw("")
        if self._style == "json":
            self._event("warning", input=about, text=text)
        else:
            self._murmur(f"Warning: {text}")

    def done(self, about, outputs):
        """One input is finished."""
        self.finished += 1
        self._draw("")
        self._stage = None
        if self._style == "json":
            self._event("done", input=about, outputs=outputs)
        else:
            self._print("\n".join(outputs))

    def fail(self, error, about="", alone=False):
        """Tell of any error in one sentence of problem and one of remedy; returns its exit code.

        about: the input, or what else it happened to. alone: there is no other, so that the sentence need not name it.

        Raises:
            KeyboardInterrupt: the user stopped the command, and something made an error of its own of that, as Blender does.
        """
        if self._interruption.is_set() and not isinstance(error, CancelledError):
            raise KeyboardInterrupt from error
        self._draw("")
        self._stage = None
        if isinstance(error, MeshRecError):
            code, problem, remedy = int(error.exit_code), error.problem, error.remedy
        else:
            said = f"{type(error).__name__}: {error}".rstrip(": .")
            code, problem = int(ExitCode.FAULT), f"Something went wrong ({said})."
            remedy = "This is a fault of ours: please report it with what --debug shows."
        if self._style == "json":
            self._event("failed", input=about, exit_code=code, problem=problem, remedy=remedy)
        if self._debug:
            traceback.print_exception(error)
        # Where several inputs are at work, the sentence alone may not tell which it is about.
        self._murmur(f"{about}: {problem} {remedy}" if about and not alone else f"{problem} {remedy}")
        return code

    def _event(self, event, **facts):
        self._print(json.dumps({"event": event, **facts}))

    def _print(self, text):
        """A line on standard output; once nobody reads on, as behind `| head`, the work goes on in silence."""
        try:
            print(text, flush=True)
        except BrokenPipeError:
            _silence(sys.stdout)
        except OSError as error:
            raise OutputError(f"Standard output cannot be written: {error.strerror}.", "Send it somewhere else.") from error

    def _draw(self, line):
        """Put a line in place of the last one; an empty one wipes it."""
        if line or self._width:
            self._murmur(f"\r{line.ljust(self._width)}", end="" if line else "\r")
            self._width = len(line)

    def _murmur(self, text, end="\n"):
        """Text on standard error; where that fails, the work goes on in silence."""
        try:
            print(text, end=end, file=sys.stderr, flush=True)
        except OSError:
            _silence(sys.stderr)


def _silence(stream):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def bar(progress, seconds):
    """One line for a terminal."""
    line = progress.stage
    if progress.total:
        share = min(1.0, progress.done / progress.total)
        line = f"{line} [{'#' * round(share * _BAR):.<{_BAR}}] {progress.done}/{progress.total} {progress.unit}"
    elif progress.done:
        line = f"{line} {progress.done} {progress.unit}"
    return f"{line}, {progress.done / seconds:.1f} a second" if progress.done > 1 and seconds > 1 else line
