"""Runs in the prepared Debian: a virtual screen, Blender on it, and commands for both, one line of JSON in each direction.

python3 blender_host.py WIDTH HEIGHT    started by window.py. Standard library only: it runs with that Debian's Python.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

OBSERVER_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "observer.py")
MARK = "\x1f"  # first character of the observer's lines in Blender's output
DISPLAY = ":7"


class BlenderHost:
    """A virtual screen and at most one Blender on it; its methods are the commands."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._started: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._log: list[str] = []
        os.environ["DISPLAY"] = DISPLAY
        command = ["Xvfb", DISPLAY, "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-ac"]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(f"/tmp/.X11-unix/X{DISPLAY[1:]}"), 20)

    def start(self, arguments: Sequence[str] = (), environ: Mapping[str, str] | None = None, seconds: float = 90) -> Any:
        """Start Blender on the whole screen, and wait until it listens; returns its version."""
        width, height = self._size
        command = ["blender", "-p", "0", "0", str(width), str(height), *arguments, "--python", OBSERVER_SCRIPT]
        self._started = subprocess.Popen(
            command,
            text=True,
            errors="replace",
            env={**os.environ, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._answers = queue.Queue()
        threading.Thread(target=self._listen, args=(self._started, self._answers), daemon=True).start()
        return self._answer(seconds)

    def evaluate(self, code: str, seconds: float = 60) -> Any:
        """Run code in Blender between two of its events; returns the value."""
        commands = self._blender.stdin
        assert commands is not None
        commands.write(json.dumps(code) + "\n")
        commands.flush()
        return self._answer(seconds)

    def run(self, command: Sequence[str], seconds: float = 120) -> list[Any]:
        """Run a command beside Blender; returns its exit code and its output."""
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
        return [done.returncode, done.stdout + done.stderr]

    def wait(self, seconds: float = 30) -> int | None:
        """Wait until Blender has ended; returns its exit code, or None if it still runs."""
        try:
            return self._blender.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> int:
        """Kill Blender, as the system does when memory runs out."""
        self._blender.send_signal(signal.SIGKILL)
        return self._blender.wait()

    def log(self) -> str:
        """The end of Blender's output."""
        return "".join(self._log[-80:])

    def processes(self) -> list[list[Any]]:
        """Every process here: [id, parent, command]."""
        found: list[list[Any]] = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat, open(f"/proc/{name}/cmdline") as line:
                        fields, command = stat.read().rpartition(")")[2].split(), line.read().replace("\0", " ").strip()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended in the meantime
                if fields[0] != "Z":
                    found.append([int(name), int(fields[1]), command])
        return found

    @property
    def _blender(self) -> "subprocess.Popen[str]":
        """The Blender process.

        Raises:
            RuntimeError: Blender has not been started.
        """
        if self._started is None:
            raise RuntimeError("Blender has not been started.")
        return self._started

    def files(self, folder: str) -> list[str]:
        """Every file below a folder."""
        return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)

    def _listen(self, process: "subprocess.Popen[str]", answers: "queue.Queue[str | None]") -> None:
        """Sort Blender's output into answers and log; None as an answer when it ends."""
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(MARK):
                answers.put(line[1:])
            else:
                self._log.append(line)
        answers.put(None)

    def _answer(self, seconds: float) -> Any:
        """The next answer of the observer."""
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise RuntimeError(f"Blender did not answer within {seconds} s:\n{self.log()}") from None
        if line is None:
            raise RuntimeError(f"Blender has ended:\n{self.log()}")
        kind, value = json.loads(line)
        if kind == "error":
            raise RuntimeError(value)
        return value


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{condition} was not met within {seconds} s")
        time.sleep(0.02)


def main() -> None:
    """Answer commands from standard input, [name, arguments], with ["ok", value] or ["error", text]."""
    host = BlenderHost(int(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = ["ok", getattr(host, name)(**arguments)]
        except Exception as error:  # noqa: BLE001 - reported to the caller
            answer = ["error", f"{type(error).__name__}: {error}"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
