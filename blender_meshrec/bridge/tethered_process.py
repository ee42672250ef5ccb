"""Run a module of this Python in a process that ends when the process that started it ends.

python -I -u tethered_process.py MODULE ARGUMENTS...    with a pipe as standard input, to which nothing is written
"""

import os
import runpy
import signal
import sys
import threading


def end_with_parent() -> None:
    """End this process, and on POSIX its group, when standard input closes, because the process that started this one has ended.

    Standard input itself becomes empty: on Windows, libraries look at it when they are loaded, and hang while another thread waits for it.
    """
    tether, null = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=_exit_with_parent, args=(tether,), daemon=True).start()


def _exit_with_parent(tether: int) -> None:
    # os.read, not sys.stdin: a thread that waits inside a buffered reader makes the interpreter's shutdown fail.
    while os.read(tether, 1):
        pass
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # also ends what this process has started
    os._exit(1)


if __name__ == "__main__":
    if sys.platform == "win32":
        system = runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "windows_system.py"))
        system["end_children_with_this_process"]()
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
