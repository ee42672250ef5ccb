"""Whether a process runs, on every system."""

import ctypes
import os
import time
from pathlib import Path

_SYNCHRONIZE, _STILL_RUNNING = 0x00100000, 0x102  # of Windows: a right, and the answer WAIT_TIMEOUT


def is_running(pid):
    """Whether a process runs; a zombie does not."""
    if os.name == "nt":
        kernel = ctypes.WinDLL("kernel32")
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel.OpenProcess(_SYNCHRONIZE, False, pid))
        try:
            return bool(handle) and kernel.WaitForSingleObject(handle, 0) == _STILL_RUNNING
        finally:
            kernel.CloseHandle(handle)
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends_within(pid, seconds):
    """Whether a process ends in time."""
    end = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.005)
    return not is_running(pid)
