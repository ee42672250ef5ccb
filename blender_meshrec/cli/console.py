"""Output of the commands: progress as a bar or as lines of JSON, results on standard output, errors on standard error."""

import json
import os
import re
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

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
        self._output = sys.stdout  # libraries may print while it is redirected
        self._stage: str | None = None
        self._stage_start = 0.0  # s
        self._width = 0  # characters of the line that is drawn
        self._block_lines = 0  # of the block that is drawn

    @property
    def is_json(self) -> bool:
        """Whether each event is a line of JSON."""
        return self._style == "json"

    def event(self, event: str, **facts: object) -> None:
        """Print an event as a line of JSON, in that style only."""
        if self.is_json:
            self._print_event(event, **facts)

    def draw_block(self, lines: Sequence[str], stream: TextIO | None = None) -> None:
        """Replace the lines that are drawn at the end of a terminal, such as bars; none clears them. Log files get none."""
        stream = stream or sys.stderr
        if self._style != "bar" or not stream.isatty() or not (lines or self._block_lines):
            return
        columns, rows = shutil.get_terminal_size()
        shown = [escape_control_characters(_to_one_line(line))[: columns - 1] for line in lines[: rows - 1]]
        up = f"\x1b[{self._block_lines}A" if self._block_lines else ""
        self._block_lines = len(shown)
        self._write_error(f"\r{up}\x1b[J" + "".join(f"{line}\n" for line in shown))

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
        self._clear()
        if self._style != "json":
            self._print_output(text)

    def warn(self, text: str, about: str = "") -> None:
        """Print a warning; the command continues."""
        self._clear()
        if self._style == "json":
            self._print_event("warning", input=about, text=text)
        else:
            self._print_error(_to_one_line(f"Warning: {text}"))

    def done(self, about: str, outputs: Sequence[str]) -> None:
        """Print the outputs of an input that is finished."""
        self.num_finished += 1
        self._clear()
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
        self._clear()
        self._stage = None
        if isinstance(error, MeshRecError):
            code, problem, remedy = int(error.exit_code), error.problem, error.remedy
        else:
            said = f"{type(error).__name__}: {describe_exception(error)}".rstrip(": .")
            code, problem = int(ExitCode.FAULT), f"Something went wrong ({said})."
            remedy = "This is a fault of ours: please report it with what --debug shows."
        details = "".join(traceback.format_exception(error)) if self._debug else ""
        self._print_failure(about, code, problem, remedy, details, is_only_input)
        return code

    def fail_with(self, outcome: Mapping[str, Any], about: str) -> None:
        """Print a failure that is known by its exit_code, problem, remedy and, for --debug, details."""
        self._clear()
        details = str(outcome.get("details", "")) if self._debug else ""
        self._print_failure(about, outcome["exit_code"], outcome["problem"], outcome["remedy"], details, False)

    def _print_failure(self, about: str, code: int, problem: str, remedy: str, details: str, is_only_input: bool) -> None:
        if self._style == "json":
            self._print_event("failed", input=about, exit_code=code, problem=problem, remedy=remedy)
        if details:
            self._print_error(details.rstrip("\n"))
        # With several inputs, the message alone may not tell which one failed.
        text = f"{about}: {problem} {remedy}" if about and not is_only_input else f"{problem} {remedy}"
        self._print_error(_to_one_line(text))

    def _print_event(self, event: str, **facts: object) -> None:
        self._print_output(json.dumps({"event": event, **facts}))

    def _print_output(self, text: str) -> None:
        """Print a line on standard output; if its reader has closed the pipe, as `| head` does, later output is discarded."""
        try:
            print(escape_control_characters(text), file=self._output, flush=True)
        except BrokenPipeError:
            _redirect_to_null(self._output)
        except OSError as error:
            raise OutputError(
                "standard-output-not-writable",
                "Standard output cannot be written: {reason}.",
                "Send it somewhere else.",
                reason=error.strerror,
            ) from error

    def _clear(self) -> None:
        """Remove what is drawn, so that a line can be printed."""
        self._draw_line("")
        self.draw_block([])

    def _draw_line(self, line: str) -> None:
        """Replace the line that is drawn; an empty one clears it."""
        if line or self._width:
            self._print_error(line.ljust(self._width), begin="\r", end="" if line else "\r")
            self._width = len(line)

    def _print_error(self, text: str, begin: str = "", end: str = "\n") -> None:
        """Print text on standard error, without characters that a terminal would obey."""
        self._write_error(f"{begin}{escape_control_characters(text)}{end}")

    def _write_error(self, text: str) -> None:
        """Write to standard error; if that fails, later output is discarded."""
        try:
            print(text, end="", file=sys.stderr, flush=True)
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
