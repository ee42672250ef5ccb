"""Prepare a real Blender with a window in a folder, for the window tests and the pictures of the documentation.

    python3 -m scripts.prepare_window_blender [FOLDER]

It installs Debian trixie's Blender 4.3, a virtual X server, and tools for input and screenshots in the folder, from the package index of
this machine's apt. Nothing is installed on the machine itself. It needs Linux and root, because it uses chroot. Exit codes: 0 ready, 3
not possible on this machine (the reason is the last line), 1 failed.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SUITE = "trixie"
PACKAGES = (
    "blender", "libgl1-mesa-dri", "libegl1", "libgl1", "libgles2", "xvfb", "xauth", "xdotool", "imagemagick", "tk", "tkdnd",
    "python3-numpy", "python3-requests", "python3-venv", "python3-zstandard",
)  # fmt: skip
UNSUPPORTED_EXIT_CODE = 3
_STAMP = "meshrec-window.stamp"


def window_folder() -> Path:
    """The folder of the Blender with a window: MESHREC_WINDOW_BLENDER, or in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MESHREC_WINDOW_BLENDER") or cache / "meshrec" / "window-blender")


def is_ready(folder: Path, packages: Sequence[str] = PACKAGES) -> bool:
    """Whether the folder is a complete Debian with the packages."""
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text() == " ".join((SUITE, *packages))


def missing_requirement(what: str = "The window tests") -> str | None:
    """The reason why this machine cannot run `what`, or None."""
    if sys.platform != "linux":
        return f"{what} need Linux."
    if platform.machine() != "x86_64":
        return f"{what} need a 64-bit Intel or AMD processor."
    if os.geteuid() != 0:
        return f"{what} need root, to run programs of another Debian by chroot."
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-m", "-p", "-f", "--mount-proc", "true"], capture_output=True).returncode
    ):
        return f"This machine does not let a process have its own mounts. {what} need that."
    return None


def prepare_debian(folder: Path, packages: Sequence[str] = PACKAGES, what: str = "The window tests") -> str | None:
    """Make a Debian with packages in the folder, for `what`; returns the reason if that is not possible, or None if it is ready."""
    reason = missing_requirement(what)
    if reason or is_ready(folder, packages):
        return reason
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its final place, so that an interrupted run leaves no incomplete folder there.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as scratch:
        made = Path(scratch) / "root"
        debootstrap = _debootstrap(Path(scratch))
        if debootstrap is None:
            return "debootstrap is not installed, and this machine's apt cannot download it."
        command, environ = debootstrap
        command += ["--variant=minbase", f"--include={','.join(('ca-certificates', 'apt'))}", SUITE, str(made)]
        mirror = _mirror()
        if subprocess.run(command + ([mirror] if mirror else []), env=environ).returncode:
            return f"Debian {SUITE} cannot be made here: its package index cannot be reached, or root is not allowed to make devices."
        install = "export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -y -qq --no-install-recommends "
        enter = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" sh -c "$1"'
        done = subprocess.run(["unshare", "--mount", "sh", "-c", enter, str(made), install + " ".join(packages)])
        if done.returncode:
            return f"{packages[0]} cannot be installed from Debian {SUITE}."
        mounts = made / "etc" / "mtab"
        mounts.unlink(missing_ok=True)
        mounts.symlink_to("/proc/self/mounts")
        shutil.rmtree(made / "var" / "cache" / "apt" / "archives", ignore_errors=True)
        (made / _STAMP).write_text(" ".join((SUITE, *packages)))
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)
    return None


def _debootstrap(scratch: Path) -> tuple[list[str], dict[str, str]] | None:
    """debootstrap's command and environment: the installed one, or a downloaded and unpacked one; None if there is neither."""
    installed = shutil.which("debootstrap")
    if installed:
        return [installed], dict(os.environ)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    fetched = subprocess.run(["apt-get", "download", "-qq", "debootstrap"], cwd=scratch)
    if fetched.returncode:  # without a local copy of the package index
        subprocess.run(["apt-get", "update", "-qq"], cwd=scratch)
        fetched = subprocess.run(["apt-get", "download", "-qq", "debootstrap"], cwd=scratch)
    package = next(scratch.glob("debootstrap*.deb"), None)
    if fetched.returncode or package is None:
        return None
    unpacked = scratch / "debootstrap"
    subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    return [str(unpacked / "usr/sbin/debootstrap")], {**os.environ, "DEBOOTSTRAP_DIR": str(unpacked / "usr/share/debootstrap")}


def _mirror() -> str | None:
    """The Debian mirror of this machine's apt; None for debootstrap's default, as on other distributions."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(path.read_text(errors="replace") for path in sources if path.is_file())
    found = re.search(r"^(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(\S*/debian)/?(?:\s|$)", text, re.MULTILINE)
    return found[1] if found else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=window_folder(), help="%(default)s")
    folder = parser.parse_args().folder.resolve()
    reason = prepare_debian(folder)
    if reason:
        print(reason)
        return UNSUPPORTED_EXIT_CODE
    print(f"A Blender with a window is in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
