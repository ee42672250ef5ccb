"""The user's folders for data and caches, by the conventions of each operating system."""

import os
import sys
from pathlib import Path

FOLDER_NAME = "meshrec"


def data_folder() -> Path:
    """The user's folder for permanent data, such as the backend's environment; it may not exist yet."""
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / FOLDER_NAME
    return _folder("XDG_DATA_HOME", ".local/share") / FOLDER_NAME


def cache_folder() -> Path:
    """The user's folder for cached detections: MESHREC_CACHE, or the system's cache folder. It may not exist yet."""
    if chosen := os.environ.get("MESHREC_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / FOLDER_NAME
    return _folder("XDG_CACHE_HOME", ".cache") / FOLDER_NAME


def _folder(variable: str, default: str) -> Path:
    chosen = os.environ.get(variable, "")
    # The XDG specification requires that relative paths are ignored.
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / default
