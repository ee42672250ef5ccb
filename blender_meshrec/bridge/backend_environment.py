"""The backend's environments on disk: which are complete, which were cut off, what they were made from, and how they go."""

import contextlib
import errno
import json
import shutil
import sys
from pathlib import Path

from ..core.errors import InputError, OutputError
from .backend_location import ENVIRONMENT, STAMP, environment_home
from .locks import locks_folder, recipe

LOG = "install.log"
JOURNAL = "installed.txt"
LOCK = "install.lock"
SCRATCH = "temporary"


def remove(home=None):
    """Remove every environment, whole or half-made, with its log.

    Raises:
        OutputError: a file of it cannot be removed; on Windows, because it is in use.
    """
    home = Path(home or environment_home())
    try:
        with only_one(home) if home.exists() else contextlib.nullcontext():
            for folder in (*home.glob(f"{ENVIRONMENT}*"), home / SCRATCH):
                if folder.exists():
                    discard(folder)
            (home / LOG).unlink(missing_ok=True)
        (home / LOCK).unlink(missing_ok=True)
    except OSError as error:
        problem = f"The backend could not be removed: {error.strerror or error} ({error.filename})."
        raise OutputError(problem, "End every job that uses it, then try again.") from error


def discard(folder):
    """Remove an environment's folder, its stamp first: what is half removed must not count."""
    (folder / STAMP).unlink(missing_ok=True)
    shutil.rmtree(folder)


def is_current(folder, locks=None):
    """Whether an environment was made from the locks that this version of the software has."""
    facts = facts_of(folder)
    version = tuple(int(part) for part in facts.get("python", "0.0").split(".")[:2])
    return Path(folder).name == f"{ENVIRONMENT}{recipe(locks or locks_folder(), facts.get('device', 'cpu'), version)}"


def facts_of(folder):
    """What an environment's stamp says: python, device, devices, packages, made; empty where it cannot be read."""
    try:
        return json.loads((Path(folder) / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def half_made(home=None):
    """Whether an installation was cut off and can be taken up."""
    home = Path(home or environment_home())
    return any(not (folder / STAMP).exists() for folder in home.glob(f"{ENVIRONMENT}*"))


def journal(folder):
    """The keys of what is installed in an environment; None where it was never made to the point of installing."""
    try:
        return (Path(folder) / JOURNAL).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def only_one(home):
    """Let one process at a time install into `home`.

    Raises:
        InputError: another does.
    """
    with open(home / LOCK, "a+b") as file:
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            raise InputError("Another Blender is installing the backend.", "Wait for it to finish, then try again.") from error
        yield


def _lock(file):
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
