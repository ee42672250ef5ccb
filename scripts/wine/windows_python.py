"""A Python for Windows as a command of this system: Wine runs it in namespaces of its own, without a network but for its own address.

Inside, drive Z: is the Debian's root: Z:\\mnt\\project is this checkout, read only, and Z:\\mnt\\work a folder of the caller's.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from scripts import ROOT

PROJECT, WORK = "Z:\\mnt\\project", "Z:\\mnt\\work"
# Not as the first process of its namespace, which no signal from inside would end. Without /sys, Wine does not know the number of
# processors, and Blender starts hundreds of threads. The third line is for servers that tests run on the computer's own address.
_ENTER = """
folder=$1 work=$2 project=$3; shift 3
root=$folder/debian
ip link set lo up 2>/dev/null
mount --make-rprivate / || exit 3
mount -t tmpfs tmpfs "$root/tmp" && mount -t tmpfs tmpfs "$root/mnt" || exit 3
mkdir -p "$folder/home" "$root/mnt/home" "$root/mnt/pythons" "$root/mnt/project" "$root/mnt/work"
mount --bind "$folder/home" "$root/mnt/home"
mount --bind "$folder" "$root/mnt/pythons"
mount --bind "$work" "$root/mnt/work"
mount --bind "$project" "$root/mnt/project" && mount -o remount,bind,ro "$root/mnt/project" || exit 3
mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" && mount -t proc proc "$root/proc" || exit 3
chroot "$root" /usr/bin/env -i HOME=/mnt/home WINEPREFIX=/mnt/home/wine PATH=/usr/bin:/bin LANG=C.UTF-8 XDG_RUNTIME_DIR=/tmp \\
    WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" KMP_AFFINITY=disabled OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=Z:/tmp "$@" 2>&1
"""
_RUN = 'cd /mnt/project; "$@"; code=$?; wineserver -k; exit $code'


class Ended(NamedTuple):
    """How a command ended: its exit code, None if it took too long, and its output."""

    code: int | None
    output: str


class WindowsPython:
    """The Pythons in a folder made by scripts/wine/prepare.py. work: a folder of the caller's, Z:\\mnt\\work inside."""

    def __init__(self, folder: Path, work: Path) -> None:
        self._folder, self._work = folder, work

    def make_windows(self) -> Ended:
        """Make the drive C: of a Windows, unless it exists."""
        if (self._folder / "home" / "wine" / "system.reg").is_file():
            return Ended(0, "")
        return self._enter(["sh", "-c", "wineboot -i && wineserver -w"], {}, 600)

    def run(self, name: str, *words: str, environ: Mapping[str, str] | None = None, seconds: float = 900) -> Ended:
        """Run a Python, `backend` or `blender`, in the checkout's folder."""
        return self._enter(["sh", "-c", _RUN, "run", "wine", f"/mnt/pythons/{name}/python.exe", *words], environ or {}, seconds)

    def _enter(self, words: list[str], environ: Mapping[str, str], seconds: float) -> Ended:
        namespaces = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        variables = [f"{name}={value}" for name, value in environ.items()]
        folders = [str(folder) for folder in (self._folder, self._work, ROOT)]
        command = [*namespaces, "sh", "-c", _ENTER, "enter", *folders, *variables, *words]
        # The computer goes on being useful: these are minutes of work.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(19)
        )
        try:
            output, code = process.communicate(timeout=seconds)[0], process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, code = process.communicate()[0], None
        return Ended(code, output.decode("utf-8", "replace"))
