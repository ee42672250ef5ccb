"""Whole batches with a scripted backend: what is done again, what failures and signals do, and what is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.bridge import backend_session
from blender_meshrec.bridge.messages import Result
from blender_meshrec.cli import program
from blender_meshrec.cli.batch import execute, local_engine
from blender_meshrec.core.files.motion_npz import read_motion
from tests.support.synthetic_bodies import make_recovery, make_tube_body

ROOT = Path(__file__).resolve().parents[3]
FAKE = ROOT / "tests" / "support" / "fake_backend.py"
MAIN = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from pathlib import Path; from blender_meshrec.bridge import backend_process\n"
    f"backend_process.LAUNCH_SCRIPT = Path({str(FAKE)!r})\nfrom blender_meshrec.cli import main; sys.exit(main(sys.argv[1:]))"
)
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def times(folder="out"):
    """When each output was written."""
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).glob("*.npz")}


def begun(events):
    return [event["clip"] for event in events]


def test_a_folder_becomes_outputs_a_journal_and_a_summary(run, journal, summary, files, capsys):
    assert run() == 0
    assert files("out") == ["a.npz", "b.npz", "c.npz", "d.npz", "e.npz", "journal.jsonl", "summary.csv", "summary.html", "summary.json"]
    assert begun(journal("begin")) == list("abcde") and sorted(begun(journal("end"))) == list("abcde")
    content = summary()
    assert content["counts"] | {"total": 5, "done": 5, "failed": 0, "in_this_run": 5} == content["counts"] and content["exit_code"] == 0
    assert [Path(path).name for clip in content["clips"] for path in clip["outputs"]] == [f"{name}.npz" for name in "abcde"]
    assert "5 of 5 clips done, 0 failed" in capsys.readouterr().out


def test_the_backend_stays_up(run, monkeypatch):
    started = []
    start = backend_session.start_backend
    monkeypatch.setattr(backend_session, "start_backend", lambda *words, **options: started.append(1) or start(*words, **options))
    assert run() == 0 and len(started) == 1


def test_a_second_run_does_nothing(run, journal, summary, capsys):
    assert run() == 0
    before = times()
    capsys.readouterr()
    assert run("--progress", "json") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["clip"] for event in events if event["event"] == "skipped"] == list("abcde")
    assert times() == before and len(journal("begin")) == 5 and summary()["counts"]["in_this_run"] == 0
    assert summary()["counts"]["done"] == 5


@pytest.mark.parametrize(
    "change, done_again",
    [
        (lambda: Path("out/b.npz").unlink(), ["b"]),
        (lambda: Path("out/c.npz").write_bytes(Path("out/c.npz").read_bytes()[:-10]), ["c"]),
        (lambda: Path("takes/d.mp4").write_text("another take"), ["d"]),
        (lambda: Path("takes/f.mp4").write_text("a new one"), ["f"]),
        (lambda: os.utime("takes/a.mp4"), []),
        (lambda: Path("takes/e.mp4").unlink(), []),
    ],
)
def test_only_what_is_missing_changed_or_new_is_done_again(run, journal, change, done_again):
    assert run() == 0
    change()
    assert run() == 0
    assert begun(journal("begin"))[5:] == done_again


def test_other_options_do_everything_again(run, journal):
    assert run() == 0 and run("--smoothing", "0.5") == 0 and run("--cache", "elsewhere", "--smoothing", "0.5") == 0
    # While one clip is written the next one is looked at: ends may overtake each other.
    ends = begun(journal("end"))
    assert sorted(ends[:5]) == sorted(ends[5:]) == list("abcde")
    assert run("--again", "--smoothing", "0.5") == 0 and len(journal("end")) == 15


def test_failures_are_named_and_tried_again(run, takes, journal, summary, capsys, backend):
    (takes / "nobody.mp4").touch()
    (takes / "a.mp4").rename(takes / "nobody2.mp4")
    assert run() == 3
    content, output = summary(), capsys.readouterr()
    assert content["failed"] == ["nobody", "nobody2"] and content["exit_code"] == 3 and content["counts"]["done"] == 4
    assert [clip["reason"] for clip in content["clips"] if clip["status"] == "failed"] == ["Nobody is here. Choose other footage."] * 2
    assert "nobody.mp4: Nobody is here. Choose other footage." in output.err and "Failed: nobody, nobody2" in output.out
    backend("work 0.01")
    assert run() == 0 and begun(journal("begin"))[6:] == ["nobody", "nobody2"] and summary()["failed"] == []


def test_a_clip_that_is_missing_stops_no_other(backend, summary):
    backend("nobody")
    jobs = [{"input": "walk.mp4", "output": "out/a.npz"}, {"input": ["gone.mp4", "jump.mov"], "output": "out/shots"}]
    Path("jobs.json").write_text(json.dumps(jobs))
    assert program.main(["batch", "jobs.json"]) == 2
    assert [(clip["clip"], clip["status"]) for clip in summary()["clips"]] == [("walk", "done"), ("gone", "failed"), ("jump", "done")]
    assert "no file or folder" in summary()["clips"][1]["reason"]


def test_the_report_of_a_job_names_what_failed(backend):
    backend("nobody")
    Path("nobody.mp4").touch()
    Path("jobs.json").write_text(json.dumps([{"input": ["walk.mp4", "nobody.mp4"], "output": "out", "report": "out/r.json"}]))
    assert program.main(["batch", "jobs.json"]) == 3
    reports = json.loads(Path("out/r.json").read_text())
    assert reports[0]["outputs"] == [str(Path("out/walk.npz").absolute())] and Path(reports[1]["input"]).name == "nobody.mp4"
    assert reports[1]["error"] == {"exit_code": 3, "problem": "Nobody is here.", "remedy": "Choose other footage."}


class JudgedSession:
    """Models that find one person, who is bad in five clips."""

    def run(self, request, on_progress):
        number = int(Path(request.source).stem)
        verdict, reasons = ("bad", [f"Reason of {number}."]) if number % 8 == 3 else ("good", [])
        people = [{"person": 1, "verdict": verdict, "reasons": reasons, "worst_frames": [2], "frames_with_person": 4}]
        recovery = make_recovery(make_tube_body(posedirs=False), frames=5)
        return Result((recovery,), (1,), {"frames_read": 5, "people": people}, picture=np.frombuffer(b"jpeg", np.uint8))

    def use_python(self, python): ...
    def memory_bytes(self): ...
    def cancel(self): ...
    def close(self): ...


def test_a_night_of_forty_clips_names_the_five_that_are_bad(backend, monkeypatch, summary, capsys):
    monkeypatch.setattr(local_engine, "BackendSession", lambda **_: JudgedSession())
    Path("night").mkdir()
    for number in range(40):
        Path(f"night/{number:02}.mp4").touch()
    assert program.main(["batch", "night", "-o", "out", "--workers", "2"]) == 0
    bad = ["03", "11", "19", "27", "35"]
    content = summary()
    assert content["bad"] == bad and content["counts"]["bad"] == 5 and content["counts"]["good"] == 35
    reasons = [clip["people"][0]["reasons"] for clip in content["clips"] if clip["verdict"] == "bad"]
    assert reasons == [[f"Reason of {int(name)}."] for name in bad]
    assert content["clips"][3]["people"][0] | {"person": 1, "verdict": "bad", "unseen_percent": 20.0} == content["clips"][3]["people"][0]
    assert f"Bad: {', '.join(bad)}" in capsys.readouterr().out
    page = Path("out/summary.html").read_text()
    assert page.count("<img") == 40 and page.index("Reason of 35.") < page.index("00.mp4")


@pytest.mark.parametrize("workers", ["1", "3"])
def test_order_and_results_do_not_depend_on_the_number_of_workers(takes, workers, capsys, summary):
    (takes / "nobody.mp4").touch()
    assert program.main(["batch", "takes", "-o", "out", "--workers", workers]) == 3
    shown = [Path(line).name for line in capsys.readouterr().out.splitlines() if line.endswith(".npz")]
    assert shown == [f"{name}.npz" for name in "abcde"] and [clip["clip"] for clip in summary()["clips"]] == [*"abcde", "nobody"]
    assert all(np.array_equal(read_motion("out/a.npz").poses, read_motion(f"out/{name}.npz").poses) for name in "bcde")


@posix
@pytest.mark.parametrize("script", ["signal SIGKILL", "signal SIGSEGV"])
def test_a_crash_is_tried_once_more_and_stops_no_other(run, backend, journal, summary, script):
    backend(script)
    assert run() == 1
    assert len(journal("retry")) == 5 and begun(journal("end")) == list("abcde") and len(summary()["failed"]) == 5


def test_a_backend_that_says_nothing_is_ended(run, backend, monkeypatch, summary):
    backend("sleep")
    monkeypatch.setenv("MESHREC_BACKEND_SECONDS", "0.5")
    assert run() == 1 and "said nothing" in summary()["clips"][0]["reason"]


def test_a_fault_of_ours_stops_no_other(run, monkeypatch, summary):
    write, seen = execute.write_results, []

    def failing(source, *arguments):
        seen.append(source)
        if source.endswith("b.mp4"):
            raise ZeroDivisionError("division by zero")
        return write(source, *arguments)

    monkeypatch.setattr(execute, "write_results", failing)
    assert run() == 1 and len(seen) == 5
    assert summary()["failed"] == ["b"] and "ZeroDivisionError" in summary()["clips"][1]["reason"]


def test_a_dry_run_writes_nothing(run, takes, capsys, files):
    assert run("--dry-run") == 0
    output = capsys.readouterr().out
    assert not Path("out").exists() and output.count("new") == 5 and str(Path("out/a.npz")) in output
    assert run() == 0
    (takes / "b.mp4").write_text("another take")
    before = files("out")
    capsys.readouterr()
    assert run("--dry-run", "--progress", "json") == 0
    planned = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {event["clip"]: event["state"] for event in planned} == {"a": "done", "b": "changed", "c": "done", "d": "done", "e": "done"}
    assert files("out") == before


def test_machines_get_a_line_for_each_event(run, takes, capsys):
    (takes / "nobody.mp4").touch()
    assert run("--progress", "json") == 3
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "batch" and events[0]["workers"] == 1 and events[0]["to_run"] == 6
    assert kinds.count("begin") == 6 and kinds.count("done") == 5 and kinds.count("failed") == 1 and kinds.count("overall") == 6
    first = next(event for event in events if event["event"] == "progress")
    assert first | {"stage": "Finding people", "done": 1, "total": 100, "unit": "frames", "clip": "a", "worker": 1} == first
    last = [event for event in events if event["event"] == "overall"][-1]
    assert last == {"event": "overall", "done": 5, "failed": 1, "done_before": 0, "total": 6, "seconds_left": 0.0}
    assert kinds[-1] == "summary" and events[-1]["exit_code"] == 3 and Path(events[-1]["report"]).is_file()


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "batch", "takes", "-o", "out", "--workers", "2", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore interrupts, and their children do too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cleanly_and_the_next_run_goes_on(takes, backend, journal, summary, files, number, run):
    backend("work 1")
    process = start()
    wait_for(lambda: Path("out/journal.jsonl").exists() and journal("end"))
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130 and "Cancelled." in errors and "again to go on" in errors and "Traceback" not in errors
    done = [event["clip"] for event in journal("end")]
    assert summary()["exit_code"] == 130 and summary()["counts"]["done"] == len(done) and summary()["stopped"] == "Cancelled."
    assert not [name for name in files("out") if ".meshrec-" in name]
    backend("work 0.01")
    assert run() == 0 and sorted(begun(journal("end"))) == list("abcde")  # none twice


@posix
def test_a_killed_run_is_resumed_and_nothing_is_done_twice(takes, backend, journal, files, run):
    backend("work 0.3")
    killed = 0
    while killed < 3:
        process = start()
        ended = len(journal("end")) if Path("out/journal.jsonl").exists() else 0
        wait_for(lambda ended=ended: Path("out/journal.jsonl").exists() and len(journal("end")) > ended)
        process.kill()
        process.communicate()
        killed += 1
    with open("out/journal.jsonl", "a") as file:
        file.write('{"event": "end", "key": "torn')
    assert run() == 0
    assert sorted(begun(journal("end"))) == list("abcde")
    assert [name for name in files("out") if name.endswith(".npz")] == [f"{name}.npz" for name in "abcde"]
    assert not [name for name in files("out") if ".meshrec-" in name]


@posix
def test_two_runs_cannot_write_into_one_folder(takes, backend, run, capsys):
    backend("sleep")
    process = start()
    try:
        wait_for(lambda: Path("out/journal.jsonl").exists() and Path("out/journal.jsonl").stat().st_size)
        assert run() == 5
        assert "Another batch is writing into out." in capsys.readouterr().err
    finally:
        process.kill()
        process.communicate()


def test_a_full_disk_ends_the_batch_with_a_message(takes, small_disk, capsys, backend):
    backend("long 200")
    assert program.main(["batch", "takes", "-o", str(small_disk), "--workers", "1"]) == 5
    output = capsys.readouterr()
    assert "The disk is full" in output.err and "Traceback" not in output.err
    for path in small_disk.rglob("*.npz"):
        read_motion(path)
    assert not [path for path in small_disk.rglob("*") if ".meshrec-" in path.name]
    journal = small_disk / "journal.jsonl"
    assert not journal.exists() or all(json.loads(line) for line in journal.read_text().splitlines())


@posix
def test_a_limit_of_file_sizes_is_a_full_disk(takes, backend):
    """The file that cannot be written whole does not appear."""
    backend("long 2000")
    code = "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    process = subprocess.run(
        [sys.executable, "-c", code + MAIN, "batch", "takes", "-o", "out", "--workers", "1"], capture_output=True, text=True
    )
    assert process.returncode == 5 and "Traceback" not in process.stderr and "could not be written" in process.stderr
    assert not list(Path("out").rglob("*.npz")) and not [path for path in Path("out").rglob("*") if ".meshrec-" in path.name]
