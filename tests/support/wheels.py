"""Wheels and lock files made by the tests, so that installing needs no network."""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def make_wheel(folder: Path, name: str, version: str = "1.0", files: Mapping[str, str] | None = None, python: str = "py3") -> Path:
    """Write a wheel that pip can install; returns its path.

    Args:
        files: contents by path; a module with the package's name by default. python: the tag of the Python versions.
    """
    module = name.replace("-", "_")
    dist_info = f"{module}-{version}.dist-info"
    contents = dict(files or {f"{module}.py": f"version = {version!r}\n"})
    contents[f"{dist_info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{dist_info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {python}-none-any\n"
    record = "".join(f"{path},,\n" for path in (*contents, f"{dist_info}/RECORD"))
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{module}-{version}-{python}-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**contents, f"{dist_info}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel


def lock_entry(wheel: Path, marker: str = "", digest: str | None = None) -> str:
    """The lines of a lock file for a wheel; `digest` replaces the wheel's own sha256."""
    name, version = wheel.name.split("-")[:2]
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name.replace('_', '-')}=={version}{f' ; {marker}' if marker else ''} \\\n    --hash=sha256:{digest}\n"


def write_locks(
    folder: Path, torch: Iterable[str] = (), cpu: Iterable[str] = (), backend: Iterable[str] = (), installer: Iterable[str] = ()
) -> Path:
    """Write lock files with these entries in the format of `build.py lock`; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    locks = {"installer": installer, "torch": torch, "torch-cpu": cpu, "backend": backend}
    for name, entries in locks.items():
        (folder / f"{name}.txt").write_text("# a comment\n" + "".join(entries))
    return folder
