"""The backend's environments on disk: whether each is complete and current, what it was made from, and how it is removed."""

import contextlib
import errno
import json
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any

from ..core.errors import InputError, OutputError
from .backend_location import ENVIRONMENT_PREFIX, STAMP_FILE, PathName, environment_home
from .locks import environment_hash, locks_folder

LOG_FILE = "install.log"
INSTALLED_FILE = "installed.txt"
LOCK_FILE = "install.lock"
TEMP_FOLDER = "temporary"


def remove_environments(home: PathName | None = None) -> None:
    """Remove every environment, complete or not, and the installation's log.

    Raises:
        OutputError: a file cannot be removed; on Windows, because it is in use.
    """
    home = Path(home or environment_home())
    try:
        with installation_lock(home) if home.exists() else contextlib.nullcontext():
            for folder in (*home.glob(f"{ENVIRONMENT_PREFIX}*"), home / TEMP_FOLDER):
                if folder.exists():
                    delete_environment(folder)
            (home / LOG_FILE).unlink(missing_ok=True)
        (home / LOCK_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            "backend-not-removed",
            "The backend could not be removed: {reason} ({path}).",
            "End every job that uses it, then try again.",
            reason=error.strerror or error,
            path=error.filename,
        ) from error


def delete_environment(folder: Path) -> None:
    """Remove an environment's folder, its stamp first, so that a partly removed environment does not count as complete."""
    (folder / STAMP_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder)


def is_current(folder: PathName, locks: PathName | None = None) -> bool:
    """Whether an environment was made from the locks of this version of the software."""
    facts = read_stamp(folder)
    version = tuple(int(part) for part in facts.get("python", "0.0").split(".")[:2])
    return Path(folder).name == f"{ENVIRONMENT_PREFIX}{environment_hash(locks or locks_folder(), facts.get('device', 'cpu'), version)}"


def read_stamp(folder: PathName) -> dict[str, Any]:
    """The content of an environment's stamp: python, device, devices, packages, made; empty where it cannot be read."""
    try:
        return json.loads((Path(folder) / STAMP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def has_partial_environment(home: PathName | None = None) -> bool:
    """Whether an installation was interrupted and can be resumed."""
    home = Path(home or environment_home())
    return any(not (folder / STAMP_FILE).exists() for folder in home.glob(f"{ENVIRONMENT_PREFIX}*"))


def installed_packages(folder: PathName) -> list[str] | None:
    """The keys of the packages that are installed in an environment; None where installing packages never began."""
    try:
        return (Path(folder) / INSTALLED_FILE).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def installation_lock(home: Path) -> Generator[None, None, None]:
    """Let one process at a time install into `home`.

    Raises:
        InputError: another process is installing.
    """
    with open(home / LOCK_FILE, "a+b") as file:
        try:
            _lock_file(file)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            raise InputError(
                "backend-installed-by-another-blender",
                "Another Blender is installing the backend.",
                "Wait for it to finish, then try again.",
            ) from error
        yield


def _lock_file(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
