"""Installations of the backend's environment, interrupted and resumed, from packages that the tests make; nothing is downloaded."""

import collections
import http.server
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_environment, backend_location, installation, installer_processes, locks
from blender_meshrec.bridge.installation import Installation, InstallationPlan
from blender_meshrec.core import errors
from tests.bridge.test_backend_process import ends_within, is_running
from tests.support.wheels import lock_entry, make_wheel, write_locks

posix = pytest.mark.skipif(os.name == "nt", reason="signals and process groups of POSIX")
ROOT = Path(__file__).resolve().parents[2]
MANY = {f"large/part{number}.py": f"number = {number}\n" for number in range(3000)}
FAKE_LAUNCH = """
import importlib.util, json, sys
missing = {name: "not there" for name in %r if importlib.util.find_spec(name) is None}
print("output of a library")
print(json.dumps({"python": "3", "versions": {}, "missing": missing, "devices": ["cpu"]}))
"""


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """An environment with only pip, because making one takes seconds."""
    folder = tmp_path_factory.mktemp("template") / "env"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def quick(monkeypatch, empty_environment):
    """Environments are copies of the empty one, and packages are installed with Python's own pip, which lacks some of our options."""
    run_module = installer_processes.ChildProcesses.run_module

    def copy_or_run(self, python, module, arguments, on_line):
        if module != "venv":
            return run_module(self, python, module, arguments, on_line)
        shutil.copytree(empty_environment, arguments[0], symlinks=True)
        return 0

    monkeypatch.setattr(installer_processes.ChildProcesses, "run_module", copy_or_run)
    monkeypatch.setattr(installation, "_PIP_RESUME_OPTIONS", ("--ignore-installed",))
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture
def index(tmp_path, quick):
    """Wheels, locks for them, and an InstallationPlan that installs them."""

    class LocalIndex:
        wheels, home, names = tmp_path / "bundle" / "wheels", tmp_path / "home", ("torch", "small", "large")

        def plan(self, **changes):
            launch = tmp_path / "launch.py"
            launch.write_text(FAKE_LAUNCH % (self.names,))
            settings = {"home": self.home, "python": sys.executable, "device": "cpu", "bundle": tmp_path / "bundle"}
            return InstallationPlan(**{**settings, "locks": tmp_path / "locks", "launch": launch, **changes})

    index = LocalIndex()
    index.torch = make_wheel(index.wheels, "torch", "2.0+cpu")
    index.other_torch = make_wheel(tmp_path / "elsewhere", "torch", "2.0")
    index.small = make_wheel(index.wheels, "small")
    index.large = make_wheel(index.wheels, "large")
    index.never = make_wheel(tmp_path / "elsewhere", "never")
    index.locks = write_locks(
        tmp_path / "locks",
        torch=[lock_entry(index.other_torch)],
        cpu=[lock_entry(index.torch)],
        backend=[
            lock_entry(index.small),
            lock_entry(index.never, "python_full_version < '3' and sys_platform == 'amiga'"),
            lock_entry(index.large),
        ],
    )
    return index


def install(plan, on_progress=lambda progress: None):
    return Installation(plan).wait(on_progress)


def failure(plan):
    with pytest.raises(errors.MeshRecError) as caught:
        install(plan)
    assert not backend_location.complete_environments(plan.home)
    assert not (Path(plan.home) / "temporary").exists()
    return caught.value


def packages(folder):
    return {path.name for path in folder.glob("lib/python*/site-packages/*.dist-info")} | {
        path.name for path in folder.glob("Lib/site-packages/*.dist-info")
    }


def test_a_bundle_is_installed_with_progress(index):
    progress_events = []
    folder = install(index.plan(), progress_events.append)
    assert {"torch-2.0+cpu.dist-info", "small-1.0.dist-info", "large-1.0.dist-info"} <= packages(folder)
    assert "never-1.0.dist-info" not in packages(folder)
    assert backend_location.complete_environments(index.home) == [folder]
    facts = backend_environment.read_stamp(folder)
    assert (facts["device"], facts["packages"], facts["python"]) == ("cpu", 3, ".".join(map(str, sys.version_info[:3])))
    assert backend_environment.is_current(folder, index.locks)
    # While the total is constant, progress does not decrease; it ends at the total and names the packages.
    complete_total = [progress for progress in progress_events if progress.total == progress_events[-1].total]
    assert [progress.done for progress in complete_total] == sorted(progress.done for progress in complete_total)
    assert complete_total[-1].done == complete_total[-1].total > 0 and any("torch" in progress.stage for progress in progress_events)
    log = (index.home / backend_environment.LOG_FILE).read_text()
    assert sys.executable in log and "Successfully installed" in log
    assert not (index.home / "temporary").exists()
    start = time.perf_counter()
    assert install(index.plan()) == folder  # already complete
    assert time.perf_counter() - start < 1.0  # s


def test_find_backend_takes_complete_environments_only(index, monkeypatch, tmp_path):
    monkeypatch.delenv("MESHREC_PYTHON", raising=False)
    monkeypatch.setattr(backend_location, "PACKAGE_FOLDER", tmp_path / "nowhere" / "package")
    monkeypatch.setattr(backend_location, "REQUIRED_MODULES", ("nowhere_to_be_found",))
    backend_location.set_environment_home(index.home)
    try:
        with pytest.raises(errors.NotSetUpError, match="Install Backend"):
            backend_location.find_backend()
        folder = install(index.plan())
        assert backend_location.find_backend() == backend_location.venv_python(folder)
        monkeypatch.setenv("MESHREC_PYTHON", sys.executable)  # a bare Python makes environments and is none
        assert backend_location.find_backend() == backend_location.venv_python(folder)
        assert (
            backend_location.chosen_backend(sys.executable) is None
            and backend_location.chosen_backend("/nowhere/python") == "/nowhere/python"
        )
        (folder / backend_location.STAMP_FILE).unlink()
        with pytest.raises(errors.NotSetUpError):
            backend_location.find_backend()
        assert backend_environment.has_partial_environment(index.home)
    finally:
        backend_location.set_environment_home(None)


def test_a_cancelled_installation_is_resumed(index):
    make_wheel(index.wheels, "large", files={"large/__init__.py": "", **MANY})
    write_locks(
        index.locks,
        torch=[lock_entry(index.other_torch)],
        cpu=[lock_entry(index.torch)],
        backend=[lock_entry(index.small), lock_entry(index.large)],
    )
    job = Installation(index.plan())
    end = time.monotonic() + 180  # s; environments take minutes to make under Wine
    while job.progress.stage != "Unpacking small and 1 more":
        assert job.running and time.monotonic() < end, (job.error, job.details)
        time.sleep(0.002)
    time.sleep(0.1)
    start = time.perf_counter()
    job.cancel()
    job.join(5)
    assert time.perf_counter() - start < 0.5  # s
    assert isinstance(job.error, errors.CancelledError) and job.environment is None
    assert not backend_location.complete_environments(index.home) and backend_environment.has_partial_environment(index.home)
    assert not (index.home / "temporary").exists()
    (partial,) = index.home.glob("env-*")
    assert "torch==2.0+cpu" in backend_environment.installed_packages(partial)
    torch = next(partial.glob("**/site-packages/torch.py"))
    before = torch.stat().st_ino, torch.stat().st_mtime_ns
    folder = install(index.plan())
    assert folder == partial and (torch.stat().st_ino, torch.stat().st_mtime_ns) == before  # not installed again
    assert len(list(folder.glob("**/site-packages/large/part*.py"))) == len(MANY)


@posix
def test_a_killed_installation_leaves_no_child_and_is_resumed(index, tmp_path):
    plan = index.plan()
    # Instead of pip, a child that sleeps.
    script = tmp_path / "install.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from blender_meshrec.bridge import installer_processes as children, installation
        run = children.ChildProcesses.run_module
        def slow(self, python, module, arguments, on_line):
            if module == "venv":
                return run(self, python, module, arguments, on_line)
            return run(self, python, "timeit", ["-n", "1", "-r", "1", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
                       lambda line: print(line, flush=True))
        children.ChildProcesses.run_module = slow
        installation.Installation(installation.InstallationPlan(home=Path({str(plan.home)!r}), python={sys.executable!r}, device="cpu",
            bundle=Path({str(plan.bundle)!r}), locks=Path({str(plan.locks)!r}), launch=Path({str(plan.launch)!r}))).wait()
        """)
    )
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    with pytest.raises(errors.InputError, match="Another Blender is installing"):
        install(plan)
    assert is_running(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ends_within(child, 2)
    assert not backend_location.complete_environments(index.home)
    assert backend_location.complete_environments(index.home) == [] and install(plan) in backend_location.complete_environments(index.home)


def test_a_half_made_environment_is_made_again(index):
    folder = index.home / f"env-{locks.environment_hash(index.locks, 'cpu', sys.version_info[:2])}"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "rubbish").write_text("")
    assert install(index.plan()) == folder
    assert not (folder / "bin" / "rubbish").exists()


def test_a_lost_connection_is_reported_and_the_installation_resumes(index, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.wheels))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # a port without a server
    hidden_wheel = index.large.rename(index.large.with_suffix(".away"))
    index.locks = write_locks(
        index.locks,
        torch=[lock_entry(index.other_torch)],
        cpu=[lock_entry(index.torch)],
        backend=[lock_entry(index.small), lock_entry(hidden_wheel)],
    )
    error = failure(index.plan(bundle=None))
    assert isinstance(error, errors.NotSetUpError) and "cannot be reached" in error.problem and "goes on where it stopped" in error.remedy
    (partial,) = index.home.glob("env-*")
    assert backend_environment.installed_packages(partial) == ["torch==2.0+cpu"]  # small is in one batch with large
    hidden_wheel.rename(index.large)
    assert install(index.plan(bundle=None)) == partial


def test_a_file_with_another_hash_is_not_installed(index):
    write_locks(
        index.locks,
        torch=[lock_entry(index.other_torch)],
        cpu=[lock_entry(index.torch)],
        backend=[lock_entry(index.small, digest="0" * 64)],
    )
    error = failure(index.plan())
    assert isinstance(error, errors.ModelError) and "not the one" in error.problem
    (partial,) = index.home.glob("env-*")
    assert "small-1.0.dist-info" not in packages(partial)


def test_an_offline_bundle_contacts_no_host_and_gives_only_listed_files(index, monkeypatch):
    requests, given = [], []

    class Recorder(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_words):
            pass

    collect = installation.collect_wheels

    def collect_and_note(wheels, requirements, target):
        collect(wheels, requirements, target)
        given.extend(path.name for path in target.iterdir())

    monkeypatch.setattr(installation, "collect_wheels", collect_and_note)
    with http.server.HTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        links = "".join(f'<a href="{host}/{name}-1.0-py3-none-any.whl">{name}</a>' for name in ("small", "large", "torch"))
        for name in ("index.html", "index.htm", "small.html"):
            (index.wheels / name).write_text(f'<html><head><base href="{host}/"></head><body>{links}</body></html>')
        make_wheel(index.wheels, "small", files={"evil.py": "x"}, python="py3.cp311")  # the right name and version, another content
        make_wheel(index.wheels, "other")
        (index.wheels / "small-1.0.tar.gz").write_bytes(b"")
        folder = install(index.plan())
        server.shutdown()
    assert requests == [] and {"small-1.0.dist-info", "large-1.0.dist-info"} <= packages(folder)
    assert sorted(given) == sorted(wheel.name for wheel in (index.torch, index.small, index.large))
    assert not list(folder.rglob("evil.py"))


def test_a_package_without_a_hash_is_not_installed(index):
    write_locks(index.locks, torch=[lock_entry(index.other_torch)], cpu=[lock_entry(index.torch)], backend=["small==1.0\n"])
    assert isinstance(failure(index.plan()), errors.MeshRecError)
    (partial,) = index.home.glob("env-*")
    assert "small-1.0.dist-info" not in packages(partial)


def test_torch_falls_back_to_the_default_build(index):
    index.torch.unlink()
    shutil.copy(index.other_torch, index.wheels)
    folder = install(index.plan())
    assert "torch-2.0.dist-info" in packages(folder)
    assert "usual build" in (index.home / backend_environment.LOG_FILE).read_text()


def test_a_package_without_a_file_is_named(index):
    index.small.unlink()
    error = failure(index.plan())
    assert "no file of small==1.0" in error.problem and "Python 3" in error.problem


def test_a_full_disk_is_reported_before_the_download(index, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda path: usage(1e12, 1e12 - 4e8, 4e8))
    error = failure(index.plan())
    assert isinstance(error, errors.OutputError) and "0.4 GB left" in error.problem
    (partial,) = index.home.glob("env-*")
    assert backend_environment.installed_packages(partial) == []


def test_an_environment_that_lacks_a_module_is_not_complete(index):
    index.names = ("torch", "cv2_that_is_not_there")
    error = failure(index.plan())
    assert "cv2_that_is_not_there: not there" in error.problem


def test_an_update_replaces_the_environment_only_when_complete(index):
    old = install(index.plan())
    newer = make_wheel(index.wheels, "small", "2.0")
    hidden_wheel = newer.with_suffix(".away")
    write_locks(index.locks, torch=[lock_entry(index.other_torch)], cpu=[lock_entry(index.torch)], backend=[lock_entry(newer)])
    newer.rename(hidden_wheel)
    index.names = ("torch", "small")
    assert not backend_environment.is_current(old, index.locks)
    with pytest.raises(errors.MeshRecError):
        install(index.plan())
    assert backend_location.complete_environments(index.home) == [old]
    hidden_wheel.rename(newer)
    new = install(index.plan())
    assert backend_location.complete_environments(index.home) == [new] and not old.exists()
    (new / "lib" / "rubbish").write_text("")
    assert install(index.plan(anew=True)) == new and not (new / "lib" / "rubbish").exists()


def test_removing_leaves_no_files(index):
    install(index.plan())
    backend_environment.remove_environments(index.home)
    assert list(index.home.iterdir()) == []
    backend_environment.remove_environments(index.home)  # a second time has no effect
    backend_environment.remove_environments(index.home / "never")


def test_an_unwritable_folder_is_reported(index, tmp_path):
    home = tmp_path / "file"
    home.write_text("")
    error = failure(index.plan(home=home / "below"))
    assert isinstance(error, errors.OutputError)


@posix
@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_reported(index):
    index.home.mkdir()
    index.home.chmod(0o500)
    assert "cannot be written" in failure(index.plan()).problem


def test_a_bundle_without_packages_is_reported(index, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no packages" in failure(index.plan(bundle=tmp_path / "empty")).problem


def test_an_interrupted_removal_leaves_no_complete_environment(index, monkeypatch):
    folder = install(index.plan())
    assert backend_location.complete_environments(index.home) == [folder]

    def cut_off(path):
        raise PermissionError(13, "it is in use", str(path))

    monkeypatch.setattr(backend_environment.shutil, "rmtree", cut_off)
    with pytest.raises(errors.OutputError, match="in use"):
        backend_environment.remove_environments(index.home)
    assert backend_location.complete_environments(index.home) == []
