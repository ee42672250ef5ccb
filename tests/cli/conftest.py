"""A scripted backend, and a folder with two clips to reconstruct."""

import subprocess
import sys
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_process, backend_session
from blender_meshrec.cli.commands import reconstruct
from blender_meshrec.core.files.motion_npz import write_motion
from tests.support.synthetic_bodies import make_recovery, make_tube_body

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "support" / "fake_backend.py"


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A function that sets the backend's script; the current folder is a new one with two clips."""
    monkeypatch.setattr(backend_process, "LAUNCH_SCRIPT", FAKE)
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    monkeypatch.setenv("MESHREC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "der Ort 場所"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("walk.mp4", "jump.mov"):
        (folder / name).touch()
    return lambda script: monkeypatch.setenv("FAKE_BACKEND", script)


@pytest.fixture
def no_backend(backend, monkeypatch):
    """The test fails if the backend is started."""
    monkeypatch.setattr(reconstruct, "start_job", lambda *_: pytest.fail("the backend was started"))
    monkeypatch.setattr(backend_session, "start_backend", lambda *_, **__: pytest.fail("the backend was started"))


@pytest.fixture
def files():
    """A function that lists the files below a folder, except clips."""

    def listed(folder="."):
        paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in (".mp4", ".mov")]
        return sorted(path.relative_to(folder).as_posix() for path in paths)

    return listed


@pytest.fixture
def motion(tmp_path):
    """A motion file of 30 frames."""
    path = tmp_path / "motion.npz"
    write_motion(path, make_recovery(make_tube_body(posedirs=False), frames=30, fps=25.0))
    return path


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KB; skips the test where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
