"""Offline bundles: folders of wheels, of which only the files that a lock names by their hash are given to pip.

pip would read an index.html in such a folder as an index, and follow its links.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import InputError, ModelError
from .backend_location import PathName
from .locks import Requirement


def find_wheels(bundle: PathName | None) -> Path | None:
    """The folder of wheels in an offline bundle; None without a bundle.

    Raises:
        InputError: it holds none.
    """
    if bundle is None:
        return None
    for folder in (Path(bundle) / "wheels", Path(bundle)):
        if any(folder.glob("*.whl")):
            return folder.resolve()
    raise InputError(
        "offline-bundle-empty",
        "The folder {path} holds no packages.",
        "Choose the folder that `build.py package --offline` has made.",
        path=bundle,
    )


def collect_wheels(wheels: Path, requirements: Sequence[Requirement], target: Path) -> None:
    """Make `target` a folder of those files of `wheels` that the requirements name by their hash, and of nothing else.

    Raises:
        ModelError: the files of a package and version have other hashes. OSError: a file cannot be read, or `target` written.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    files = sorted(file for file in wheels.glob("*.whl") if file.is_file())
    for requirement in requirements:
        candidates = [file for file in files if _package_of(file) == (_normal_name(requirement.name), requirement.version)]
        listed = [file for file in candidates if _sha256(file) in requirement.hashes]
        if candidates and not listed:
            raise ModelError(
                "bundle-file-hash-wrong",
                "{name} in the offline bundle is not the one that the add-on's list names, so it was not installed.",
                "Copy the bundle again, or choose one that was made for this version.",
                name=candidates[0].name,
            )
        for file in listed:
            _link_or_copy(file.resolve(), target / file.name)


def _package_of(wheel: Path) -> tuple[str, str]:
    """The package's name and version in a wheel's file name."""
    name, _, rest = wheel.name.partition("-")
    return _normal_name(name), rest.partition("-")[0]


def _normal_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _sha256(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _link_or_copy(source: Path, target: Path) -> None:
    with contextlib.suppress(OSError):  # another disk, or one without links
        os.link(source, target)
        return
    shutil.copyfile(source, target)
