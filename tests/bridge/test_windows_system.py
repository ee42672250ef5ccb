"""What is asked of Windows about processes, with a kernel that only remembers; how Windows answers is tested on Windows."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from blender_meshrec.bridge import memory_limit, process_groups, windows_system
from blender_meshrec.bridge.windows_system import end_children_with_this_process, peak_memory_bytes

PROCESS, JOB = 7, 8  # handles


class Function:
    """A function of the kernel: it remembers the arguments of its calls, and their types are set by the caller."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __call__(self, *arguments):
        assert self.restype and len(arguments) == len(self.argtypes)  # without types, a handle of 64 bits would be cut off
        self.calls.append(arguments)
        return self.answer(*arguments) if callable(self.answer) else self.answer


@pytest.fixture
def kernel(monkeypatch):
    def fill_counters(_process, counters, _size):
        counters._obj.peak_working_set = 12345
        return 1

    functions = SimpleNamespace(
        GetCurrentProcess=Function(PROCESS),
        CreateJobObjectW=Function(JOB),
        SetInformationJobObject=Function(1),
        AssignProcessToJobObject=Function(1),
        K32GetProcessMemoryInfo=Function(fill_counters),
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda name: {"kernel32": functions}[name], raising=False)
    return functions


def test_a_job_that_ends_its_processes_is_made_for_this_process(kernel):
    assert end_children_with_this_process() is True
    assert kernel.CreateJobObjectW.calls == [(None, None)] and kernel.AssignProcessToJobObject.calls == [(JOB, PROCESS)]
    ((job, kind, limits, size),) = kernel.SetInformationJobObject.calls
    assert (job, kind, size) == (JOB, 9, ctypes.sizeof(limits._obj)) and limits._obj.basic.flags == 0x2000
    if ctypes.sizeof(ctypes.c_size_t) == 8:
        assert size == 144  # bytes of JOBOBJECT_EXTENDED_LIMIT_INFORMATION
    assert (kernel.GetCurrentProcess.restype, kernel.CreateJobObjectW.restype) == (ctypes.c_void_p, ctypes.c_void_p)


@pytest.mark.parametrize("failing", ["CreateJobObjectW", "SetInformationJobObject", "AssignProcessToJobObject"])
def test_a_job_that_cannot_be_made_is_none(kernel, failing):
    getattr(kernel, failing).answer = 0
    assert end_children_with_this_process() is False
    assert bool(kernel.AssignProcessToJobObject.calls) == (failing == "AssignProcessToJobObject")


def test_the_peak_of_the_memory_is_what_windows_says(kernel):
    assert peak_memory_bytes() == 12345
    ((process, counters, size),) = kernel.K32GetProcessMemoryInfo.calls
    assert process == PROCESS and size == counters._obj.size == ctypes.sizeof(counters._obj)
    kernel.K32GetProcessMemoryInfo.answer = 0
    assert peak_memory_bytes() is None


def test_other_systems_are_not_asked(monkeypatch):
    monkeypatch.setattr(windows_system, "_kernel", None)
    monkeypatch.setattr(sys, "platform", "linux")
    assert end_children_with_this_process() is False and peak_memory_bytes() is None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_only_linux_limits_the_memory_of_a_process(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(memory_limit, "total_memory", None)
    assert memory_limit.limit_memory() is None and memory_limit.limit_memory(1 << 30) is None


@pytest.mark.parametrize("low_priority, flags", [(False, 0x08000000), (True, 0x08004000)])
def test_children_on_windows_open_no_window(monkeypatch, low_priority, flags):
    started = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0x00004000, raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started.append((command, options)))
    process_groups.start_process_group(["a"], stderr=subprocess.STDOUT, env={"B": "c"}, low_priority=low_priority)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    assert started == [(["a"], {**pipes, "env": {"B": "c"}, "creationflags": flags})]
    started.clear()
    process_groups.start_process_group(["a"])
    assert started[0][1]["creationflags"] == 0x08000000 and started[0][1]["stderr"] == subprocess.PIPE and started[0][1]["env"] is None


def test_a_child_on_windows_is_ended_itself(monkeypatch):
    """Its own children end with it, in its job object."""
    ended = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(process_groups.os, "killpg", None, raising=False)
    process_groups.kill_process_group(SimpleNamespace(kill=lambda: ended.append("killed"), pid=None))
    assert ended == ["killed"]


def test_the_end_of_a_child_is_waited_for_where_ids_do_not_remain(monkeypatch):
    monkeypatch.delattr(process_groups.os, "waitid", raising=False)
    answers, slept = [None, None, 0], []
    monkeypatch.setattr(process_groups.time, "sleep", slept.append)
    process_groups.wait_for_exit(SimpleNamespace(poll=lambda: answers.pop(0), pid=None))
    assert answers == [] and slept == [0.1, 0.1]  # s
