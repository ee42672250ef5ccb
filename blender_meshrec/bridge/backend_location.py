"""Location of the backend's environment on this computer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from ..core.errors import InputError, NotSetUpError
from ..core.files.user_folders import data_folder

PathName = str | os.PathLike[str]

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
LAUNCH_SCRIPT = PACKAGE_FOLDER / "backend" / "launch.py"
# A Python that was not chosen as the backend's must have these modules to be used as such.
REQUIRED_MODULES = ("torch", "av", "cv2")
# An environment's folder is named by this prefix and a hash of its inputs; the stamp file is written when it is complete.
ENVIRONMENT_PREFIX = "env-"
STAMP_FILE = "meshrec.json"
MAX_HOME_LENGTH = 259 - 171 - len(f"/{ENVIRONMENT_PREFIX}12345678/Lib/site-packages/")  # characters; see environment_home
_home_override: list[Path] = []  # the folder that Blender keeps for the extension, once set


def find_backend(chosen: PathName | None = None) -> Path:
    """Find the Python that the backend runs in.

    In this order: `chosen`; MESHREC_PYTHON, if it has what the backend needs (a bare Python there makes environments, see
    interpreters.py); the checkout's `.venv`; the newest complete environment in `environment_home`; the Python that runs this code,
    if it has what the backend needs.

    Raises:
        InputError: the chosen Python does not exist. NotSetUpError: none was found.
    """
    from_environ = os.environ.get("MESHREC_PYTHON")
    for source, path in (("", chosen), (" (MESHREC_PYTHON)", from_environ)):
        if path and not os.path.isfile(path):
            raise InputError(
                "backend-python-not-found",
                "There is no Python at {path}.",
                "Choose the Python of the backend's environment.",
                path=f"{path}{source}",
            )
    if chosen:
        return Path(chosen)
    if from_environ and has_required_modules(from_environ):
        return Path(from_environ)
    checkout = venv_python(PACKAGE_FOLDER.parent / ".venv")
    if checkout.is_file():
        return checkout
    environments = complete_environments()
    if environments:
        return venv_python(environments[0])
    if _can_import_required_modules():
        return Path(sys.executable)
    raise NotSetUpError(
        "backend-not-found",
        "The environment that the backend runs in was not found.",
        "Click Install Backend in the add-on's preferences, or run `meshrec setup`, or `python3 build.py setup` in a checkout.",
    )


def has_required_modules(python: PathName) -> bool:
    """Whether a Python has what the backend needs; not cached, because an environment may be completed in the meantime."""
    if Path(python).absolute() == Path(sys.executable).absolute():
        return _can_import_required_modules()
    code = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(name) for name in {REQUIRED_MODULES}))"
    try:
        return subprocess.run([str(python), "-I", "-c", code], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _can_import_required_modules() -> bool:
    return all(importlib.util.find_spec(module) for module in REQUIRED_MODULES)


def chosen_backend(python: str | None) -> str | None:
    """The Python that the user chose, if the backend can run in it; None for a bare one, which only makes environments.

    A path that does not exist is returned as it is: `find_backend` raises the error.
    """
    return python if python and (not os.path.isfile(python) or has_required_modules(python)) else None


def complete_environments(home: PathName | None = None) -> list[Path]:
    """The folders of the complete environments in `home` (`environment_home()` by default), the newest first."""
    stamps = list((Path(home) if home else environment_home()).glob(f"{ENVIRONMENT_PREFIX}*/{STAMP_FILE}"))
    complete = [stamp for stamp in stamps if venv_python(stamp.parent).is_file()]
    return [stamp.parent for stamp in sorted(complete, key=lambda stamp: stamp.stat().st_mtime, reverse=True)]


def environment_home() -> Path:
    """The folder of the backend's environments: the one Blender keeps for the extension, else one of this user's.

    Windows refuses paths of 260 characters, and PyTorch's own take 171 inside an environment: there the extension's folder is used
    only if it leaves room for them.
    """
    home = _home_override[-1] if _home_override else data_folder()
    if sys.platform == "win32" and len(str(home)) > MAX_HOME_LENGTH and len(str(data_folder())) < len(str(home)):
        return data_folder()
    return home


def set_environment_home(home: PathName | None) -> None:
    """Set the folder of the backend's environments; None for the default one."""
    _home_override[:] = [Path(home)] if home else []


def venv_python(environment: PathName) -> Path:
    """The path of the Python in a virtual environment's folder."""
    return Path(environment) / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
