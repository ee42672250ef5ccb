"""Run a module of this Python that ends when the process that started it does.

python -I -u tethered_process.py MODULE ARGUMENTS...    with a pipe as standard input that nobody writes to
"""

import os
import runpy
import signal
import sys
import threading


def _exit_with_parent():
    # os.read, not sys.stdin: a reader that waits inside a buffer would make the interpreter's own end fail.
    while os.read(0, 1):
        pass
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # and whatever the module has started
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
