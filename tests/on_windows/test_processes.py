"""The bridge's processes on Windows itself, or as Wine has it; tests/bridge has more."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from blender_meshrec.bridge import backend_process, windows_system
from blender_meshrec.bridge.messages import Failure, ReconstructRequest
from blender_meshrec.core.errors import ExitCode
from tests.bridge.test_backend_process import FAKE, poll_until
from tests.conftest import ROOT
from tests.support.processes import ends_within, is_running

pytestmark = pytest.mark.skipif(os.name != "nt", reason="Windows")


def test_a_backend_ended_by_the_task_manager_is_a_failure_and_takes_its_children_along():
    job = backend_process.start_job(ReconstructRequest("clip.mp4", method="child"), sys.executable, FAKE)
    child = int(poll_until(job, lambda message: "child" in message.stage)[-1].stage.split()[1])
    assert is_running(child)
    os.kill(job.pid, signal.SIGTERM)  # TerminateProcess, with 15 as the exit code
    failure = poll_until(job, Failure)[-1]
    assert failure.exit_code == ExitCode.FAULT and "exit code 15" in failure.problem and failure.remedy
    assert ends_within(job.pid, 1) and ends_within(child, 1)


def test_a_backend_of_low_priority_answers():
    job = backend_process.start_job(ReconstructRequest("clip.mp4", method="work 0.01"), sys.executable, FAKE, low_priority=True)
    assert job.wait().people == (1,)


def test_the_package_runs_from_a_folder_of_any_name(tmp_path):
    """As in Blender's extensions, without links, for which Windows asks a right."""
    home = tmp_path / "Benutzer für alles" / "meshrec-0.1 (1)"
    shutil.copytree(ROOT / "blender_meshrec", home, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", str(home / "backend" / "launch.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, input=b"no message at all, and long enough")
    assert done.returncode == 1 and b"WireError" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("encoding", ["", "cp1252", "ascii"])
def test_names_reach_a_redirected_output_of_any_encoding(tmp_path, encoding):
    """Output that goes to a file or a pipe has the code page of Windows, which lacks most letters."""
    environ = {**os.environ, "PYTHONIOENCODING": encoding}
    if not encoding:
        del environ["PYTHONIOENCODING"]
    command = [sys.executable, "-m", "blender_meshrec.cli", "convert", "場所 ä.npz", "-o", "b.bvh"]
    done = subprocess.run(command, cwd=tmp_path, env={**environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert done.returncode == ExitCode.BAD_INPUT and b"Traceback" not in done.stderr and b".npz" in done.stderr


def test_children_end_with_their_parent_in_a_job_alone():
    code = (
        f"import subprocess, sys, time\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from blender_meshrec.bridge.windows_system import end_children_with_this_process\n"
        "assert sys.argv[1] == 'alone' or end_children_with_this_process()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(30)\n"
    )
    for mode in ("alone", "job"):
        parent = subprocess.Popen([sys.executable, "-c", code, mode], stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        parent.kill()
        parent.communicate() if mode == "job" else parent.wait()
        if mode == "job":
            assert ends_within(child, 2)
        else:
            time.sleep(0.5)
            assert is_running(child)
            os.kill(child, signal.SIGTERM)


def test_the_memory_in_use_is_measured():
    block = bytearray(b"1") * (100 << 20)
    assert windows_system.peak_memory_bytes() > len(block)
