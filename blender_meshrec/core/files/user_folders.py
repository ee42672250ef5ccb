"""The user's folders for data and caches, by the conventions of each operating system."""

import os
import stat
import sys
import tempfile
from pathlib import Path

from ..errors import OutputError

FOLDER_NAME = "meshrec"


def home_folder() -> Path:
    """The user's home folder; in a container whose user has none, a private folder among the temporary files.

    Raises:
        OutputError: there is neither.
    """
    try:
        return Path.home()
    except RuntimeError as error:  # no HOME, and no entry for the user's id
        remedy = "Set HOME to a folder you may write to."
        try:
            return _private_folder(Path(tempfile.gettempdir()) / f"{FOLDER_NAME}-home-{os.getuid() if sys.platform != 'win32' else ''}")
        except OSError:
            raise OutputError("home-folder-missing", "This user has no home folder.", remedy) from error


def _private_folder(folder: Path) -> Path:
    """The folder, made where it does not exist. What it holds is run and trusted: it must be this user's alone.

    Raises:
        OSError: it cannot be made, or others may write to it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if sys.platform != "win32" and (not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022):
        raise PermissionError(folder)
    return folder


def data_folder() -> Path:
    """The user's folder for permanent data, such as the backend's environment; it may not exist yet."""
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME
    if sys.platform == "darwin":
        return home_folder() / "Library" / "Application Support" / FOLDER_NAME
    return _folder("XDG_DATA_HOME", ".local/share") / FOLDER_NAME


def cache_folder() -> Path:
    """The user's folder for cached detections: MESHREC_CACHE, or the system's cache folder. It may not exist yet."""
    if chosen := os.environ.get("MESHREC_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME / "cache"
    if sys.platform == "darwin":
        return home_folder() / "Library" / "Caches" / FOLDER_NAME
    return _folder("XDG_CACHE_HOME", ".cache") / FOLDER_NAME


def _folder(variable: str, default: str) -> Path:
    chosen = os.environ.get(variable, "")
    # The XDG specification requires that relative paths are ignored.
    return Path(chosen) if os.path.isabs(chosen) else home_folder() / default
