"""A backend that stays up over many clips: one process, started anew after it ended, and cancelled at once."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from blender_meshrec.bridge import backend_session
from blender_meshrec.bridge.backend_session import BackendSession
from blender_meshrec.bridge.messages import ReconstructRequest
from blender_meshrec.core import errors
from tests.support.processes import ends_within, is_running

FAKE = Path(__file__).resolve().parents[1] / "support" / "fake_backend.py"
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def session():
    session = BackendSession(sys.executable, FAKE)
    yield session
    session.close()


def ask(session, method, name="clip.mp4", on_progress=lambda progress: None):
    return session.run(ReconstructRequest(name, method=method), on_progress)


def process_id(session):
    return session._process.pid


def test_one_process_serves_all_clips(session):
    names = [ask(session, "work 0.01", f"{number}.mp4").report["input"] for number in range(3)]
    assert names == ["0.mp4", "1.mp4", "2.mp4"] and session.num_starts == 1
    pid = process_id(session)
    with pytest.raises(errors.NobodyFoundError):
        ask(session, "error NobodyFoundError")
    assert process_id(session) == pid  # an error of the clip is none of the process
    session.close()
    assert ends_within(pid, 2)


def test_progress_arrives_of_every_clip(session):
    for _ in range(2):
        seen = []
        ask(session, "work 0.2", on_progress=seen.append)
        assert seen[0].stage == "Finding people" and seen[-1].stage == "Fitting"


@posix
@pytest.mark.parametrize(
    "method, error",
    [("signal SIGKILL", "ended by the system"), ("exit 7", "exit code 7"), ("garbage", "cannot be read"), ("cut", "ended by the system")],
)
def test_a_process_that_ends_within_a_clip_is_an_error_and_the_next_clip_has_another(session, method, error):
    assert ask(session, "work 0.01")
    with pytest.raises(errors.MeshRecError, match=error):
        ask(session, method)
    assert ask(session, "work 0.01") and session.num_starts == 2


@posix
def test_a_process_that_was_killed_between_two_clips_is_started_anew(session):
    ask(session, "work 0.01")
    os.kill(process_id(session), signal.SIGKILL)
    assert ask(session, "work 0.01") and session.num_starts == 2


def test_a_fault_leaves_no_state_behind(session):
    with pytest.raises(errors.MeshRecError, match="boom"):
        ask(session, "raise ValueError")
    assert ask(session, "work 0.01") and session.num_starts == 2


def test_a_backend_that_cannot_start_is_reported(tmp_path):
    (tmp_path / "launch.py").write_text("import sys; sys.exit(3)")
    with pytest.raises(errors.NotSetUpError, match="exit code 3"):
        ask(BackendSession(sys.executable, tmp_path / "launch.py"), "work 0.01")


def test_cancel_ends_the_process_at_once_and_for_good(session):
    raised = []

    def run():
        try:
            ask(session, "child")
        except errors.CancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    end = time.monotonic() + 30
    while session._process is None and time.monotonic() < end:
        time.sleep(0.01)
    pid = process_id(session)
    session.cancel()
    thread.join(5)
    assert not thread.is_alive() and len(raised) == 1 and ends_within(pid, 2)
    with pytest.raises(errors.CancelledError):
        ask(session, "work 0.01")


def test_a_backend_that_hangs_is_ended(session, monkeypatch):
    monkeypatch.setenv("MESHREC_BACKEND_SECONDS", "0.5")
    with pytest.raises(errors.MeshRecError, match="said nothing for"):
        ask(session, "sleep")
    monkeypatch.delenv("MESHREC_BACKEND_SECONDS")
    assert backend_session.silent_seconds() == 3600 and ask(session, "work 0.01")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is known on Linux")
def test_the_memory_of_the_process_is_known(session):
    assert session.memory_bytes() is None
    ask(session, "work 0.01")
    assert 5e6 < session.memory_bytes() < 5e9 and is_running(process_id(session))


def test_another_python_is_another_process(session):
    ask(session, "work 0.01")
    session.use_python(sys.executable)
    ask(session, "work 0.01")
    assert session.num_starts == 1
    session.use_python("nowhere/python")
    with pytest.raises(errors.MeshRecError, match="nowhere"):
        ask(session, "work 0.01")
