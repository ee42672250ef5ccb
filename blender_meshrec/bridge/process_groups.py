"""Child processes in a process group of their own, so that a child is ended together with the children it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


def start_process_group(
    command: Sequence[str], stderr: int = subprocess.PIPE, env: Mapping[str, str] | None = None, low_priority: bool = False
) -> "subprocess.Popen[bytes]":
    """Start a child in its own process group, with pipes for its standard streams.

    Args:
        stderr: as subprocess takes it. env: environment variables of the child; this process's by default. low_priority: let this
            program's own window have the processor first.
    """
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | (subprocess.BELOW_NORMAL_PRIORITY_CLASS if low_priority else 0)
        return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, creationflags=flags)
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        # Desktop Linux shares the processor between sessions first and applies priorities within a session: a child with a low
        # priority has to stay in this program's session.
        process_group=0 if low_priority else None,
        start_new_session=not low_priority,
    )


def kill_process_group(process: "subprocess.Popen[bytes]") -> None:
    """End a child and the children it has started; on Windows those of a child that called `end_children_with_this_process`."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_for_exit(process: "subprocess.Popen[bytes]") -> None:
    """Wait until a child has ended; where the system can, its id and its group remain valid until `process.wait` is called."""
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):  # another thread has waited
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        return
    while process.poll() is None:
        time.sleep(0.1)
