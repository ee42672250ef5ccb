"""Where the backend's environment is on this computer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from ..core.errors import InputError, NotSetUpError
from ..core.files.user_folders import data_folder

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
# What a Python must have to be taken for the backend's own without being asked.
REQUIRED_MODULES = ("torch", "av", "cv2")
# An environment's folder is called so, with what it was made from after it; the file is written when it is complete.
ENVIRONMENT_PREFIX = "env-"
STAMP_FILE = "meshrec.json"
MAX_HOME_LENGTH = 259 - 171 - len(f"/{ENVIRONMENT_PREFIX}12345678/Lib/site-packages/")
_home_override = []  # the folder that Blender keeps for the extension, once it has said which


def find_backend(chosen=None):
    """The Python that the backend runs in.

    In this order: `chosen`; MESHREC_PYTHON, if it has what the backend needs (a bare Python there is what an environment
    is made with, see interpreters.py); the checkout's `.venv`; the newest complete environment in `environment_home`; the
    Python that runs this, if it has what the backend needs.

    Raises:
        InputError: the Python that was chosen does not exist. NotSetUpError: there is none.
    """
    named = os.environ.get("MESHREC_PYTHON")
    for source, path in (("", chosen), (" (MESHREC_PYTHON)", named)):
        if path and not Path(path).is_file():
            raise InputError(
                "backend-python-not-found",
                "There is no Python at {path}.",
                "Choose the Python of the backend's environment.",
                path=f"{path}{source}",
            )
    if chosen:
        return Path(chosen)
    if named and has_required_modules(named):
        return Path(named)
    checkout = venv_python(PACKAGE_FOLDER.parent / ".venv")
    if checkout.is_file():
        return checkout
    made = complete_environments()
    if made:
        return venv_python(made[0])
    if all(importlib.util.find_spec(module) for module in REQUIRED_MODULES):
        return Path(sys.executable)
    raise NotSetUpError(
        "backend-not-found",
        "The environment that the backend runs in was not found.",
        "Click Install Backend in the add-on's preferences, or run `meshrec setup`, or `python3 build.py setup` in a checkout.",
    )


def has_required_modules(python):
    """Whether a Python has what the backend needs; asked anew each time, for an environment may be completed meanwhile."""
    if Path(python).absolute() == Path(sys.executable).absolute():
        return all(importlib.util.find_spec(module) for module in REQUIRED_MODULES)
    code = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(name) for name in {REQUIRED_MODULES}))"
    try:
        return subprocess.run([str(python), "-I", "-c", code], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def chosen_backend(python):
    """A Python that the user chose, if it is to run the backend; None for a bare one, which only makes environments.

    One that does not exist is given back: `find_backend` says so.
    """
    return python if python and (not Path(python).is_file() or has_required_modules(python)) else None


def complete_environments(home=None):
    """The folders of the complete environments in `home` (`environment_home()` by default), the newest first."""
    stamps = list((Path(home) if home else environment_home()).glob(f"{ENVIRONMENT_PREFIX}*/{STAMP_FILE}"))
    whole = [stamp for stamp in stamps if venv_python(stamp.parent).is_file()]
    return [stamp.parent for stamp in sorted(whole, key=lambda stamp: stamp.stat().st_mtime, reverse=True)]


def environment_home():
    """Where the backend's environments are made: the folder Blender keeps for the extension, else this user's own.

    Windows refuses paths of 260 characters, and PyTorch's own take 171 inside an environment: there the extension's
    folder is used only if it leaves room for them.
    """
    home = _home_override[-1] if _home_override else data_folder()
    if sys.platform == "win32" and len(str(home)) > MAX_HOME_LENGTH and len(str(data_folder())) < len(str(home)):
        return data_folder()
    return home


def set_environment_home(home):
    """Have the backend's environments kept in this folder from now on; None for this user's own."""
    _home_override[:] = [Path(home)] if home else []


def venv_python(environment):
    """Where a virtual environment keeps its Python."""
    return Path(environment) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
