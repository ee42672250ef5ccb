"""The command line: one program for `meshrec ...` and `blender --command meshrec ...`.

Everything is imported by `main`, after it has made Ctrl-C and SIGTERM cancel. Before that, while Python itself starts, a signal is
Python's own affair.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # as of `typing`, which would have to be loaded
    from collections.abc import Callable, Sequence

CANCELLED_EXIT_CODE = 130  # core.errors.ExitCode.CANCELLED, which would have to be loaded
_CANCELLED = "Cancelled. Nothing was changed."


def main(arguments: "Sequence[str] | None" = None, prog: str = "meshrec") -> int:
    """Run one command; returns its exit code.

    Loading the program takes a part of a second, in which Ctrl-C and SIGTERM already cancel.

    Args:
        arguments: the words after the program's name; sys.argv's by default.
    """
    restore_handlers = _cancel_at_once_on_signals()
    try:
        return _run(arguments, prog)
    finally:
        restore_handlers()


def _run(arguments: "Sequence[str] | None", prog: str) -> int:
    import sys

    from .interruption import interrupt_on_signals

    with interrupt_on_signals() as interruption:
        try:
            from . import program

            return program.main(arguments, prog)
        except BaseException:  # a module whose loading is interrupted may raise any error
            if not interruption.is_set():
                raise
    print(_CANCELLED, file=sys.stderr)
    return CANCELLED_EXIT_CODE


def _cancel_at_once_on_signals() -> "Callable[[], None]":
    """Let Ctrl-C and SIGTERM end this process with a sentence, as long as nothing has begun; returns what restores the handlers.

    Handlers of other programs, such as a debugger's, and signals that are ignored stay as they are.
    """
    import _signal  # pyrefly: ignore[missing-import] - the built-in part of `signal`, whose own imports take milliseconds
    import os  # loaded by Python's start

    def cancel(_number: int, _frame: object) -> None:
        os.write(2, f"{_CANCELLED}\n".encode())
        os._exit(CANCELLED_EXIT_CODE)

    before = {number: _signal.getsignal(number) for number in (_signal.SIGINT, _signal.SIGTERM)}
    usual = (_signal.SIG_DFL, _signal.default_int_handler)
    changed = [number for number, handler in before.items() if handler in usual]

    def restore() -> None:
        for number in changed:
            _signal.signal(number, before[number])

    try:
        for number in changed:
            _signal.signal(number, cancel)
    except ValueError:  # not the main thread, which alone may set handlers
        changed.clear()
    return restore
