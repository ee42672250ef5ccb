"""What a command says: progress as a bar or as lines of JSON, results on standard output, errors on standard error."""

import json
import os
import sys
import threading
import time
import traceback

from ..core.errors import CancelledError, ExitCode, MeshRecError, OutputError

_BAR_WIDTH = 24  # characters


class Console:
    """Speaks to a terminal, a log or a script.

    style: `format_progress_bar`, `json` (every event is a line on standard output) or `none`. debug: errors come with all that is known.
    interruption: an Event that is set when the user wants to stop. finished: how many inputs are done.
    """

    def __init__(self, style="bar", debug=False, interruption=None):
        self._style = style
        self._debug = debug
        self._interruption = interruption or threading.Event()
        self.finished = 0
        self._stage = None
        self._stage_start = 0.0
        self._width = 0

    def progress(self, progress, about=""):
        """How far a stage is; `about` names the input."""
        if self._style == "json":
            self._print_event("progress", input=about, stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit)
        elif self._style == "bar":
            begins = progress.stage != self._stage
            if begins:
                self._stage, self._stage_start = progress.stage, time.monotonic()
            if sys.stderr.isatty():
                self._draw_line(format_progress_bar(progress, time.monotonic() - self._stage_start))
            elif begins:  # a log: a line for each stage
                self._print_error(progress.stage)

    def print_result(self, text):
        """A line of what the command was asked for."""
        self._draw_line("")
        if self._style != "json":
            self._print_output(text)

    def warn(self, text, about=""):
        """Something the user should know; the command goes on."""
        self._draw_line("")
        if self._style == "json":
            self._print_event("warning", input=about, text=text)
        else:
            self._print_error(f"Warning: {text}")

    def done(self, about, outputs):
        """One input is finished."""
        self.finished += 1
        self._draw_line("")
        self._stage = None
        if self._style == "json":
            self._print_event("done", input=about, outputs=outputs)
        else:
            self._print_output("\n".join(outputs))

    def fail(self, error, about="", is_only_input=False):
        """Tell of any error in one sentence of problem and one of remedy; returns its exit code.

        about: the input, or what else it happened to. is_only_input: there is no other, so that the sentence need not name it.

        Raises:
            KeyboardInterrupt: the user stopped the command, and something made an error of its own of that, as Blender does.
        """
        if self._interruption.is_set() and not isinstance(error, CancelledError):
            raise KeyboardInterrupt from error
        self._draw_line("")
        self._stage = None
        if isinstance(error, MeshRecError):
            code, problem, remedy = int(error.exit_code), error.problem, error.remedy
        else:
            said = f"{type(error).__name__}: {error}".rstrip(": .")
            code, problem = int(ExitCode.FAULT), f"Something went wrong ({said})."
            remedy = "This is a fault of ours: please report it with what --debug shows."
        if self._style == "json":
            self._print_event("failed", input=about, exit_code=code, problem=problem, remedy=remedy)
        if self._debug:
            traceback.print_exception(error)
        # Where several inputs are at work, the sentence alone may not tell which it is about.
        self._print_error(f"{about}: {problem} {remedy}" if about and not is_only_input else f"{problem} {remedy}")
        return code

    def _print_event(self, event, **facts):
        self._print_output(json.dumps({"event": event, **facts}))

    def _print_output(self, text):
        """A line on standard output; once nobody reads on, as behind `| head`, the work goes on in silence."""
        try:
            print(text, flush=True)
        except BrokenPipeError:
            _redirect_to_null(sys.stdout)
        except OSError as error:
            raise OutputError(
                "standard-output-not-writable",
                "Standard output cannot be written: {reason}.",
                "Send it somewhere else.",
                reason=error.strerror,
            ) from error

    def _draw_line(self, line):
        """Put a line in place of the last one; an empty one wipes it."""
        if line or self._width:
            self._print_error(f"\r{line.ljust(self._width)}", end="" if line else "\r")
            self._width = len(line)

    def _print_error(self, text, end="\n"):
        """Text on standard error; where that fails, the work goes on in silence."""
        try:
            print(text, end=end, file=sys.stderr, flush=True)
        except OSError:
            _redirect_to_null(sys.stderr)


def _redirect_to_null(stream):
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def format_progress_bar(progress, seconds):
    """One line for a terminal."""
    line = progress.stage
    if progress.total:
        share = min(1.0, progress.done / progress.total)
        line = f"{line} [{'#' * round(share * _BAR_WIDTH):.<{_BAR_WIDTH}}] {progress.done}/{progress.total} {progress.unit}"
    elif progress.done:
        line = f"{line} {progress.done} {progress.unit}"
    return f"{line}, {progress.done / seconds:.1f} a second" if progress.done > 1 and seconds > 1 else line
