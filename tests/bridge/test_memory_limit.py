"""The memory of a child: the limit, and the groups of processes that end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import memory_limit, process_groups, tethered_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA, control groups and process groups")


@pytest.fixture
def limits(monkeypatch):
    """The soft and hard limit as the operating system would keep them, without a limit for this process."""
    import resource

    kept = {"limits": (resource.RLIM_INFINITY, resource.RLIM_INFINITY)}

    def set_limit(kind, wanted):
        assert kind == resource.RLIMIT_DATA
        kept["limits"] = wanted

    monkeypatch.setattr(resource, "getrlimit", lambda kind: kept["limits"] if kind == resource.RLIMIT_DATA else None)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    return kept


def test_a_limit_is_set_and_a_lower_one_stays(limits, monkeypatch):
    import resource

    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(memory_limit, "total_memory", lambda: 1000)
    for before, asked, after in (
        ((unlimited, unlimited), None, 850),
        ((unlimited, unlimited), 300, 300),
        ((200, unlimited), 300, 200),
        ((400, unlimited), 300, 300),
        ((unlimited, 250), 300, 250),
    ):
        limits["limits"] = before
        assert memory_limit.limit_memory(asked) == after
        assert limits["limits"] == (after, before[1])


def test_a_limit_that_cannot_be_set_is_none(limits, monkeypatch):
    import resource

    for error in (OSError, ValueError):

        def fail(_kind, _limits, error=error):
            raise error

        monkeypatch.setattr(resource, "setrlimit", fail)
        assert memory_limit.limit_memory(300) is None


def test_a_container_has_the_memory_that_it_may_use(tmp_path, monkeypatch):
    assert memory_limit._CGROUP_FILES == ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # versions 2 and 1
    machine = memory_limit.total_memory()
    assert machine > 1 << 27  # bytes
    files = [tmp_path / name for name in ("v2", "v1", "absent")]
    monkeypatch.setattr(memory_limit, "_CGROUP_FILES", files)
    physical = memory_limit.total_memory()
    for first, second, expected in (
        ("max\n", "5000\n", 5000),
        ("7000\n", "5000\n", 5000),
        ("3000\n", "5000\n", 3000),
        ("max", "9" * 19, physical),
    ):
        files[0].write_text(first)
        files[1].write_text(second)
        assert memory_limit.total_memory() == expected


def test_a_driver_of_a_graphics_card_is_seen(tmp_path, monkeypatch):
    assert memory_limit._GRAPHICS_DEVICES == ("/dev/nvidiactl", "/dev/kfd")  # NVIDIA's and AMD's
    devices = (tmp_path / "nvidia", tmp_path / "amd")
    monkeypatch.setattr(memory_limit, "_GRAPHICS_DEVICES", devices)
    assert not memory_limit.has_graphics_driver()
    devices[1].touch()
    assert memory_limit.has_graphics_driver()


# --- process groups ---

PARENT = (
    "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True)"
)


def is_running(pid):
    """Whether a process has not ended; one that nobody has waited for has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("low_priority", [False, True])
def test_a_child_ends_together_with_its_own_children(low_priority):
    command = [sys.executable, "-c", f"{PARENT}; time.sleep(60)"]
    process = process_groups.start_process_group(command, low_priority=low_priority)
    try:
        grandchild = int(process.stdout.readline())
        assert os.getpgid(process.pid) == os.getpgid(grandchild) == process.pid != os.getpgid(0)
        assert (os.getsid(process.pid) == os.getsid(0)) == low_priority
    finally:
        process_groups.kill_process_group(process)
    process_groups.wait_for_exit(process)
    assert wait_until(lambda: not is_running(grandchild))
    assert process.wait() == -signal.SIGKILL
    process_groups.kill_process_group(process)  # nothing is left to end
    process_groups.wait_for_exit(process)
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()


def test_a_child_has_pipes_and_its_own_environment():
    command = [sys.executable, "-c", "import os, sys; print(os.environ['NAME'] + sys.stdin.read()); sys.exit('failed')"]
    process = process_groups.start_process_group(command, env={"NAME": "value "})
    out, errors = process.communicate(b"text")
    assert (out, errors.strip(), process.returncode) == (b"value text\n", b"failed", 1)
    joined = process_groups.start_process_group(command, stderr=subprocess.STDOUT, env={"NAME": ""})
    assert joined.communicate(b"")[0].split() == [b"failed"] and joined.stderr is None


def test_a_tethered_module_gets_its_arguments_and_ends_with_its_parent(tmp_path):
    module = f"import sys\nprint(sys.argv[1:], __name__, flush=True)\nif sys.argv[1:] == ['stay']:\n    {PARENT}; time.sleep(60)\n"
    (tmp_path / "tethered_module.py").write_text(module)
    code = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-u", "-c", code, tethered_process.__file__, "tethered_module"]
    short = process_groups.start_process_group([*command, "a", "b"])
    assert short.stdout.readline() == b"['a', 'b'] __main__\n" and short.wait(30) == 0
    short.communicate()
    staying = process_groups.start_process_group([*command, "stay"])
    assert staying.stdout.readline() == b"['stay'] __main__\n"
    grandchild = int(staying.stdout.readline())
    assert is_running(grandchild) and staying.poll() is None
    staying.stdin.close()  # as when the parent ends
    assert staying.wait(30) in (1, -signal.SIGKILL) and wait_until(lambda: not is_running(grandchild))
    for stream in (staying.stdout, staying.stderr):
        stream.close()
