"""This user's own folders, by the customs of each system."""

import os
import sys
from pathlib import Path

FOLDER_NAME = "meshrec"


def data_folder():
    """This user's folder for what is to stay, such as the backend's environment; it may not exist yet."""
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / FOLDER_NAME
    return _folder("XDG_DATA_HOME", ".local/share") / FOLDER_NAME


def cache_folder():
    """This user's folder for what was seen in footage: MESHREC_CACHE, or the system's usual place. It may not exist yet."""
    if chosen := os.environ.get("MESHREC_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / FOLDER_NAME / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / FOLDER_NAME
    return _folder("XDG_CACHE_HOME", ".cache") / FOLDER_NAME


def _folder(variable, default):
    chosen = os.environ.get(variable, "")
    # The XDG specification: a relative path is to be ignored.
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / default
