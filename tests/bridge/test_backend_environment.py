"""The backend's environment made, cut off and taken up again, from packages made on the spot; nothing is downloaded."""

import collections
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_environment, backend_location, installation, installer_processes, locks
from blender_meshrec.bridge.installation import Installation, InstallationPlan
from blender_meshrec.core import errors
from tests.bridge.test_backend_process import alive, gone
from tests.support.wheels import lock_entry, make_wheel, write_locks

posix = pytest.mark.skipif(os.name == "nt", reason="signals and process groups of POSIX")
ROOT = Path(__file__).resolve().parents[2]
MANY = {f"large/part{number}.py": f"number = {number}\n" for number in range(3000)}
FAKE_LAUNCH = """
import importlib.util, json, sys
missing = {name: "not there" for name in %r if importlib.util.find_spec(name) is None}
print("a word of a library")
print(json.dumps({"python": "3", "versions": {}, "missing": missing, "devices": ["cpu"]}))
"""


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """An environment with nothing but pip: making one takes seconds."""
    folder = tmp_path_factory.mktemp("template") / "env"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def quick(monkeypatch, empty_environment):
    """Environments are copied, and made with the pip that Python brings along, which does not know all of our options."""
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
def shop(tmp_path, quick):
    """Wheels, locks for them, and an InstallationPlan that installs them from there."""

    class Shop:
        wheels, home, names = tmp_path / "bundle" / "wheels", tmp_path / "home", ("torch", "small", "large")

        def plan(self, **changes):
            launch = tmp_path / "launch.py"
            launch.write_text(FAKE_LAUNCH % (self.names,))
            settings = {"home": self.home, "python": sys.executable, "device": "cpu", "bundle": tmp_path / "bundle"}
            return InstallationPlan(**{**settings, "locks": tmp_path / "locks", "launch": launch, **changes})

    shop = Shop()
    shop.torch = make_wheel(shop.wheels, "torch", "2.0+cpu")
    shop.other_torch = make_wheel(tmp_path / "elsewhere", "torch", "2.0")
    shop.small = make_wheel(shop.wheels, "small")
    shop.large = make_wheel(shop.wheels, "large")
    shop.never = make_wheel(tmp_path / "elsewhere", "never")
    shop.locks = write_locks(
        tmp_path / "locks",
        torch=[lock_entry(shop.other_torch)],
        cpu=[lock_entry(shop.torch)],
        backend=[
            lock_entry(shop.small),
            lock_entry(shop.never, "python_full_version < '3' and sys_platform == 'amiga'"),
            lock_entry(shop.large),
        ],
    )
    return shop


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


def test_from_a_bundle_to_an_environment(shop):
    seen = []
    folder = install(shop.plan(), seen.append)
    assert {"torch-2.0+cpu.dist-info", "small-1.0.dist-info", "large-1.0.dist-info"} <= packages(folder)
    assert "never-1.0.dist-info" not in packages(folder)
    assert backend_location.complete_environments(shop.home) == [folder]
    facts = backend_environment.read_stamp(folder)
    assert (facts["device"], facts["packages"], facts["python"]) == ("cpu", 3, ".".join(map(str, sys.version_info[:3])))
    assert backend_environment.is_current(folder, shop.locks)
    # Progress never goes back while its total stays, ends at everything, and names what is loaded.
    whole = [progress for progress in seen if progress.total == seen[-1].total]
    assert [progress.done for progress in whole] == sorted(progress.done for progress in whole)
    assert whole[-1].done == whole[-1].total > 0 and any("torch" in progress.stage for progress in seen)
    log = (shop.home / backend_environment.LOG_FILE).read_text()
    assert sys.executable in log and "Successfully installed" in log
    assert not (shop.home / "temporary").exists()
    begun = time.perf_counter()
    assert install(shop.plan()) == folder  # nothing to do
    assert time.perf_counter() - begun < 1.0  # s


def test_find_backend_takes_complete_environments_only(shop, monkeypatch, tmp_path):
    monkeypatch.delenv("MESHREC_PYTHON", raising=False)
    monkeypatch.setattr(backend_location, "PACKAGE_FOLDER", tmp_path / "nowhere" / "package")
    monkeypatch.setattr(backend_location, "REQUIRED_MODULES", ("nowhere_to_be_found",))
    backend_location.set_environment_home(shop.home)
    try:
        with pytest.raises(errors.NotSetUpError, match="Install Backend"):
            backend_location.find_backend()
        folder = install(shop.plan())
        assert backend_location.find_backend() == backend_location.venv_python(folder)
        monkeypatch.setenv("MESHREC_PYTHON", sys.executable)  # a bare Python: it makes environments, it is none
        assert backend_location.find_backend() == backend_location.venv_python(folder)
        assert (
            backend_location.chosen_backend(sys.executable) is None
            and backend_location.chosen_backend("/nowhere/python") == "/nowhere/python"
        )
        (folder / backend_location.STAMP_FILE).unlink()
        with pytest.raises(errors.NotSetUpError):
            backend_location.find_backend()
        assert backend_environment.has_partial_environment(shop.home)
    finally:
        backend_location.set_environment_home(None)


def test_cancelled_in_the_middle_and_taken_up_again(shop):
    make_wheel(shop.wheels, "large", files={"large/__init__.py": "", **MANY})
    write_locks(
        shop.locks,
        torch=[lock_entry(shop.other_torch)],
        cpu=[lock_entry(shop.torch)],
        backend=[lock_entry(shop.small), lock_entry(shop.large)],
    )
    job = Installation(shop.plan())
    end = time.monotonic() + 30
    while job.progress.stage != "Unpacking small and 1 more":
        assert job.running and time.monotonic() < end, (job.error, job.details)
        time.sleep(0.002)
    time.sleep(0.1)
    begun = time.perf_counter()
    job.cancel()
    job.join(5)
    assert time.perf_counter() - begun < 0.5  # s
    assert isinstance(job.error, errors.CancelledError) and job.environment is None
    assert not backend_location.complete_environments(shop.home) and backend_environment.has_partial_environment(shop.home)
    assert not (shop.home / "temporary").exists()
    (half,) = shop.home.glob("env-*")
    assert "torch==2.0+cpu" in backend_environment.installed_packages(half)
    torch = next(half.glob("**/site-packages/torch.py"))
    before = torch.stat().st_ino, torch.stat().st_mtime_ns
    folder = install(shop.plan())
    assert folder == half and (torch.stat().st_ino, torch.stat().st_mtime_ns) == before  # it was not installed again
    assert len(list(folder.glob("**/site-packages/large/part*.py"))) == len(MANY)


@posix
def test_a_process_that_is_killed_leaves_no_child_and_its_work_is_taken_up(shop, tmp_path):
    plan = shop.plan()
    # A lock whose first package is there and whose second takes its time: its index answers nobody.
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
    assert alive(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(child, 2)
    assert not backend_location.complete_environments(shop.home)
    assert backend_location.complete_environments(shop.home) == [] and install(plan) in backend_location.complete_environments(shop.home)


def test_an_environment_whose_making_was_cut_off_is_made_anew(shop):
    folder = shop.home / f"env-{locks.environment_hash(shop.locks, 'cpu', sys.version_info[:2])}"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "rubbish").write_text("")
    assert install(shop.plan()) == folder
    assert not (folder / "bin" / "rubbish").exists()


def test_a_lost_connection_is_said_so_and_what_came_before_stays(shop, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop.wheels))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    hidden = shop.large.rename(shop.large.with_suffix(".away"))
    shop.locks = write_locks(
        shop.locks, torch=[lock_entry(shop.other_torch)], cpu=[lock_entry(shop.torch)], backend=[lock_entry(shop.small), lock_entry(hidden)]
    )
    error = failure(shop.plan(bundle=None))
    assert isinstance(error, errors.NotSetUpError) and "cannot be reached" in error.problem and "goes on where it stopped" in error.remedy
    (half,) = shop.home.glob("env-*")
    assert backend_environment.installed_packages(half) == ["torch==2.0+cpu"]  # small was loaded with large, and goes with it
    hidden.rename(shop.large)
    assert install(shop.plan(bundle=None)) == half


def test_a_file_that_is_not_the_one_of_the_lock_is_not_installed(shop):
    write_locks(
        shop.locks, torch=[lock_entry(shop.other_torch)], cpu=[lock_entry(shop.torch)], backend=[lock_entry(shop.small, digest="0" * 64)]
    )
    error = failure(shop.plan())
    assert isinstance(error, errors.ModelError) and "not the one" in error.problem
    (half,) = shop.home.glob("env-*")
    assert "small-1.0.dist-info" not in packages(half)


def test_a_package_without_a_hash_is_not_installed(shop):
    write_locks(shop.locks, torch=[lock_entry(shop.other_torch)], cpu=[lock_entry(shop.torch)], backend=["small==1.0\n"])
    assert isinstance(failure(shop.plan()), errors.MeshRecError)
    (half,) = shop.home.glob("env-*")
    assert "small-1.0.dist-info" not in packages(half)


def test_torch_falls_back_to_its_usual_build(shop):
    shop.torch.unlink()
    shutil.copy(shop.other_torch, shop.wheels)
    folder = install(shop.plan())
    assert "torch-2.0.dist-info" in packages(folder)
    assert "usual build" in (shop.home / backend_environment.LOG_FILE).read_text()


def test_a_package_that_is_nowhere_is_named(shop):
    shop.small.unlink()
    error = failure(shop.plan())
    assert "no file of small==1.0" in error.problem and "Python 3" in error.problem


def test_a_full_disk_is_seen_before_anything_is_loaded(shop, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda path: usage(1e12, 1e12 - 4e8, 4e8))
    error = failure(shop.plan())
    assert isinstance(error, errors.OutputError) and "0.4 GB left" in error.problem
    (half,) = shop.home.glob("env-*")
    assert backend_environment.installed_packages(half) == []


def test_an_environment_that_cannot_load_everything_does_not_count(shop):
    shop.names = ("torch", "cv2_that_is_not_there")
    error = failure(shop.plan())
    assert "cv2_that_is_not_there: not there" in error.problem


def test_an_update_takes_the_place_of_what_was_there_only_when_it_is_complete(shop):
    old = install(shop.plan())
    newer = make_wheel(shop.wheels, "small", "2.0")
    hidden = newer.with_suffix(".away")
    write_locks(shop.locks, torch=[lock_entry(shop.other_torch)], cpu=[lock_entry(shop.torch)], backend=[lock_entry(newer)])
    newer.rename(hidden)
    shop.names = ("torch", "small")
    assert not backend_environment.is_current(old, shop.locks)
    with pytest.raises(errors.MeshRecError):
        install(shop.plan())
    assert backend_location.complete_environments(shop.home) == [old]
    hidden.rename(newer)
    new = install(shop.plan())
    assert backend_location.complete_environments(shop.home) == [new] and not old.exists()
    (new / "lib" / "rubbish").write_text("")
    assert install(shop.plan(anew=True)) == new and not (new / "lib" / "rubbish").exists()


def test_removing_leaves_nothing(shop):
    install(shop.plan())
    backend_environment.remove_environments(shop.home)
    assert list(shop.home.iterdir()) == []
    backend_environment.remove_environments(shop.home)  # once more is harmless
    backend_environment.remove_environments(shop.home / "never")


def test_a_folder_that_cannot_be_written(shop, tmp_path):
    home = tmp_path / "file"
    home.write_text("")
    error = failure(shop.plan(home=home / "below"))
    assert isinstance(error, errors.OutputError)


@posix
@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write everywhere")
def test_no_permission(shop):
    shop.home.mkdir()
    shop.home.chmod(0o500)
    assert "cannot be written" in failure(shop.plan()).problem


def test_a_bundle_without_packages(shop, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no packages" in failure(shop.plan(bundle=tmp_path / "empty")).problem


def test_a_removal_that_is_cut_off_leaves_nothing_that_counts(shop, monkeypatch):
    folder = install(shop.plan())
    assert backend_location.complete_environments(shop.home) == [folder]

    def cut_off(path):
        raise PermissionError(13, "it is in use", str(path))

    monkeypatch.setattr(backend_environment.shutil, "rmtree", cut_off)
    with pytest.raises(errors.OutputError, match="in use"):
        backend_environment.remove_environments(shop.home)
    assert backend_location.complete_environments(shop.home) == []
