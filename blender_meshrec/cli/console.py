"""Output of the commands: progress as a bar or as lines of JSON, results on standard output, errors on standard error."""

import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import TextIO

from ..bridge.messages import Progress
from ..core.errors import CancelledError, ExitCode, MeshRecError, OutputError
from ..core.messages import describe_exception

_BAR_WIDTH = 24  # characters
# Characters by which a name could move the cursor, colour, hide or turn round what the terminal shows; tabs and line ends are harmless.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Console:
    """Writes for a terminal, a log file or a script.

    Args:
        style: of progress: `bar`, `json` (each event is a line on standard output) or `none`. debug: show the traceback and the details of
            errors. interruption: an Event that is set when the user stops the command.

    num_finished: number of inputs that are done.
    """

    def __init__(self, style: str = "bar", debug: bool = False, interruption: threading.Event | None = None) -> None:
        self._style = style
        self._debug = debug
        self._interruption = interruption or threading.Event()
        self.num_finished = 0
        self._stage: str | None = None
        self._stage_start = 0.0  # s
        self._width = 0  # characters of the line that is drawn

    def progress(self, progress: Progress, about: str = "") -> None:
        """Show a stage's progress; `about` names the input."""
        if self._style == "json":
            self._print_event("progress", input=about, stage=progress.stage, done=progress.done, total=progress.total, unit=progress.unit)
        elif self._style == "bar":
            is_new_stage = progress.stage != self._stage
            if is_new_stage:
                self._stage, self._stage_start = progress.stage, time.monotonic()
            if sys.stderr.isatty():
                self._draw_line(_to_one_line(format_progress_bar(progress, time.monotonic() - self._stage_start)))
            elif is_new_stage:  # a log file gets one line for each stage
                self._print_error(_to_one_line(progress.stage))

    def print_result(self, text: str) -> None:
        """Print a line of the command's result."""
        self._draw_line("")
        if self._style != "json":
            self._print_output(text)

    def warn(self, text: str, about: str = "") -> None:
        """Print a warning; the command continues."""
        self._draw_line("")
        if self._style == "json":
            self._print_event("warning", input=about, text=text)
        else:
            self._print_error(_to_one_line(f"Warning: {text}"))

    def done(self, about: str, outputs: Sequence[str]) -> None:
        """Print the outputs of an input that is finished."""
        self.num_finished += 1
        self._draw_line("")
        self._stage = None
        if self._style == "json":
            self._print_event("done", input=about, outputs=list(outputs))
        else:
            self._print_output("\n".join(output.replace("\n", "\\n") for output in outputs))

    def fail(self, error: Exception, about: str = "", is_only_input: bool = False) -> int:
        """Print an error as one sentence of problem and one of remedy; returns its exit code.

        Args:
            about: the input or whatever else failed. is_only_input: there is no other input, so the message need not name it.

        Raises:
            KeyboardInterrupt: the user stopped the command, and `error` was raised in consequence, as Blender does.
        """
        if self._interruption.is_set() and not isinstance(error, CancelledError):
            raise KeyboardInterrupt from error
        self._draw_line("")
        self._stage = None
        if isinstance(error, MeshRecError):
            code, problem, remedy = int(error.exit_code), error.problem, error.remedy
        else:
            said = f"{type(error).__name__}: {describe_exception(error)}".rstrip(": .")
            code, problem = int(ExitCode.FAULT), f"Something went wrong ({said})."
            remedy = "This is a fault of ours: please report it with what --debug shows."
        if self._style == "json":
            self._print_event("failed", input=about, exit_code=code, problem=problem, remedy=remedy)
        if self._debug:
            self._print_error("".join(traceback.format_exception(error)).rstrip("\n"))
        # With several inputs, the message alone may not tell which one failed.
        text = f"{about}: {problem} {remedy}" if about and not is_only_input else f"{problem} {remedy}"
        self._print_error(_to_one_line(text))
        return code

    def _print_event(self, event: str, **facts: object) -> None:
        self._print_output(json.dumps({"event": event, **facts}))

    def _print_output(self, text: str) -> None:
        """Print a line on standard output; if its reader has closed the pipe, as `| head` does, later output is discarded."""
        try:
            print(escape_control_characters(text), flush=True)
        except BrokenPipeError:
            _redirect_to_null(sys.stdout)
        except OSError as error:
            raise OutputError(
                "standard-output-not-writable",
                "Standard output cannot be written: {reason}.",
                "Send it somewhere else.",
                reason=error.strerror,
            ) from error

    def _draw_line(self, line: str) -> None:
        """Replace the line that is drawn; an empty one clears it."""
        if line or self._width:
            self._print_error(line.ljust(self._width), begin="\r", end="" if line else "\r")
            self._width = len(line)

    def _print_error(self, text: str, begin: str = "", end: str = "\n") -> None:
        """Print text on standard error; if that fails, later output is discarded."""
        try:
            print(f"{begin}{escape_control_characters(text)}", end=end, file=sys.stderr, flush=True)
        except OSError:
            _redirect_to_null(sys.stderr)


def escape_control_characters(text: str) -> str:
    """The text with escapes such as \\x1b in place of the characters that a terminal would obey."""
    return _CONTROL_CHARACTERS.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _to_one_line(text: str) -> str:
    return " ".join(text.splitlines()) if "\n" in text else text


def _redirect_to_null(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def format_progress_bar(progress: Progress, seconds: float) -> str:
    """Progress as one line for a terminal, `seconds` after the stage began."""
    line = progress.stage
    if progress.total:
        fraction = min(1.0, progress.done / progress.total)
        line = f"{line} [{'#' * round(fraction * _BAR_WIDTH):.<{_BAR_WIDTH}}] {progress.done}/{progress.total} {progress.unit}"
    elif progress.done:
        line = f"{line} {progress.done} {progress.unit}"
    return f"{line}, {progress.done / seconds:.1f} a second" if progress.done > 1 and seconds > 1 else line
