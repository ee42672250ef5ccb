"""The log of an installation: the output of its child processes, in memory and in a file."""

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TextIO


class InstallationLog:
    """Lines of output; while `open_file` is active, they are also written to a file.

    lines: all lines so far.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._file: TextIO | None = None

    def add_line(self, line: str) -> None:
        """Append a line."""
        self.lines.append(line)
        if self._file is not None:
            self._file.write(f"{line}\n")
            self._file.flush()

    def tail(self, count: int) -> list[str]:
        """The last `count` lines."""
        return self.lines[-count:]

    @contextlib.contextmanager
    def open_file(self, path: Path, header: Sequence[str]) -> Generator[None, None, None]:
        """Write a new file that starts with `header`; an error that ends the block is its last line."""
        with open(path, "w", encoding="utf-8") as file:
            self._file = file
            for line in header:
                self.add_line(line)
            try:
                yield
            except Exception as error:
                self.add_line(f"{type(error).__name__}: {error}")
                raise
            finally:
                self._file = None
