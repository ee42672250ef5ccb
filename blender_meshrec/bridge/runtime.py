"""Where the backend's environment and this user's own files are on this computer."""

import importlib.util
import os
import sys
from pathlib import Path

from ..core.errors import InputError, NotSetUpError

PACKAGE = Path(__file__).resolve().parents[1]
NAME = "meshrec"
# What a Python must have to be taken for the backend's own without being asked.
NEEDED = ("torch", "av", "cv2")


def find_backend(chosen=None):
    """The Python that the backend runs in.

    In this order: `chosen`; MESHREC_PYTHON; the checkout's `.venv`; the environment in the user's own folder; the Python
    that runs this, if it has what the backend needs.

    Raises:
        InputError: the Python that was chosen does not exist. NotSetUpError: there is none.
    """
    for source, path in (("", chosen), (" (MESHREC_PYTHON)", os.environ.get("MESHREC_PYTHON"))):
        if path:
            if not Path(path).is_file():
                raise InputError(f"There is no Python at {path}{source}.", "Choose the Python of the backend's environment.")
            return Path(path)
    for environment in (PACKAGE.parent / ".venv", data_folder() / "backend"):
        python = python_of(environment)
        if python.is_file():
            return python
    if all(importlib.util.find_spec(module) for module in NEEDED):
        return Path(sys.executable)
    raise NotSetUpError(
        "The environment that the backend runs in was not found.",
        "Run `python3 build.py setup` in a checkout, or name its Python with MESHREC_PYTHON or in the add-on's preferences.",
    )


def python_of(environment):
    """Where a virtual environment keeps its Python."""
    return Path(environment) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def data_folder():
    """This user's folder for what is to stay, such as the backend's environment; it may not exist yet."""
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / NAME
    return _folder("XDG_DATA_HOME", ".local/share") / NAME


def cache_folder():
    """This user's folder for what was seen in footage: MESHREC_CACHE, or the system's usual place. It may not exist yet."""
    if chosen := os.environ.get("MESHREC_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return _folder("LOCALAPPDATA", "AppData/Local") / NAME / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / NAME
    return _folder("XDG_CACHE_HOME", ".cache") / NAME


def _folder(variable, default):
    chosen = os.environ.get(variable, "")
    # The XDG specification: a relative path is to be ignored.
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / default
