"""Controls the prepared Blender from outside like a user, with real pointer movements, clicks and keys of an X server.

Everything runs in separate namespaces (mounts, processes, and no network) on the folder of scripts/prepare_window_blender.py, so nothing
remains when it ends.
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.prepare_window_blender import is_ready, missing_requirement, window_folder

_SECONDS_TO_START = 60
TOOLS_FOLDER = Path(__file__).resolve().parent
MATERIAL_FOLDER = "/mnt/material"
# The mounts are not visible outside, and they end with the process.
_ENTER = """
set -e
root=$1 home=$2 material=$3 python=$4 tools=$5 width=$6 height=$7
mount --make-rprivate /
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/mnt"
mount -t tmpfs tmpfs "$root/home"
mkdir -p "$root/home/artist" "$root/mnt/material" "$root/mnt/tools"
mount --bind "$home" "$root/home/artist"
mount --bind "$material" "$root/mnt/material"
mount --bind "$tools" "$root/mnt/tools"
if [ -n "$python" ]; then
    # At its own path, because a Python looks for its libraries there.
    mkdir -p "$root$python"
    mount --bind "$python" "$root$python"
    mount -o remount,bind,ro "$root$python"
fi
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
exec chroot "$root" /usr/bin/env -i HOME=/home/artist USER=artist LANG=C.UTF-8 TERM=dumb LIBGL_ALWAYS_SOFTWARE=1 \\
    XDG_RUNTIME_DIR=/tmp PATH="${python:+$python/bin:}/usr/bin:/bin" /usr/bin/python3 -u /mnt/tools/blender_host.py "$width" "$height"
"""


def reason_to_skip() -> str | None:
    """The reason why this machine has no window, or None."""
    reason = missing_requirement()
    if reason:
        return reason
    if not is_ready(window_folder()):
        return f"There is no Blender in {window_folder()}: run scripts/prepare_window_blender.py."
    return None


def patience() -> float:
    """How many times longer a wait may take on this computer than on an idle one: processes that want to run, for each processor."""
    return max(1.0, 1.5 * max(os.getloadavg()[:2]) / (os.cpu_count() or 1))


class Window:
    """A Blender with a window. Coordinates are pixels from the screen's upper left corner.

    home: the user's home folder, /home/artist inside. material: folder with input files, /mnt/material inside.
    python: mount this Python's installation, for the backend.
    """

    def __init__(self, home: Path | str, material: Path | str, python: bool = True, size: tuple[int, int] = (1280, 800)) -> None:
        self.size = size
        python_folder = sys.base_prefix if python else ""
        words = [window_folder(), home, material, python_folder, TOOLS_FOLDER, *size]
        namespaces = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        command = [*namespaces, "sh", "-c", _ENTER, "enter", *(str(word) for word in words)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    # --- the Blender process ---

    def start(self, *arguments: str, **environ: str) -> str:
        """Start Blender; returns its version."""
        version = self._do("start", arguments=arguments, environ=environ, seconds=_SECONDS_TO_START * patience())
        self.wait_until("drawn", 60)
        self.evaluate("bpy.types.SpaceView3D.draw_handler_remove(_first, 'WINDOW')")
        time.sleep(0.5)
        return version

    def evaluate(self, code: str, seconds: float = 60) -> Any:
        """The value of an expression in Blender, evaluated between two of its events; None for statements."""
        return self._do("evaluate", code=code, seconds=seconds * patience())

    def processes(self) -> list[tuple[int, int, str]]:
        """All processes inside: (id, parent, command)."""
        return [(number, parent, command) for number, parent, command in self._do("processes")]

    def files(self, folder: str) -> list[str]:
        """All files below a folder inside."""
        return self._do("files", folder=folder)

    def wait_for_end(self, seconds: float = 30) -> int | None:
        """Blender's exit code, or None if it has not ended in time."""
        return self._do("wait", seconds=seconds)

    def kill(self) -> None:
        """Kill Blender, as the system does when memory runs out."""
        self._do("kill")

    def log(self) -> str:
        """The end of Blender's output."""
        return self._do("log")

    def run(self, *command: object) -> str:
        """Run a command beside Blender; returns its output."""
        returncode, text = self._do("run", command=[str(word) for word in command])
        if returncode:
            raise RuntimeError(f"{command[0]} failed ({returncode}): {text}")
        return text

    def _do(self, name: str, **arguments: Any) -> Any:
        """Send a command of BlenderHost; returns its value."""
        commands, answers = self._process.stdin, self._process.stdout
        assert commands is not None and answers is not None
        commands.write(json.dumps([name, arguments]) + "\n")
        commands.flush()
        line = answers.readline()
        if not line:
            raise RuntimeError("The window has gone.")
        kind, value = json.loads(line)
        if kind == "error":
            raise RuntimeError(value)
        return value

    # --- pointer, keyboard and screen ---

    def move(self, x: float, y: float) -> None:
        """Move the pointer."""
        self.run("xdotool", "mousemove", int(x), int(y))
        time.sleep(0.05)

    def click(self, x: float, y: float, button: int = 1, times: int = 1) -> None:
        """Move there and click."""
        self.move(x - 1, y)
        self.move(x, y)
        for _ in range(times):
            self.run("xdotool", "mousedown", button)
            time.sleep(0.06)
            self.run("xdotool", "mouseup", button)
            time.sleep(0.06)
        time.sleep(0.15)

    def press(self, *keys: str) -> None:
        """Press keys, by xdotool's names, one after another; "ctrl+a" is one key."""
        for key in keys:
            self.run("xdotool", "key", key)
            time.sleep(0.12)

    def type(self, text: str) -> None:
        """Type a text."""
        self.run("xdotool", "type", "--delay", "12", text)
        time.sleep(0.2)

    def save_screenshot(self, path: Path | str, box: Sequence[float] | None = None) -> None:
        """Save the screen as a .png or .jpg; box: left, top, width, height of a part of it."""
        crop = ["-crop", "{2:d}x{3:d}+{0:d}+{1:d}".format(*(int(value) for value in box)), "+repage"] if box else []
        picture = f"/tmp/screen{Path(path).suffix}"
        self.run("import", "-window", "root", *crop, "-quality", 82, picture)
        Path(path).write_bytes(base64.b64decode(self.run("base64", "-w0", picture)))
        self.run("rm", picture)

    def screen_region(self, area: str, region: str) -> tuple[int, int, int, int]:
        """A region's left, top, width and height on the screen."""
        box = self.evaluate(f"region_box({area!r}, {region!r})")
        if box is None:
            raise LookupError(f"there is no {region} of a {area}")
        left, bottom, width, height, window_left, window_bottom = box
        top = self.size[1] - window_bottom - bottom - height
        return left + window_left, top, width, height

    def find_button(
        self,
        what: str,
        area: str = "VIEW_3D",
        region: str = "UI",
        columns: Sequence[float] = (0.5, 0.25, 0.75, 0.92, 0.1),
        scrolls: int = 0,
        below: int = 0,
    ) -> tuple[float, int]:
        """Move the pointer down a region until a certain button is below it; returns the position.

        Args:
            what: part of the Python call of an operator, or of the data path of a property. columns: x positions of the search, fractions
                of the width. scrolls: how often the region may be scrolled down. below: the smallest y of the search.
        """
        left, top, width, height = self.screen_region(area, region)
        for scroll in range(scrolls + 1):
            if scroll:
                for _ in range(4):
                    self.run("xdotool", "click", 5)
                time.sleep(0.3)
            for column in columns:
                x = left + column * width
                for y in range(max(top, below, 0) + 6, min(top + height, self.size[1]) - 3, 9):
                    self.run("xdotool", "mousemove", int(x), y)
                    time.sleep(0.02)
                    if what in (self.evaluate(f"under_pointer({area!r}, {region!r})") or ""):
                        return x, y + 3
        raise LookupError(f"no button for {what} in the {region} of {area}")

    def click_button(self, what: str, area: str = "VIEW_3D", region: str = "UI", **options: Any) -> tuple[float, int]:
        """Find a button and click it."""
        x, y = self.find_button(what, area, region, **options)
        self.click(x, y)
        return x, y

    def fill_text_field(self, what: str, text: str, area: str = "VIEW_3D", region: str = "UI", **options: Any) -> None:
        """Find a text field and replace its text."""
        x, y = self.find_button(what, area, region, **options)
        self.click(x, y, times=2)
        self.press("ctrl+a")
        self.type(text)
        self.press("Return")

    def wait_until(self, expression: str, seconds: float = 60, every: float = 0.2) -> Any:
        """Wait until an expression in Blender is true; returns its value."""
        begun = time.monotonic()
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            if time.monotonic() > begun + seconds * patience():
                raise TimeoutError(f"{expression} is {value!r} after {seconds} s")
            time.sleep(every)
