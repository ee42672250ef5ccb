"""Outputs: checked before the work, and complete or absent whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blender_meshrec.cli import interruption, program
from blender_meshrec.cli.commands import reconstruct

ROOT = Path(__file__).resolve().parents[2]
FAKE = ROOT / "tests" / "support" / "fake_backend.py"
posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")
DRIVER = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
from blender_meshrec import cli
from blender_meshrec.bridge import backend_process
from pathlib import Path
backend_process.LAUNCH_SCRIPT = Path({str(FAKE)!r})
if sys.argv[1] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("output", ["in_the_way/a.npz", "folder.npz/", "/proc/a.npz", "/proc/new/a.npz"])
def test_an_unwritable_output_is_reported_before_the_work(no_backend, output, files):
    Path("in_the_way").write_text("a file")
    Path("folder.npz").mkdir()
    (Path("folder.npz") / "walk.npz").mkdir()
    assert program.main(["reconstruct", "walk.mp4", "-o", output]) == 5
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--report", "in_the_way/r.json"]) == 5
    assert program.main(["reconstruct", "walk.mp4", "-o", f"{'a' * 300}.npz"]) == 5
    assert files() == ["in_the_way"]


@posix
def test_devices_and_pipes_are_refused_before_the_work(no_backend, capsys):
    os.mkfifo("pipe.npz")
    Path("null.npz").symlink_to(os.devnull)
    for words in ("-o pipe.npz", "-o null.npz", "-o a.npz --report pipe.npz", f"-o a.npz --report {os.devnull}"):
        assert program.main(["reconstruct", "walk.mp4", *words.split()]) == 5
        assert "is a device or a pipe" in capsys.readouterr().err
    assert Path("pipe.npz").is_fifo() and Path("null.npz").is_symlink() and Path(os.devnull).is_char_device()


@posix
def test_a_linked_output_and_report_are_written_through_the_links(backend):
    backend("work 0.01")
    Path("store").mkdir()
    for name in ("a.npz", "r.json"):
        Path(name).symlink_to(Path("store") / name)
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--report", "r.json"]) == 0
    assert sorted(os.listdir("store")) == ["a.npz", "r.json"] and Path("a.npz").is_symlink() and Path("r.json").is_symlink()


def test_outputs_overwrite_neither_inputs_nor_each_other(no_backend, capsys):
    Path("points.npz").touch()
    assert program.main(["reconstruct", "points.npz", "-o", "."]) == 2
    Path("walk.mov").touch()
    assert program.main(["reconstruct", "walk.mp4", "walk.mov", "-o", "out"]) == 2
    assert "is the input" in (errors := capsys.readouterr().err) and "Two inputs" in errors


@pytest.mark.parametrize(
    "words, expected",
    [
        ("reconstruct walk.mp4 -o a.npz --report walk.mp4", "input"),
        ("reconstruct walk.mp4 jump.mov -o . --report other/../jump.mov", "input"),
        ("reconstruct walk.mp4 -o a.npz --report a.npz", "output"),
        ("reconstruct walk.mp4 -o body.npz --body body.npz", "input"),
        ("reconstruct walk.mp4 -o a.npz --skeleton skel --skel body.npz --report body.npz", "input"),
        ("evaluate a_motion.npz a_motion.npz --report a_motion.npz", "input"),
        ("retarget a_motion.npz --rig rig.fbx -o a.fbx --report a_motion.npz", "input"),
        ("retarget a_motion.npz --rig rig.fbx -o rig.fbx", "input"),
        ("convert a_motion.npz -o body.npz --body body.npz", "input"),
    ],
)
def test_no_output_or_report_overwrites_an_input(no_backend, capsys, words, expected):
    given = [Path(name) for name in ("walk.mp4", "jump.mov", "body.npz", "a_motion.npz", "rig.fbx")]
    Path("other").mkdir()
    for file in given:
        file.write_text("mine")
    assert program.main(words.split()) == 2
    assert f"is the {expected}" in capsys.readouterr().err
    assert all(file.read_text() == "mine" for file in given) and not Path("a.npz").exists()


def test_a_disk_that_becomes_full_keeps_the_earlier_file(backend, small_disk, capsys):
    backend("long 3000")
    (small_disk / "a.npz").write_text("from before")
    assert program.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "a.npz")]) == 5
    assert "disk is full" in capsys.readouterr().err
    assert os.listdir(small_disk) == ["a.npz"] and (small_disk / "a.npz").read_text() == "from before"


def test_a_full_disk_is_reported_before_the_work(no_backend, small_disk, capsys):
    with open(small_disk / "big", "wb", buffering=0) as file:
        file.write(bytes(1 << 20))
    assert program.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "a.npz")]) == 5
    assert "disk is full" in capsys.readouterr().err


def test_a_read_only_disk_is_reported_before_the_work(no_backend, small_disk, capsys):
    if subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True).returncode:
        pytest.skip("no disk may be mounted read-only here")
    assert program.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "new" / "a.npz")]) == 5
    assert "cannot be written" in capsys.readouterr().err


@posix
@pytest.mark.parametrize("suffix", ["npz", "bvh"])
def test_a_write_that_fails_leaves_no_file(backend, suffix, files):
    backend("long 3000")
    command = [sys.executable, "-c", DRIVER, "40000", "reconstruct", "walk.mp4", "-o", f"out/a.{suffix}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 5 and "Traceback" not in done.stderr, done.stderr
    assert files() == [] and os.listdir("out") == []


def _restore_ctrl_c():
    """Restore Ctrl-C, which a shell may have ignored for tests in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_everything(backend, tmp_path, number, monkeypatch, files):
    backend("sleep")
    monkeypatch.setenv("FAKE_BACKEND_PID", str(tmp_path / "pid"))
    command = [sys.executable, "-c", DRIVER, "0", "reconstruct", "walk.mp4", "jump.mov", "-o", "out", "--progress", "json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=_restore_ctrl_c, **pipes)
    assert json.loads(process.stdout.readline())["event"] == "progress"
    pid = int((tmp_path / "pid").read_text())
    start = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - start < 2.0  # s, the interpreter's end included
    assert err == "Cancelled. Nothing was changed.\n" and json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert not Path(f"/proc/{pid}").exists() and files() == []


@posix
def test_ignored_signals_stay_ignored():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruption.interrupt_on_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@posix
def test_an_interrupt_that_blender_converts_to_an_error_cancels(backend, monkeypatch, capsys):
    def write(*_arguments, **_settings):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            raise RuntimeError("Error: Python: Traceback ... KeyboardInterrupt") from None

    backend("work 0.01")
    monkeypatch.setattr(reconstruct, "write_outputs", write)
    before = signal.getsignal(signal.SIGINT)
    _restore_ctrl_c()
    try:
        assert program.main(["reconstruct", "walk.mp4", "jump.mov", "-o", "out"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.endswith("Cancelled. Nothing was changed.\n")
