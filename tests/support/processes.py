"""Whether a process runs, on every system; one that is in the middle of writing; the maker of scenes at work on something else."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from blender_meshrec.bridge.backend_location import PACKAGE_FOLDER
from tests.conftest import ROOT

_SYNCHRONIZE, _STILL_RUNNING = 0x00100000, 0x102  # of Windows: a right, and the answer WAIT_TIMEOUT
_WRITER = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from blender_meshrec.core.files.output_file import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


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


def start_writer(path):
    """A process that is in the middle of writing `path`."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def maker_command(folder, code):
    """The command of a maker of scenes that ends with its parent and runs `code` instead of making outputs."""
    settings = folder / "settings.json"
    settings.write_text('{"tethered": true}')
    program = f"main = __import__('runpy').run_path({str(PACKAGE_FOLDER / 'scene' / 'make_job.py')!r})['main']\n"
    program += f"main.__globals__['write_job_outputs'] = lambda settings: exec({code!r})\nmain({str(settings)!r})\n"
    return [sys.executable, "-u", "-c", program]
