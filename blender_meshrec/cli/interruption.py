"""Signals that end a command. Only the standard library's quickest modules are imported, so that the handlers are set early."""

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType


@contextlib.contextmanager
def interrupt_on_signals() -> Generator[threading.Event, None, None]:
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does, by KeyboardInterrupt; only once, to let cleaning up finish.

    Yields an Event that is set when it happens.
    """
    interruption = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not interruption.is_set():
            interruption.set()
            raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in numbers}
    # A signal that is ignored stays ignored: `nohup` works that way.
    previous = {number: handler for number, handler in previous.items() if handler != signal.SIG_IGN}
    try:
        for number in previous:
            signal.signal(number, interrupt)
        yield interruption
    finally:
        for number, handler in previous.items():
            # None: the handler was not set from Python, so Python cannot restore it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
