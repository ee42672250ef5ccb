"""File names that Windows does not allow, or takes for devices or for parts of another file, and paths that are too long for it."""

import ctypes
import os
import re
import sys
from pathlib import Path, PureWindowsPath

from ..errors import OutputError

MAX_NAME_LENGTH = 255  # characters
MAX_WINDOWS_PATH = 259  # characters, where long paths are not turned on
_TEMPORARY_LENGTH = len("/.meshrec-12345678")  # characters; the folder beside an output, in which it is made
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\..*)?", re.IGNORECASE | re.DOTALL)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')


def check_file_name(path: Path) -> None:
    """On Windows, refuse a path to write that is too long, or whose parts Windows does not allow or changes: con.npz, a:b.npz, "name. ".

    Raises:
        OutputError: it is too long, or has such a part.
    """
    if sys.platform != "win32":
        return
    length = len(os.path.abspath(path)) + _TEMPORARY_LENGTH
    if length > MAX_WINDOWS_PATH and not long_paths_enabled():
        raise OutputError(
            "output-path-too-long",
            "{path} is {excess} characters longer than Windows allows.",
            "Choose a shorter name or folder, or turn on long paths in Windows.",
            path=path,
            excess=length - MAX_WINDOWS_PATH,
        )
    parts = PureWindowsPath(str(path))
    for part in parts.relative_to(parts.anchor).parts:
        if part != ".." and is_refused_by_windows(part):
            raise OutputError(
                "output-name-not-allowed",
                "Windows does not allow the name {name}.",
                "Choose another name for the output.",
                name=part,
            )


def is_refused_by_windows(name: str) -> bool:
    """Whether a file or folder cannot have a name on Windows, or would get another one."""
    return bool(len(name) > MAX_NAME_LENGTH or _DEVICES.fullmatch(name) or _FORBIDDEN.search(name) or name.endswith((" ", ".")))


def is_windows_device(path: str | Path) -> bool:
    """Whether Windows takes a path for a device, such as the console, from which reading may never end."""
    return sys.platform == "win32" and _DEVICES.fullmatch(PureWindowsPath(str(path)).name) is not None


def long_paths_enabled() -> bool:
    """Whether Windows lets this process use paths of any length; True where that cannot be asked, and on other systems."""
    if sys.platform != "win32":
        return True
    try:
        return bool(getattr(ctypes, "WinDLL")("ntdll").RtlAreLongPathsEnabled() & 0xFF)  # noqa: B009 - as in bridge/windows_system.py
    except (OSError, AttributeError):
        return True
