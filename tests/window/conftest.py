"""Fixtures: Blender in a real window with a fresh user folder. Tests are skipped, with the reason, where that is not possible."""

import os
import shutil
from pathlib import Path

import pytest

from scripts.window.artist import Artist
from scripts.window.builds import BUNDLE, EXTENSION, newest_build
from scripts.window.window import Window, reason_to_skip

ROOT = Path(__file__).resolve().parents[2]
CLIP = "demo_clip.mp4"


@pytest.fixture(scope="module")
def extension():
    """The newest packaged extension, a .zip."""
    found = _require_build(EXTENSION, "build.py package")
    if not _is_current(found):
        pytest.skip(f"{found.name} is older than the code: run build.py package")
    return found


@pytest.fixture(scope="module")
def bundle():
    """The folder of the backend's packages."""
    return _require_build(BUNDLE, "build.py package --offline --device cpu")


@pytest.fixture(scope="module")
def artist(tmp_path_factory, extension, bundle):
    """The Artist in a Blender that was started for the first time; the window is closed at the end in any case."""
    material = tmp_path_factory.mktemp("material")
    shutil.copy(extension, material / "meshrec.zip")
    shutil.copy(ROOT / "scripts" / CLIP, material)
    shutil.copytree(bundle / "wheels", material / "bundle" / "wheels", copy_function=_link)
    (material / "bundle").chmod(0o755)
    home = tmp_path_factory.mktemp("home")
    with Window(home, material) as window:
        window.start()
        artist = Artist(window)
        artist.close_splash()
        yield artist
    shutil.rmtree(home, ignore_errors=True)  # the backend is large


def _require_build(pattern, command):
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    found = newest_build(pattern)
    if found is None:
        pytest.skip(f"there is no {pattern} in dist/: run {command}")
    return found


def _is_current(archive):
    """Whether no packaged file has changed since."""
    shipped = [*(ROOT / "blender_meshrec").rglob("*.py"), *(ROOT / "addon_models").iterdir()]
    return max(path.stat().st_mtime for path in shipped) <= archive.stat().st_mtime


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy(source, target)
