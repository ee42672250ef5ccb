"""What Windows offers about processes and Python's standard library does not: job objects, and the memory that was used.

Source: Microsoft, "Job Objects" and "Process Status API".
"""

import ctypes
import sys
from typing import Any

_KILL_ON_JOB_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_EXTENDED_LIMITS = 9  # JobObjectExtendedLimitInformation


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("process_time_limit", ctypes.c_int64),
        ("job_time_limit", ctypes.c_int64),
        ("flags", ctypes.c_uint32),
        ("min_working_set", ctypes.c_size_t),
        ("max_working_set", ctypes.c_size_t),
        ("active_processes", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    )


class _MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        ("peak_working_set", ctypes.c_size_t),
        ("others", ctypes.c_size_t * 7),
    )


def end_children_with_this_process() -> bool:
    """On Windows, have the processes that this one starts from now on end when it ends, however it ends.

    Windows knows no process groups: a child that is ended leaves its own children running. Here the child is in a job object of
    its own, whose only handle it holds; when that closes, Windows ends what is in the job.

    Returns:
        Whether it is so; False on other systems, where process groups do it.
    """
    if sys.platform != "win32":
        return False
    kernel = _kernel()
    job = kernel.CreateJobObjectW(None, None)
    limits = _ExtendedLimits()
    limits.basic.flags = _KILL_ON_JOB_CLOSE
    if not job or not kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)):
        return False
    # The handle stays open until this process ends. Where it cannot be put into a second job, before Windows 8, nothing changes.
    return bool(kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess()))


def peak_memory_bytes() -> int | None:
    """On Windows, the peak of the memory that this process had in use, bytes; None where it cannot be measured."""
    if sys.platform != "win32":
        return None
    kernel, counters = _kernel(), _MemoryCounters()
    counters.size = ctypes.sizeof(counters)
    if not kernel.K32GetProcessMemoryInfo(kernel.GetCurrentProcess(), ctypes.byref(counters), counters.size):
        return None
    return counters.peak_working_set


def _kernel() -> Any:
    """kernel32, with the types of the functions above; on Windows only."""
    kernel = getattr(ctypes, "WinDLL")("kernel32")  # noqa: B009 - unknown to type checkers on other systems
    handle, pointer, number = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32
    for name, result, arguments in (
        ("GetCurrentProcess", handle, ()),
        ("CreateJobObjectW", handle, (pointer, ctypes.c_wchar_p)),
        ("SetInformationJobObject", ctypes.c_int, (handle, ctypes.c_int, pointer, number)),
        ("AssignProcessToJobObject", ctypes.c_int, (handle, handle)),
        ("K32GetProcessMemoryInfo", ctypes.c_int, (handle, pointer, number)),
    ):
        function = getattr(kernel, name)
        function.restype, function.argtypes = result, arguments
    return kernel
