"""The client of the backend's process: it succeeds, is cancelled or crashes, and there is always one answer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_process, log_tail
from blender_meshrec.bridge.messages import Failure, Progress, ReconstructRequest, Result
from blender_meshrec.core import errors
from tests.support.processes import ends_within, is_running

FAKE = Path(__file__).resolve().parents[1] / "support" / "fake_backend.py"
ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name == "nt", reason="signals and process groups of POSIX")


def start(method, **changes):
    return backend_process.start_job(ReconstructRequest("clip.mp4", method=method, **changes), sys.executable, FAKE)


def poll_until(job, found, seconds=30):
    """Poll until a message is of a class, or until `found(message)`; returns all messages so far."""
    messages, end = [], time.monotonic() + seconds
    while not any(isinstance(message, found) if isinstance(found, type) else found(message) for message in messages):
        assert time.monotonic() < end, (messages, job.log)
        messages += job.poll()
        time.sleep(0.005)
    return messages


def test_progress_streams_and_the_result_arrives():
    job = start("work 0.6", person="all")
    messages = poll_until(job, Result)
    progress, result = messages[:-1], messages[-1]
    assert job.finished and job.poll() == []
    assert all(isinstance(message, Progress) for message in progress)
    finding = [message.done for message in progress if message.stage == "Finding people"]
    assert finding[0] == 1 and finding[-1] == 100 and finding == sorted(finding)
    assert 3 <= len(finding) <= 0.6 / 0.05 + 8  # at most 20 a second, and first and last
    assert progress[-1].stage == "Fitting"
    assert len(result.recoveries) == 2 and result.people == (1, 2)
    assert ends_within(job.pid, 2)
    assert job.wait() is result  # also after polling to the end


def test_wait_returns_the_result_and_passes_on_progress():
    progress_events = []
    result = start("work 0.01").wait(progress_events.append)
    assert isinstance(result, Result) and progress_events[0].stage == "Finding people"


def test_poll_never_waits():
    job = start("sleep")
    start_time = time.perf_counter()
    for _ in range(100):
        job.poll()
    assert time.perf_counter() - start_time < 0.1  # s
    job.cancel()


def test_cancel_ends_the_process_and_its_children():
    job = start("child")
    child = int(poll_until(job, lambda message: "child" in message.stage)[-1].stage.split()[1])
    assert is_running(job.pid) and is_running(child)
    start_time = time.perf_counter()
    job.cancel()
    assert time.perf_counter() - start_time < 0.1  # s
    assert ends_within(job.pid, 0.5) and ends_within(child, 0.5)
    failure = poll_until(job, Failure)[-1]
    assert failure.exit_code == errors.ExitCode.CANCELLED
    job.cancel()  # a second time has no effect


@posix
@pytest.mark.parametrize("method", ["escape", "escape exit"])
def test_a_child_that_holds_the_pipe_does_not_delay_the_answer(method, monkeypatch):
    monkeypatch.setattr(backend_process, "EXIT_TIMEOUT", 0.5)
    job = start(method)
    child = int(poll_until(job, lambda message: "child" in message.stage)[-1].stage.split()[1])
    try:
        start_time = time.monotonic()
        if method == "escape":
            job.cancel()
            with pytest.raises(errors.CancelledError):
                job.wait()
        else:
            with pytest.raises(errors.MeshRecError, match="exit code 7"):
                job.wait()
        limit = 2.5 if method == "escape" else 5.0  # s; the child lives for 30, and who cancels waits for nothing
        assert time.monotonic() - start_time < limit
        assert is_running(child) and not is_running(job.pid)
    finally:
        os.kill(child, signal.SIGKILL)


@posix
def test_a_child_of_the_backends_own_group_that_holds_the_pipe_ends_with_it(monkeypatch):
    monkeypatch.setattr(backend_process, "EXIT_TIMEOUT", 0.5)
    job = start("hold exit")
    child = int(poll_until(job, lambda message: "child" in message.stage)[-1].stage.split()[1])
    with pytest.raises(errors.MeshRecError, match="exit code 7"):
        job.wait()
    assert ends_within(child, 2.0)  # s; it lives for 30


def test_progress_that_nobody_reads_takes_no_memory(monkeypatch):
    monkeypatch.setattr(backend_process, "MAX_UNREAD_MESSAGES", 50)
    job = start("progress 500")
    job._reader.join(30)
    messages = job.poll()
    assert len(messages) <= 52 and isinstance(messages[-1], Result)


def test_cancel_before_the_first_message():
    job = start("sleep")
    job.cancel()
    assert poll_until(job, Failure)[-1].exit_code == errors.ExitCode.CANCELLED
    with pytest.raises(errors.CancelledError):
        cancelled = start("sleep")
        cancelled.cancel()
        cancelled.wait()


@posix
@pytest.mark.parametrize(
    "method, words",
    [
        ("signal SIGKILL", "ended by the system while finding people, most often for lack of memory"),
        ("signal SIGTERM", "ended from outside while finding people"),
        ("cut", "ended by the system while finding people"),
        ("signal SIGSEGV", "crashed while finding people (SIGSEGV)"),
        ("flood", "crashed while finding people (SIGABRT)"),
        ("exit 7", "ended while finding people without an answer (exit code 7)"),
        ("garbage", "cannot be read"),
        ("impossible", "cannot be read"),
    ],
)
def test_a_crashed_backend_is_reported_with_its_stage(method, words):
    job = start(method)
    failure = poll_until(job, Failure)[-1]
    assert words in failure.problem and failure.exit_code == errors.ExitCode.FAULT and failure.remedy
    assert len(failure.details) <= log_tail.MAX_LOG_BYTES
    assert ends_within(job.pid, 1)
    if method == "flood":
        assert "the end of the flood" in failure.details
    if method == "signal SIGSEGV":
        assert "fake_backend.py" in failure.details  # where it crashed
    if method.startswith("exit"):
        assert "the last words" in failure.details


@posix
def test_a_backend_killed_from_outside_is_a_failure():
    job = start("sleep")
    poll_until(job, Progress)
    os.kill(job.pid, signal.SIGKILL)
    assert "lack of memory" in poll_until(job, Failure)[-1].problem


@pytest.mark.parametrize("name", ["InputError", "NobodyFoundError", "ModelError", "OutputError", "CancelledError", "MeshRecError"])
def test_errors_keep_their_class_and_text(name):
    kind = getattr(errors, name)
    with pytest.raises(kind) as caught:
        start(f"error {name}").wait()
    assert (caught.value.problem, caught.value.remedy) == ("It is so.", "Do this.") and type(caught.value) is kind
    assert "recover" in caught.value.__notes__[0]  # the traceback, for a bug report


@pytest.mark.parametrize(
    "method, code, words",
    [
        ("raise ValueError", 1, "ValueError: boom"),
        ("raise MemoryError", 1, "memory was not enough"),
        ("gpu", 1, "memory was not enough"),
        ("raise ImportError", 4, "no libGL"),
    ],
)
def test_unexpected_errors_are_explained(method, code, words):
    failure = poll_until(start(method), Failure)[-1]
    assert failure.exit_code == code and words in failure.problem and failure.remedy
    assert "Traceback" in failure.details


def test_stray_prints_do_not_disturb_the_messages():
    job = start("print")
    assert isinstance(poll_until(job, Result)[-1], Result)
    assert "stray text of native code" in job.log and "stray text of Python" in job.log


def test_the_backend_ends_with_its_parent(tmp_path):
    script = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from blender_meshrec.bridge import backend_process
from blender_meshrec.bridge.messages import Progress, ReconstructRequest
job = backend_process.start_job(ReconstructRequest("a", method="sleep"), sys.executable, {str(FAKE)!r})
while not job.poll():
    time.sleep(0.01)
print(job.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert ends_within(pid, 2)


def test_an_exception_in_wait_ends_the_backend():
    job = start("sleep")

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.wait(interrupt)
    assert ends_within(job.pid, 0.5)


def test_environment_and_folder_do_not_affect_the_backend(tmp_path, monkeypatch):
    """A module of the current folder or of PYTHONPATH does not shadow an installed one."""
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "numpy.py"))
    assert isinstance(poll_until(start("work 0.01"), Result)[-1], Result)


def test_the_package_runs_from_a_folder_of_any_name(tmp_path):
    """As in Blender's extensions: the real launch.py is started by its path, without the project on sys.path."""
    home = tmp_path / "user default" / "meshrec-0.1 (1)"
    home.parent.mkdir()
    home.symlink_to(ROOT / "blender_meshrec", target_is_directory=True)
    command = [sys.executable, "-I", str(home / "backend" / "launch.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, input=b"no message at all, and long enough")
    assert done.returncode == 1 and b"WireError" in done.stderr.splitlines()[-1]


def test_a_backend_python_that_does_not_run_is_reported(tmp_path):
    request = ReconstructRequest("clip.mp4")
    with pytest.raises(errors.InputError, match="no Python at"):
        backend_process.start_job(request, tmp_path / "python")
    (tmp_path / "python").write_text("not a program")
    with pytest.raises(errors.NotSetUpError, match="could not be started"):
        backend_process.start_job(request, tmp_path / "python")


def test_an_empty_environment_is_reported(tmp_path):
    broken = tmp_path / "launch.py"
    broken.write_text("import a_module_that_is_not_there")
    failure = poll_until(backend_process.start_job(ReconstructRequest("clip.mp4"), sys.executable, broken), Failure)[-1]
    assert failure.exit_code == errors.ExitCode.MODEL_MISSING and "did not start" in failure.problem and "doctor" in failure.remedy
    assert "a_module_that_is_not_there" in failure.details


def test_a_request_that_cannot_be_encoded_starts_no_process():
    with pytest.raises(TypeError, match="travel"):
        backend_process.start_job(ReconstructRequest(object()), sys.executable, FAKE)


@posix
def test_a_low_priority_backend_stays_in_this_session():
    job = backend_process.start_job(ReconstructRequest("clip.mp4", method="sleep"), sys.executable, FAKE, low_priority=True)
    try:
        assert (os.getsid(job.pid), os.getpgid(job.pid)) == (os.getsid(0), job.pid)
    finally:
        job.cancel()
    assert isinstance(poll_until(job, Failure)[-1], Failure) and not is_running(job.pid)


_PRIORITY = "'idle' if hasattr(os, 'SCHED_IDLE') and os.sched_getscheduler(0) == os.SCHED_IDLE else os.nice(0)"


@posix
def test_the_backend_lowers_its_priority():
    code = f"import os, runpy; runpy.run_path({str(backend_process.LAUNCH_SCRIPT)!r})['lower_priority'](); print({_PRIORITY})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("idle" if hasattr(os, "SCHED_IDLE") else str(min(19, os.nice(0) + 15)))


@pytest.mark.parametrize("code, name", [(-9, "SIGKILL"), (-11, "SIGSEGV"), (-200, "signal 200"), (3221225477, "0xC0000005"), (1, "0x1")])
def test_a_crash_is_named_as_the_system_names_it(code, name):
    if code in (-9, -11) and os.name == "nt":
        pytest.skip("signals of POSIX")
    assert backend_process._exit_name(code) == name
