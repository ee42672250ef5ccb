"""Where Pythons, environments and devices are looked for, and in which order; programs are replaced by small scripts."""

import errno
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from blender_meshrec.bridge import backend_environment, backend_location, interpreters
from blender_meshrec.bridge.installation_log import InstallationLog
from blender_meshrec.core.errors import InputError, NotSetUpError, OutputError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shell scripts replace programs")
SUITABLE = [[3, 11, 4], "/usr/bin/python3.11", True, 64, "linux-x86_64", "CPython"]


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_python(path, version=(3, 11, 4), **changes):
    answer = [list(version), str(path), *SUITABLE[2:]]
    for index, value in changes.items():
        answer[int(index[1:])] = value
    # Before its answer, a Python may print anything, in any encoding.
    return script(path, f"printf 'warning \\377\\n'\necho '{json.dumps(answer)}'")


# --- interpreters ---


@pytest.mark.parametrize(
    "platform, changes, reason",
    [
        ("linux", {}, ""),
        ("linux", {"_0": [3, 13, 0]}, ""),
        ("linux", {"_0": [3, 12, 9]}, ""),
        ("linux", {"_0": [3, 10, 9]}, "it is Python 3.10.9"),
        ("linux", {"_0": [3, 14, 0]}, "it is Python 3.14.0"),
        ("linux", {"_5": "PyPy"}, "64-bit PyPy"),
        ("linux", {"_3": 32}, "32-bit CPython"),
        ("linux", {"_2": False}, "install python3.11-venv"),
        ("win32", {}, "made for linux-x86_64, not for Windows"),
        ("win32", {"_4": "win-amd64"}, ""),
        ("darwin", {"_4": "macosx-11.0-x86_64"}, "Intel"),
        ("darwin", {"_4": "macosx-11.0-arm64"}, ""),
        ("darwin", {"_4": "macosx-11.0-universal2"}, ""),
    ],
)
def test_a_python_fits_or_the_reason_is_said(tmp_path, monkeypatch, platform, changes, reason):
    python = fake_python(tmp_path / "python", **changes)
    monkeypatch.setattr(interpreters.sys, "platform", platform)
    found, why = interpreters.probe_interpreter([str(python)])
    assert reason in why and (found is None) == bool(reason) == bool(why)
    if found:
        assert (
            found.path == python
            and found.version == tuple(changes.get("_0", (3, 11, 4)))
            and found.platform == changes.get("_4", SUITABLE[4])
        )
        assert found.label == ".".join(map(str, found.version))


@pytest.mark.parametrize("text", ["exit 1", "echo", "echo 5", "echo null", "echo '[1]'", "echo '{'"])
def test_what_is_no_python_is_said(tmp_path, text):
    assert interpreters.probe_interpreter(script(tmp_path / "python", text)) == (None, "it does not run as a Python")
    assert interpreters.probe_interpreter(tmp_path / "absent") == (None, "there is no such file")


def test_the_best_version_on_the_path_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "home_folder", lambda: tmp_path / "home")
    monkeypatch.setattr(interpreters, "_common_locations", lambda version: [tmp_path / "common" / f"python{version}"])
    for name in ("MESHREC_PYTHON", "PYENV_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(interpreters.sys, "executable", str(fake_python(tmp_path / "blender" / "python", (3, 12, 8))))
    folder = tmp_path / "path"
    monkeypatch.setenv("PATH", str(folder))
    fake_python(folder / "python3", (3, 12, 1))
    fake_python(folder / "python3.13", (3, 13, 1))
    assert interpreters.find_interpreter().version == (3, 13, 1)
    fake_python(folder / "python3.11", (3, 10, 1))  # not what its name says
    assert interpreters.find_interpreter().version == (3, 13, 1)
    fake_python(tmp_path / "common" / "python3.11", (3, 11, 2))
    assert interpreters.find_interpreter().version == (3, 11, 2)
    chosen = fake_python(tmp_path / "chosen", (3, 12, 5))
    assert interpreters.find_interpreter(chosen).version == (3, 12, 5)
    monkeypatch.setenv("MESHREC_PYTHON", str(chosen))
    assert interpreters.find_interpreter().version == (3, 12, 5)
    candidates = list(interpreters._interpreter_candidates())
    assert candidates[0] == str(chosen) and candidates[-1] == sys.executable and len(candidates) == len(set(candidates))
    assert (
        candidates.index(str(folder / "python3.11"))
        < candidates.index(str(folder / "python3.13"))
        < candidates.index(str(folder / "python3"))
    )
    with pytest.raises(InputError) as caught:
        interpreters.find_interpreter(folder / "absent")
    assert caught.value.name == "python-unsuitable"


def test_the_usual_folders_of_each_system(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setattr(interpreters, "home_folder", lambda: home)
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    made = [home / ".pyenv/versions/3.11.9/bin/python3.11", home / ".local/share/uv/python/cpython-3.11.2-linux/bin/python3.11"]
    for path in (*made, home / ".pyenv/versions/3.12.1/bin/python3.12"):
        script(path, "")
    homebrew = tmp_path / "homebrew"
    monkeypatch.setenv("HOMEBREW_PREFIX", str(homebrew))
    linux = [Path(base) / "bin/python3.11" for base in (homebrew, "/usr/local", "/usr")]
    monkeypatch.setattr(interpreters.sys, "platform", "linux")
    assert interpreters._common_locations("3.11") == [*linux, *made]
    monkeypatch.setattr(interpreters.sys, "platform", "darwin")
    framework = Path("/Library/Frameworks/Python.framework/Versions/3.11/bin/python3.11")
    assert interpreters._common_locations("3.11") == [framework, *linux, *made]
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    other = script(tmp_path / "pyenv/versions/3.11.1/bin/python3.11", "")
    assert other in interpreters._common_locations("3.11") and made[0] not in interpreters._common_locations("3.11")
    monkeypatch.setattr(interpreters.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    monkeypatch.setenv("PROGRAMFILES", "/programs")
    windows = [f"{base}/Python311/python.exe" for base in ("/local/Programs/Python", "/local", "/programs/Programs/Python", "/programs")]
    assert interpreters._common_locations("3.11") == list(map(Path, windows))
    monkeypatch.delenv("LOCALAPPDATA")
    assert interpreters._common_locations("3.11") == list(map(Path, windows[2:]))


# --- devices ---


@pytest.mark.parametrize(
    "platform, machine, card, kind, note",
    [
        ("darwin", "arm64", None, "mps", None),
        ("darwin", "x86_64", None, "cpu", None),
        ("linux", "x86_64", None, "cpu", None),
        ("linux", "x86_64", "echo 'RTX 4090, 580.1'", "cuda", None),
        ("linux", "x86_64", "echo 'RTX 4090, 579.99'", "cpu", "nvidia-driver-too-old"),
        ("linux", "x86_64", "echo 'RTX 4090, 580.1'; exit 9", "cpu", "nvidia-driver-without-card"),
        ("linux", "x86_64", "echo 'no devices'", "cpu", "nvidia-driver-without-card"),
        ("win32", "AMD64", "echo 'RTX 4090, 999.1'", "cpu", "graphics-card-unsupported-on-windows"),
    ],
)
def test_the_fastest_device_that_the_locks_support(tmp_path, monkeypatch, platform, machine, card, kind, note):
    if card:
        script(tmp_path / "nvidia-smi", card)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(interpreters.platform, "machine", lambda: machine)
    monkeypatch.setattr(interpreters.sys, "platform", platform)
    device = interpreters.choose_device()
    assert device.kind == kind and (device.note.name if device.note else None) == note and interpreters.MIN_NVIDIA_DRIVER == 580
    assert device.name == ("RTX 4090" if kind == "cuda" else interpreters.DEVICE_LABELS[kind])
    for wanted, systems in (("cpu", ("linux", "darwin", "win32")), ("cuda", ("linux",)), ("mps", ("darwin",))):
        if platform in systems:
            assert interpreters.choose_device(wanted).kind == wanted
            continue
        with pytest.raises(InputError) as caught:
            interpreters.choose_device(wanted)
        assert caught.value.name == "installation-device-unavailable"


# --- environments ---


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(backend_location, "PACKAGE_FOLDER", tmp_path / "checkout" / "package")
    monkeypatch.setattr(backend_location, "data_folder", lambda: tmp_path / "data")
    monkeypatch.delenv("MESHREC_PYTHON", raising=False)
    backend_location.set_environment_home(tmp_path / "home")
    yield tmp_path / "home"
    backend_location.set_environment_home(None)


def environment(home, name, made=None, content="{}"):
    python = script(home / f"env-{name}" / "bin" / "python", "exit 1")
    if made is not None:
        stamp = home / f"env-{name}" / "meshrec.json"
        stamp.write_text(content)
        os.utime(stamp, (made, made))
    return python


def test_the_backend_is_looked_for_in_this_order(tmp_path, monkeypatch, home):
    has_modules = {"this": False}
    monkeypatch.setattr(backend_location, "_can_import_required_modules", lambda: has_modules["this"])
    with pytest.raises(NotSetUpError) as caught:
        backend_location.find_backend()
    assert caught.value.name == "backend-not-found"
    has_modules["this"] = True
    assert backend_location.find_backend() == Path(sys.executable)
    environment(home, "partial")
    assert backend_location.find_backend() == Path(sys.executable)
    old, new = environment(home, "old", 1000), environment(home, "new", 2000)
    assert backend_location.complete_environments() == [new.parents[1], old.parents[1]]
    assert backend_location.find_backend() == new
    (home / "env-gone").mkdir()
    (home / "env-gone" / "meshrec.json").touch()  # its Python is missing
    assert backend_location.find_backend() == new and backend_location.complete_environments(tmp_path / "other") == []
    checkout = script(tmp_path / "checkout" / ".venv" / "bin" / "python", "")
    assert backend_location.find_backend() == checkout
    bare, complete = script(tmp_path / "bare", "exit 1"), script(tmp_path / "complete", "exit 0")
    monkeypatch.setenv("MESHREC_PYTHON", str(bare))
    assert backend_location.find_backend() == checkout
    monkeypatch.setenv("MESHREC_PYTHON", str(complete))
    assert backend_location.find_backend() == complete and backend_location.find_backend(bare) == bare
    assert [backend_location.chosen_backend(str(path)) for path in (bare, complete, tmp_path / "no")] == [
        None,
        str(complete),
        str(tmp_path / "no"),
    ]
    assert backend_location.chosen_backend(None) is None
    monkeypatch.setenv("MESHREC_PYTHON", str(tmp_path / "absent"))
    for chosen, named in ((None, "(MESHREC_PYTHON)"), (tmp_path / "no", str(tmp_path / "no"))):
        with pytest.raises(InputError, match="There is no Python at") as caught:
            backend_location.find_backend(chosen)
        assert named in caught.value.problem and (chosen is None) == ("MESHREC_PYTHON" in caught.value.problem)


def test_modules_are_looked_for_in_the_python_itself(tmp_path, monkeypatch):
    asked = []

    def run(command, **options):
        asked.append((command, options["timeout"]))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(backend_location.subprocess, "run", run)
    assert backend_location.has_required_modules(tmp_path / "python")
    (command, _timeout) = asked[0]
    assert command[:3] == [str(tmp_path / "python"), "-I", "-c"] and all(name in command[3] for name in ("torch", "av", "cv2"))
    monkeypatch.setattr(backend_location, "_can_import_required_modules", lambda: "asked here")
    assert backend_location.has_required_modules(sys.executable) == "asked here" and len(asked) == 1


def test_environments_are_folders_of_this_user_or_of_blender(home, tmp_path, monkeypatch):
    assert backend_location.environment_home() == home
    backend_location.set_environment_home(None)
    assert backend_location.environment_home() == tmp_path / "data"
    assert backend_location.venv_python("a") == Path("a/bin/python")
    monkeypatch.setattr(backend_location.sys, "platform", "win32")
    assert backend_location.venv_python("a") == Path("a/Scripts/python.exe")
    monkeypatch.setattr(backend_location, "data_folder", lambda: Path("/C/data"))
    limit = backend_location.MAX_HOME_LENGTH
    assert limit + len("/env-12345678/Lib/site-packages/") + 171 == 259
    for length in (limit, limit + 1):
        backend_location.set_environment_home("/" + "h" * (length - 1))
        assert (len(str(backend_location.environment_home())) == length) == (length == limit)
    monkeypatch.setattr(backend_location, "data_folder", lambda: Path("/" + "d" * 300))
    assert backend_location.environment_home() == Path("/" + "h" * limit)


def test_environments_are_removed_their_stamp_first(home, monkeypatch, tmp_path):
    backend_environment.remove_environments(home)  # nothing is there
    environment(home, "one", 1000)
    environment(home, "two")
    for name in ("install.log", "install.lock", "user.txt"):
        (home / name).touch()
    (home / "temporary").mkdir()
    assert backend_environment.has_partial_environment(home)
    removed = []
    remove = backend_environment.shutil.rmtree
    monkeypatch.setattr(
        backend_environment.shutil,
        "rmtree",
        lambda folder: removed.append((folder.name, (folder / "meshrec.json").exists())) or remove(folder),
    )
    backend_environment.remove_environments(home)
    assert sorted(removed) == [("env-one", False), ("env-two", False), ("temporary", False)] and os.listdir(home) == ["user.txt"]
    assert not backend_environment.has_partial_environment(home)

    def fail(folder):
        raise OSError(errno.EBUSY, "in use", str(folder))

    environment(home, "one", 1000)
    monkeypatch.setattr(backend_environment.shutil, "rmtree", fail)
    with pytest.raises(OutputError) as caught:
        backend_environment.remove_environments(home)
    assert caught.value.name == "backend-not-removed" and "in use" in caught.value.problem and str(home / "env-one") in caught.value.problem
    assert not backend_location.complete_environments(home)  # half removed is not complete


def test_one_process_at_a_time_installs(home):
    home.mkdir()
    with backend_environment.installation_lock(home), pytest.raises(InputError) as caught, backend_environment.installation_lock(home):
        pass
    assert caught.value.name == "backend-installed-by-another-blender"
    with backend_environment.installation_lock(home):
        pass


def test_other_failures_of_the_lock_are_passed_on(home, monkeypatch):
    home.mkdir()
    for code, kind in ((errno.EACCES, InputError), (errno.EAGAIN, InputError), (errno.EDEADLK, InputError), (errno.EIO, OSError)):

        def fail(_file, code=code):
            raise OSError(code, "no lock")

        monkeypatch.setattr(backend_environment, "_lock_file", fail)
        with pytest.raises(kind), backend_environment.installation_lock(home):
            pass


def test_stamps_and_lists_tell_what_is_installed(home, monkeypatch):
    folder = environment(home, "12345678", 1000, '{"python": "3.11.4", "device": "cuda"}').parents[1]
    assert backend_environment.read_stamp(folder)["device"] == "cuda" and backend_environment.read_stamp(home) == {}
    asked = []
    monkeypatch.setattr(backend_environment, "environment_hash", lambda *inputs: asked.append(inputs) or "12345678")
    assert backend_environment.is_current(folder, home) and not backend_environment.is_current(home, home)
    assert asked == [(home, "cuda", (3, 11)), (home, "cpu", (0, 0))]
    assert backend_environment.installed_packages(folder) is None
    (folder / "installed.txt").write_text("numpy==1\nav==2\n")
    assert backend_environment.installed_packages(folder) == ["numpy==1", "av==2"]
    (folder / "meshrec.json").write_text("[")
    assert backend_environment.read_stamp(folder) == {} and not backend_environment.has_partial_environment(home)


def test_the_log_is_kept_in_memory_and_in_a_file(tmp_path):
    log = InstallationLog()
    log.add_line("before")
    with pytest.raises(ValueError), log.open_file(tmp_path / "a.log", ["header", "ü"]):
        log.add_line("inside")
        assert (tmp_path / "a.log").read_text(encoding="utf-8") == "header\nü\ninside\n"  # at once
        raise ValueError("broken")
    log.add_line("after")
    assert (tmp_path / "a.log").read_text(encoding="utf-8") == "header\nü\ninside\nValueError: broken\n"
    assert log.lines == ["before", "header", "ü", "inside", "ValueError: broken", "after"] and log.tail(2) == log.lines[-2:]
