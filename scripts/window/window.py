"""Drives the prepared Blender from outside, as a person does: real pointer movements, clicks and keys of an X server.

Everything runs in namespaces of its own (mounts, processes, and no network at all) on the folder that
scripts/prepare_window_blender.py makes: nothing is left behind, whatever happens.
"""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

from scripts.prepare_window_blender import is_ready, missing_requirement, window_folder

TOOLS_FOLDER = Path(__file__).resolve().parent
MATERIAL_FOLDER = "/mnt/material"
# Nothing of what is mounted here is seen outside, and it ends with the process.
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
    # At its own place: where a Python is built to be, it looks for its libraries.
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


def reason_to_skip():
    """Why there is no window here, or None."""
    reason = missing_requirement()
    if reason:
        return reason
    if not is_ready(window_folder()):
        return f"There is no Blender in {window_folder()}: run scripts/prepare_window_blender.py."
    return None


class Window:
    """A Blender with a window. Coordinates are pixels from the screen's upper left corner.

    home: folder that is the artist's own, /home/artist there. material: folder with what is given, /mnt/material there.
    python: lend this Python's installation, in which the backend runs.
    """

    def __init__(self, home, material, python=True, size=(1280, 800)):
        self.size = size
        lent = sys.base_prefix if python else ""
        words = [window_folder(), home, material, lent, TOOLS_FOLDER, *size]
        namespaces = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        command = [*namespaces, "sh", "-c", _ENTER, "enter", *(str(word) for word in words)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    # --- the Blender process ---

    def start(self, *arguments, **environ):
        """Start Blender; gives its version."""
        version = self._do("start", arguments=arguments, environ=environ)
        self.wait_until("drawn", 60)
        self.evaluate("bpy.types.SpaceView3D.draw_handler_remove(_first, 'WINDOW')")
        time.sleep(0.5)
        return version

    def evaluate(self, code, seconds=60):
        """The value of an expression in Blender, evaluated between two of its events; None for statements."""
        return self._do("evaluate", code=code, seconds=seconds)

    def processes(self):
        """Every process there: (id, parent, command)."""
        return [tuple(process) for process in self._do("processes")]

    def files(self, folder):
        """Every file below a folder there."""
        return self._do("files", folder=folder)

    def wait_for_end(self, seconds=30):
        """Blender's exit code, None where it has not ended in time."""
        return self._do("wait", seconds=seconds)

    def kill(self):
        """End Blender as the system would."""
        self._do("kill")

    def log(self):
        """The end of what Blender has printed."""
        return self._do("log")

    def run(self, *command):
        """Run a command beside Blender; gives what it prints."""
        returncode, text = self._do("run", command=[str(word) for word in command])
        if returncode:
            raise RuntimeError(f"{command[0]} failed ({returncode}): {text}")
        return text

    def _do(self, name, **arguments):
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The window has gone.")
        kind, value = json.loads(line)
        if kind == "error":
            raise RuntimeError(value)
        return value

    # --- pointer, keyboard and screen ---

    def move(self, x, y):
        """Move the pointer."""
        self.run("xdotool", "mousemove", int(x), int(y))
        time.sleep(0.05)

    def click(self, x, y, button=1, times=1):
        """Move there and click."""
        self.move(x - 1, y)
        self.move(x, y)
        for _ in range(times):
            self.run("xdotool", "mousedown", button)
            time.sleep(0.06)
            self.run("xdotool", "mouseup", button)
            time.sleep(0.06)
        time.sleep(0.15)

    def press(self, *keys):
        """Press keys, by xdotool's names, one after another; "ctrl+a" is one."""
        for key in keys:
            self.run("xdotool", "key", key)
            time.sleep(0.12)

    def type(self, text):
        """Type a text."""
        self.run("xdotool", "type", "--delay", "12", text)
        time.sleep(0.2)

    def save_screenshot(self, path, box=None):
        """Save what is on the screen as a .png or .jpg; box: left, top, width, height of a part of it."""
        crop = ["-crop", "{2}x{3}+{0}+{1}".format(*map(int, box)), "+repage"] if box else []
        picture = f"/tmp/screen{Path(path).suffix}"
        self.run("import", "-window", "root", *crop, "-quality", 82, picture)
        Path(path).write_bytes(base64.b64decode(self.run("base64", "-w0", picture)))
        self.run("rm", picture)

    def screen_region(self, area, region):
        """A region's left, top, width and height on the screen."""
        box = self.evaluate(f"region_box({area!r}, {region!r})")
        if box is None:
            raise LookupError(f"there is no {region} of a {area}")
        left, bottom, width, height, window_left, window_bottom = box
        top = self.size[1] - window_bottom - bottom - height
        return left + window_left, top, width, height

    def find_button(self, what, area="VIEW_3D", region="UI", columns=(0.5, 0.25, 0.75, 0.92, 0.1), scrolls=0, below=0):
        """Move the pointer down a region until the button below it does `what`; gives the place.

        Args:
            what: part of the Python of an operator, or of the path of a property. columns: where to look, shares of the width.
            scrolls: how often the region may be scrolled down on the way. below: the y from which on to look.
        """
        left, top, width, height = self.screen_region(area, region)
        for scroll in range(scrolls + 1):
            if scroll:
                for _ in range(4):
                    self.run("xdotool", "click", 5)
                time.sleep(0.3)
            for column in columns:
                x = left + column * width
                for y in range(max(int(top), int(below), 0) + 6, min(int(top + height), self.size[1]) - 3, 9):
                    self.run("xdotool", "mousemove", int(x), y)
                    time.sleep(0.02)
                    if what in (self.evaluate(f"under_pointer({area!r}, {region!r})") or ""):
                        return x, y + 3
        raise LookupError(f"no button for {what} in the {region} of {area}")

    def click_button(self, what, area="VIEW_3D", region="UI", **options):
        """Find a button and click it."""
        x, y = self.find_button(what, area, region, **options)
        self.click(x, y)
        return x, y

    def fill_text_field(self, what, text, area="VIEW_3D", region="UI", **options):
        """Find a text field, put a text into it and leave it."""
        x, y = self.find_button(what, area, region, **options)
        self.click(x, y, times=2)
        self.press("ctrl+a")
        self.type(text)
        self.press("Return")

    def wait_until(self, expression, seconds=60, every=0.2):
        """Wait until an expression in Blender is true; gives its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} is {value!r} after {seconds} s")
            time.sleep(every)
