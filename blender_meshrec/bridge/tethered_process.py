"""Run a module of this Python in a process that ends when the process that started it ends.

python -I -u tethered_process.py MODULE ARGUMENTS...    with a pipe as standard input, to which nothing is written
"""

import os
import runpy
import signal
import sys
import threading


def _exit_with_parent() -> None:
    # os.read, not sys.stdin: a thread that waits inside a buffered reader makes the interpreter's shutdown fail.
    while os.read(0, 1):
        pass
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # also ends what the module has started
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
