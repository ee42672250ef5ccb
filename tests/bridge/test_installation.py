"""The inputs of an installation: the locks, the Pythons and devices of this computer, and pip's output."""

import errno
import os
import sys
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_location, installation, interpreters, locks
from blender_meshrec.bridge.messages import Progress
from blender_meshrec.bridge.pip_errors import explain_pip_error
from blender_meshrec.bridge.pip_output import PipOutputParser
from blender_meshrec.core import errors

posix = pytest.mark.skipif(os.name == "nt", reason="shell scripts replace programs")


def test_every_entry_of_the_locks_is_read():
    folder = locks.locks_folder()
    backend = {one.name: one for one in locks.read_lock(folder / locks.BACKEND_LOCK)}
    assert {"mediapipe", "av", "opencv-python", "numpy", "roma", "safetensors", "scipy"} <= backend.keys()
    for name in (locks.INSTALLER_LOCK, locks.BACKEND_LOCK, locks.TORCH_LOCK, locks.TORCH_CPU_LOCK):
        assert all(one.hashes for one in locks.read_lock(folder / name)), name
    assert (
        locks.environment_hash(folder, "cpu", (3, 11))
        != locks.environment_hash(folder, "cpu", (3, 13))
        != locks.environment_hash(folder, "cuda", (3, 13))
    )
    (torch,) = locks.read_lock(folder / locks.TORCH_CPU_LOCK)
    assert torch.key.startswith("torch==") and torch.key.endswith("+cpu")


def test_unsuitable_interpreters_are_rejected_with_reasons(monkeypatch, tmp_path):
    found, reason = interpreters.probe_interpreter(sys.executable)
    assert found.version == sys.version_info[:3] and not reason
    fake = tmp_path / "python3.11"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    assert interpreters.probe_interpreter(fake) == (None, "it does not run as a Python")
    with pytest.raises(errors.InputError, match="there is no such file"):
        interpreters.find_interpreter(tmp_path / "nowhere")
    old = '[[3, 8, 1], "/usr/bin/python3.8", true, 64, "linux-x86_64", "CPython"]'
    for answer, words in (
        (old, "Python 3.8.1, and 3.11, 3.12 or 3.13 is needed"),
        (old.replace("3, 8, 1", "3, 11, 1").replace("true", "false"), "install python3.11-venv"),
        (old.replace("3, 8, 1", "3, 11, 1").replace("64,", "32,"), "64-bit CPython is needed"),
    ):
        fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
        interpreter, reason = interpreters.probe_interpreter(fake)
        assert interpreter is None and words in reason
    monkeypatch.setattr(interpreters, "_interpreter_candidates", lambda: iter([str(fake)]))
    with pytest.raises(errors.NotSetUpError, match=r"No Python 3\.11 or 3\.12 or 3\.13.*python\.org") as caught:
        interpreters.find_interpreter()
    assert "64-bit CPython is needed" in caught.value.__notes__[0]
    monkeypatch.setattr(interpreters, "_interpreter_candidates", lambda: iter([str(fake), sys.executable]))
    assert interpreters.find_interpreter().version == sys.version_info[:3]


@posix
@pytest.mark.parametrize(
    "answer, kind, note",
    [
        ("NVIDIA H200, 590.48.01", "cuda", ""),
        ("NVIDIA GeForce GTX 1080, 535.183.01", "cpu", "driver 580 or later (this is 535.183.01)"),
        ("", "cpu", "finds no graphics card"),
        (None, "cpu", ""),
    ],
)
def test_the_device_is_one_of_this_computer(monkeypatch, tmp_path, answer, kind, note):
    if sys.platform != "linux":
        pytest.skip("NVIDIA's driver on Linux")
    if answer is not None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\necho '{answer}'\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    device = interpreters.choose_device("auto")
    assert device.kind == kind and note in device.note and bool(note) == bool(device.note)
    assert interpreters.choose_device("cpu").kind == "cpu"
    with pytest.raises(errors.InputError, match="on this system"):
        interpreters.choose_device("mps")


def test_windows_keeps_paths_short(monkeypatch):
    monkeypatch.setattr(backend_location.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/C/Users/someone/AppData/Local")
    roaming = "/C/Users/someone/AppData/Roaming/Blender Foundation/Blender/4.2/extensions/.user/user_default/blender_meshrec"
    for home, is_used in (("/C/mr", True), (roaming, False)):
        backend_location.set_environment_home(home)
        assert (backend_location.environment_home() == Path(home)) is is_used
    backend_location.set_environment_home(None)


PIP_OUTPUT = """Collecting numpy==2.4.6 (from -r batch.txt (line 1))
  Downloading numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)
Progress 0 of 16900000
Progress 8450000 of 16900000
Progress 16900000 of 16900000
Processing /somewhere/python_dateutil-4.0.0-py3-none-any.whl (from -r batch.txt (line 70))
Installing collected packages: numpy, python-dateutil
Successfully installed numpy-2.4.6 python-dateutil-4.0.0""".splitlines()


def test_progress_is_parsed_from_pips_output():
    batch = [locks.Requirement("numpy", "2.4.6", ""), locks.Requirement("python-dateutil", "4.0.0", "")]
    progress_events = []

    def log_line(line):
        assert not line.startswith("Progress")

    parser = PipOutputParser(batch, lambda stage, megabytes: progress_events.append((stage, megabytes)), log_line)
    for line in PIP_OUTPUT:
        parser.parse_line(line)
    numpy = batch[0].megabytes
    assert progress_events == [
        ("Loading numpy", 0),
        ("Loading numpy", 0),
        ("Loading numpy", numpy / 2),
        ("Loading numpy", numpy),
        ("Loading python-dateutil", numpy),
        ("Unpacking numpy and 1 more", numpy + batch[1].megabytes),
    ]


@pytest.mark.parametrize(
    "output, kind, words",
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", errors.OutputError, "disk is full"),
        ("ERROR: [Errno 13] Permission denied: '/x'", errors.OutputError, "cannot be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", errors.ModelError, "not the one"),
        ("Max retries exceeded with url (Caused by SSLError(SSLCertVerificationError(1)))", errors.NotSetUpError, "certificate"),
        ("WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.')'", errors.NotSetUpError, "proxy"),
        ("WARNING: ... ReadTimeoutError(...)\nERROR: No matching distribution found for torch", errors.NotSetUpError, "broke off"),
        ("ERROR: No matching distribution found for torch==2.13.0", errors.NotSetUpError, "no file of torch==2.13.0 for Amiga"),
        ("something else", errors.MeshRecError, "exit code 2"),
    ],
)
def test_pips_errors_are_explained(output, kind, words):
    error = explain_pip_error(output, 2, "Amiga")
    assert isinstance(error, kind) and words in error.problem and error.remedy


# --- the thread of an installation ---


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that starts an installation which does what it is given instead of installing, and the list of ends."""
    ended = []

    def start_installation(install):
        monkeypatch.setattr(installation.Installation, "_install", install)
        return installation.Installation(installation.InstallationPlan(home=tmp_path), lambda: ended.append(True))

    start_installation.ended = ended
    return start_installation


def fail_with(error):
    def install(self):
        self._log.add_line("a line of the log")
        raise error

    return install


@pytest.mark.parametrize(
    "error, name",
    [
        (errors.NotSetUpError("a-name", "A problem.", "A remedy."), "a-name"),
        (OSError(errno.ENOSPC, "full"), "installation-disk-full"),
        (ZeroDivisionError("a slip"), "installation-failed"),
    ],
)
def test_any_failure_is_an_error_with_details(start, error, name):
    error.add_note("a note")
    failing = start(fail_with(error))
    with pytest.raises(errors.MeshRecError) as caught:
        failing.wait()
    assert caught.value is failing.error and caught.value.name == name and caught.value.remedy
    assert start.ended == [True] and not failing.running and failing.environment is None
    assert "a line of the log" in failing.details and failing.details == failing.details.strip()
    assert ("a note" in failing.details) == (name != "installation-disk-full")
    assert ("ZeroDivisionError: a slip" in failing.details) == (name == "installation-failed")
    if name == "installation-failed":
        assert str(caught.value.problem.values["reason"]) == "a slip"


def test_an_installation_returns_its_folder_and_every_progress(start, tmp_path):
    def install(self):
        for done in range(5):
            self._progress_queue.put(Progress("stage", done, 5, "MB"))
        return tmp_path / "environment"

    seen = []
    assert start(install).wait(seen.append) == tmp_path / "environment"
    assert [progress.done for progress in seen] == [0, 1, 2, 3, 4] and start.ended == [True]


def work_until_cancelled(self):
    self._progress_queue.put(Progress("stage", 1, 5, "MB"))
    while not self._children.terminated:
        time.sleep(0.005)
    raise errors.NotSetUpError("another", "It broke off.", "Try again.")


def test_a_cancelled_installation_says_so_whatever_broke_off(start):
    running = start(work_until_cancelled)
    assert running.running and not start.ended
    running.join(0.01)
    assert running.running
    running.cancel()
    with pytest.raises(errors.CancelledError) as caught:
        running.wait()
    assert caught.value.name == "installation-cancelled"


def test_an_interruption_cancels_the_installation(start):
    def interrupt(_progress):
        raise KeyboardInterrupt

    running = start(work_until_cancelled)
    with pytest.raises(KeyboardInterrupt):
        running.wait(interrupt)
    assert not running.running and isinstance(running.error, errors.CancelledError)


@pytest.mark.parametrize(
    "done, total, fraction, text", [(0, 0, 0.0, "Loading"), (3, 12, 0.25, "Loading: 3 of 12 MB"), (15, 12, 1.0, "Loading: 15 of 12 MB")]
)
def test_progress_is_a_fraction_and_a_line(start, tmp_path, done, total, fraction, text):
    finished = start(lambda self: tmp_path)
    finished.wait()
    finished.progress = Progress("Loading", done, total, "MB")
    assert finished.fraction == fraction and str(finished.text) == text
