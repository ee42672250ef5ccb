"""Child processes of an installation: heard line by line, ended at once, gone when this process is."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ..core.errors import CancelledError, NotSetUpError

_TETHERED_SCRIPT = Path(__file__).with_name("tethered_process.py")
_WINDOWS = sys.platform == "win32"


class ChildProcesses:
    """Runs one child after another; `terminate` stops the one that runs, with whatever it has started, and every later one."""

    def __init__(self, environ):
        self._environ = environ
        self._process = None
        self._ended = False
        self._lock = threading.Lock()

    @property
    def terminated(self):
        return self._ended

    def terminate(self):
        """End the running child now; from any thread, at any time."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                _kill_tree(self._process)

    def raise_if_terminated(self):
        """Raises CancelledError once `terminate` was called."""
        if self._ended:
            raise CancelledError(
                "installation-cancelled", "Installing the backend was cancelled.", "Install Backend goes on where it stopped."
            )

    def run_module(self, python, module, arguments, on_line):
        """Run `python -m module`, tethered to this process: it ends when this one does, even if this one crashes."""
        return self.run([python, "-I", "-u", _TETHERED_SCRIPT, module, *arguments], on_line)

    def run(self, command, on_line):
        """Run a command; `on_line` gets each line it prints, on either stream. Returns its exit code.

        Raises:
            NotSetUpError: it cannot be started. CancelledError: `terminate` was called.
        """
        own_group = {"creationflags": subprocess.CREATE_NO_WINDOW} if _WINDOWS else {"start_new_session": True}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with self._lock:
            self.raise_if_terminated()
            try:
                process = subprocess.Popen([str(word) for word in command], env=self._environ, **pipes, **own_group)
            except OSError as error:
                raise NotSetUpError(
                    "installation-python-not-startable",
                    "{program} could not be started: {reason}.",
                    "Choose another Python in the add-on's preferences.",
                    program=command[0],
                    reason=error.strerror or error,
                ) from error
            self._process = process
        try:
            with process.stdout:
                for line in process.stdout:
                    on_line(line.decode("utf-8", "replace").rstrip())
            process.wait()
        finally:
            with self._lock:
                if process.returncode is None:
                    _kill_tree(process)
                self._process = None
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()
        self.raise_if_terminated()
        return process.returncode


def _kill_tree(process):
    if process.poll() is not None and _WINDOWS:
        return
    if _WINDOWS:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
        return
    # Its group: what it has started goes with it. One that has ended may have left some of that behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
