"""Child processes of an installation: their output arrives line by line, and they end at once with a cancelled or ended parent."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..core.errors import CancelledError, NotSetUpError
from .backend_location import PathName
from .process_groups import kill_process_group, start_process_group

_TETHERED_SCRIPT = Path(__file__).with_name("tethered_process.py")


class ChildProcesses:
    """Runs one child after another; `terminate` ends the running one, with its own children, and prevents later ones."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        self._lock = threading.Lock()

    @property
    def terminated(self) -> bool:
        """Whether `terminate` was called."""
        return self._ended

    def terminate(self) -> None:
        """End the running child at once; may be called from any thread."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                _kill_tree(self._process)

    def raise_if_terminated(self) -> None:
        """Raise CancelledError if `terminate` was called."""
        if self._ended:
            raise CancelledError(
                "installation-cancelled", "Installing the backend was cancelled.", "Install Backend goes on where it stopped."
            )

    def run_module(self, python: PathName, module: str, arguments: Iterable[object], on_line: Callable[[str], None]) -> int:
        """Run `python -m module` so that it ends when this process ends, even if this process crashes. Returns its exit code."""
        return self.run([python, "-I", "-u", _TETHERED_SCRIPT, module, *arguments], on_line)

    def run(self, command: Iterable[object], on_line: Callable[[str], None]) -> int:
        """Run a command; `on_line` receives each line of its standard output and standard error. Returns its exit code.

        Raises:
            NotSetUpError: the command cannot be started. CancelledError: `terminate` was called.
        """
        words = [str(word) for word in command]
        with self._lock:
            self.raise_if_terminated()
            try:
                process = start_process_group(words, stderr=subprocess.STDOUT, env=self._environ)
            except OSError as error:
                raise NotSetUpError(
                    "installation-python-not-startable",
                    "{program} could not be started: {reason}.",
                    "Choose another Python in the add-on's preferences.",
                    program=words[0],
                    reason=error.strerror or error,
                ) from error
            self._process = process
        assert process.stdin is not None and process.stdout is not None  # both are pipes
        output = process.stdout
        try:
            with output:
                for line in output:
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
        return process.wait()


def _kill_tree(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True)
        return
    # A child that has ended may have left its own children behind.
    kill_process_group(process)
