"""The command line: one program for `meshrec ...` and `blender --command meshrec ...`."""

import sys
from collections.abc import Sequence

from .interruption import interrupt_on_signals

CANCELLED_EXIT_CODE = 130  # core.errors.ExitCode.CANCELLED, which would have to be loaded


def main(arguments: Sequence[str] | None = None, prog: str = "meshrec") -> int:
    """Run one command; returns its exit code.

    Loading the program takes a part of a second, in which Ctrl-C and SIGTERM already cancel.

    Args:
        arguments: the words after the program's name; sys.argv's by default.
    """
    with interrupt_on_signals() as interruption:
        try:
            from . import program

            return program.main(arguments, prog)
        except BaseException:  # a module whose loading is interrupted may raise any error
            if not interruption.is_set():
                raise
    print("Cancelled. Nothing was changed.", file=sys.stderr)
    return CANCELLED_EXIT_CODE
