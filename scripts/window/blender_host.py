"""Inside the prepared Debian: a screen without a monitor, Blender on it, and commands for both, a line of JSON each way.

python3 blender_host.py WIDTH HEIGHT    started by window.py; see there. Standard library only: it runs on that Debian's own Python.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

OBSERVER_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "observer.py")
MARK = "\x1f"  # begins the observer's own lines among whatever else Blender prints
DISPLAY = ":7"
SECONDS_TO_START = 90


class BlenderHost:
    def __init__(self, width, height):
        self._size = (width, height)
        self._blender = None
        self._answers = None
        self._log = []
        os.environ["DISPLAY"] = DISPLAY
        command = ["Xvfb", DISPLAY, "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-ac"]
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: os.path.exists(f"/tmp/.X11-unix/X{DISPLAY[1:]}"), 20)

    def start(self, arguments=(), environ=None):
        """Start Blender on the whole screen; waits until it listens."""
        width, height = self._size
        command = ["blender", "-p", "0", "0", str(width), str(height), *arguments, "--python", OBSERVER_SCRIPT]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self._blender = subprocess.Popen(command, text=True, errors="replace", env={**os.environ, **(environ or {})}, **pipes)
        self._answers = queue.Queue()
        threading.Thread(target=self._listen, args=(self._blender, self._answers), daemon=True).start()
        return self._answer(SECONDS_TO_START)

    def evaluate(self, code, seconds=60):
        """Have Blender run code between two of its events; gives the value."""
        self._blender.stdin.write(json.dumps(code) + "\n")
        self._blender.stdin.flush()
        return self._answer(seconds)

    def run(self, command, seconds=120):
        """Run a command beside Blender; gives its exit code and what it printed."""
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
        return [done.returncode, done.stdout + done.stderr]

    def wait(self, seconds=30):
        """Wait until Blender has ended; gives its exit code, None where it goes on."""
        try:
            return self._blender.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        """End Blender as the system would."""
        self._blender.send_signal(signal.SIGKILL)
        return self._blender.wait()

    def log(self):
        """The end of what Blender has printed."""
        return "".join(self._log[-80:])

    def processes(self):
        """Every process here: [id, parent, command]."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as stat, open(f"/proc/{name}/cmdline") as line:
                        fields, command = stat.read().rpartition(")")[2].split(), line.read().replace("\0", " ").strip()
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended meanwhile
                if fields[0] != "Z":
                    found.append([int(name), int(fields[1]), command])
        return found

    def files(self, folder):
        """Every file below a folder."""
        return sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)

    def _listen(self, process, answers):
        for line in process.stdout:
            if line.startswith(MARK):
                answers.put(line[1:])
            else:
                self._log.append(line)
        answers.put(None)

    def _answer(self, seconds):
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


def wait_for(condition, seconds):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{condition} was not met within {seconds} s")
        time.sleep(0.02)


def main():
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
