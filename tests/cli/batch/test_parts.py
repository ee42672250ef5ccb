"""Parts of a batch: fingerprints, the number of workers, several targets of one clip, and writing beside the next clip's models."""

import json
import os
import threading
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest

from blender_meshrec.bridge.messages import Progress, Result
from blender_meshrec.cli import program
from blender_meshrec.cli.batch import execute, fingerprint, local_engine, worker_count
from blender_meshrec.cli.batch.display import BatchDisplay, format_seconds
from blender_meshrec.cli.batch.task import Target, Task, key_of_paths, task_from_json, task_to_json
from blender_meshrec.cli.console import Console
from tests.support.synthetic_bodies import make_recovery, make_tube_body


def make_task(number=1, folder=Path("out"), source="walk.mp4", **changes):
    options = program.build_parser().parse_args(["reconstruct", source, "-o", str(folder)])
    options = Namespace(**{**vars(options), **changes})
    paths = (folder / f"{number}.npz",)
    return Task(number, f"clip {number}", source, options, (Target(paths, options),), key_of_paths(paths, folder))


def test_a_task_survives_json(backend):
    task = make_task(frames=(3, None), betas=("/a.npz",), height=(182.0, 165.0))
    again = task_from_json(json.loads(json.dumps(task_to_json(task))))
    assert (again.number, again.name, again.source, again.paths) == (task.number, task.name, task.source, task.paths)
    changed = {name for name, value in vars(task.options).items() if getattr(again.options, name) != value}
    assert changed <= {"inputs"} and again.options.frames == (3, None)


def test_a_key_is_the_same_after_the_folder_was_moved(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert key_of_paths([first / "x.npz"], first) == key_of_paths([second / "x.npz"], second)
    assert key_of_paths([first / "x.npz"], first) != key_of_paths([first / "y.npz"], first)
    assert key_of_paths([tmp_path / "x.npz"], first) != key_of_paths([first / "x.npz"], first)


def test_a_fingerprint_is_of_contents_and_effects(backend):
    def of(**changes):
        return fingerprint.task_fingerprint(make_task(**changes))

    Path("hero.fbx").write_text("a")
    before = of(rig="hero.fbx#Hero")
    assert of(rig=str(Path("hero.fbx").absolute()) + "#Hero") == before == of(rig="hero.fbx#Hero", cache="elsewhere", blender="b")
    assert len({before, of(rig="hero.fbx#Other"), of(rig="hero.fbx"), of(), of(smoothing=0.5), of(person="all")}) == 6
    Path("hero.fbx").write_text("bc")
    assert of(rig="hero.fbx#Hero") != before
    os.utime("hero.fbx")
    Path("walk.mp4").write_text("x")
    changed = of()
    Path("walk.mp4").write_text("y")
    assert of() != changed and of(source="gone.mp4") == of(source="gone.mp4")


def test_the_digest_of_a_folder_is_of_names_and_contents(tmp_path):
    (tmp_path / "1.png").write_text("a")
    first = fingerprint.path_digest(tmp_path)
    (tmp_path / "1.png").rename(tmp_path / "2.png")
    assert fingerprint.path_digest(tmp_path) != first != fingerprint.path_digest(tmp_path / "none") == "missing"


def test_large_files_are_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "MAX_WHOLE_BYTES", 1000)
    monkeypatch.setattr(fingerprint, "SAMPLE_BYTES", 100)
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(20_000))
    first = fingerprint.path_digest(path)
    for content in (bytes(20_001), b"x" + bytes(19_999), bytes(19_999) + b"x"):
        path.write_bytes(content)
        assert fingerprint.path_digest(path) != first


@pytest.mark.parametrize(
    "tasks, cores, memory, cards, expected",
    [
        (40, 8, 64, [], 8),
        (3, 8, 64, [], 3),
        (40, 8, 5, [], 2),
        (40, 16, 64, [12_000], 3),
        (40, 16, 64, [7000, 7000], 4),
        (40, 1, 1, [100], 1),
    ],
)
def test_workers_are_counted_by_cores_and_memory(monkeypatch, tasks, cores, memory, cards, expected):
    monkeypatch.setattr(worker_count, "usable_cores", lambda: cores)
    monkeypatch.setattr(worker_count, "total_memory", lambda: memory << 30)
    monkeypatch.setattr(worker_count, "graphics_cards", lambda: dict(enumerate(cards)))
    assert worker_count.count_workers(tasks) == expected
    assert worker_count.count_workers(tasks, uses_graphics=False) == min(tasks, cores, max(1, memory // 2))


def test_several_targets_are_made_of_one_look(backend, files, capsys):
    backend("work 0.01")
    table = {
        "clips": ["walk.mp4"],
        "targets": [{"name": "a", "format": "npz,bvh"}, {"name": "h", "format": "npz", "smplh": True}],
        "folder": "out",
    }
    Path("jobs.json").write_text(json.dumps({**table, "report": "r/{clip}"}))
    assert program.main(["batch", "jobs.json"]) == 0
    assert files("out")[1:] == ["r/walk.json", "summary.csv", "summary.html", "summary.json", "walk_a.bvh", "walk_a.npz", "walk_h.npz"]
    begun = [line for line in Path("out/journal.jsonl").read_text().splitlines() if '"begin"' in line]
    report = json.loads(Path("out/r/walk.json").read_text())
    assert len(begun) == 1 and [Path(path).name for path in report["outputs"]] == ["walk_a.npz", "walk_a.bvh", "walk_h.npz"]
    assert report["warnings"].count("A warning.") == 1


class FakeSession:
    """Models that take no time, and note when they look at a clip."""

    def __init__(self, seen):
        self.seen = seen

    def run(self, request, on_progress):
        self.seen.append((time.monotonic(), Path(request.source).name))
        return Result((make_recovery(make_tube_body(posedirs=False), frames=5),), (1,), {})

    def use_python(self, python): ...
    def memory_bytes(self): ...
    def cancel(self): ...
    def close(self): ...


def test_the_models_look_at_the_next_clip_while_one_is_written(backend, monkeypatch):
    seen, both = [], threading.Barrier(2, timeout=20)

    def write(source, paths, options, result, report, prefix, on_progress):
        both.wait()  # passes only if two clips are written at a time, by one worker
        return {**report, "outputs": []}

    monkeypatch.setattr(execute, "write_results", write)
    monkeypatch.setattr(local_engine, "BackendSession", lambda **_: FakeSession(seen))
    with local_engine.LocalEngine(1, Path("out")) as engine:
        events = list(engine.run([make_task(number) for number in range(1, 5)]))
    ends = [event for event in events if event.kind == "end"]
    assert len(seen) == 4 and [event.outcome["status"] for event in ends] == ["done"] * 4
    assert [event.task.number for event in events if event.kind == "begin"] == [1, 2, 3, 4]


class Terminal:
    """Collects what is written to a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self): ...
    def isatty(self):
        return True


def test_people_see_a_bar_for_all_and_a_line_for_each_worker(backend, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    tasks = [make_task(number) for number in range(1, 5)]
    display = BatchDisplay(Console("bar"), tasks, num_before=1)
    display.begin(1, tasks[0])
    display.begin(2, tasks[1])
    display.progress(2, tasks[1], Progress("Finding people", 50, 200))
    display._draw()
    lines = terminal.text.split("\x1b[J")[-1].splitlines()
    assert (
        lines[0].startswith("1/5 clips [#####") and lines[1] == "  1  clip 1" and lines[2].startswith("  2  clip 2: Finding people [######")
    )
    display.end(1, tasks[0], {"status": "done", "report": {"outputs": ["a.npz"]}})
    display.end(2, tasks[1], {"status": "failed", "exit_code": 3, "problem": "Nobody is here.", "remedy": "Choose."})
    display._draw()
    last = terminal.text.split("\x1b[J")[-1].splitlines()
    assert last[0].startswith("3/5 clips") and "1 failed" in last[0] and last[0].endswith("0:00:00 left") and len(last) == 1
    assert "Nobody is here. Choose." in terminal.text and display.counts() == {"done": 1, "failed": 1, "done_before": 1, "total": 5}
    display.finish()
    assert terminal.text.endswith("\x1b[J")


def test_times_are_hours_minutes_and_seconds():
    assert [format_seconds(seconds) for seconds in (0, 59.6, 3599, 7325)] == ["0:00:00", "0:01:00", "0:59:59", "2:02:05"]


def test_cards_are_those_that_may_be_used(monkeypatch):
    listed = SimpleNamespace(stdout="0, 9000\n1, 4000\n2, 100\n")
    monkeypatch.setattr(worker_count.subprocess, "run", lambda *_, **__: listed)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert worker_count.graphics_cards() == {"0": 9000, "1": 4000, "2": 100}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, 0")
    assert worker_count.graphics_cards() == {"1": 4000, "0": 9000}
    listed.stdout = "no devices were found"
    assert worker_count.graphics_cards() == {}


def test_workers_are_shared_out_among_the_cards(monkeypatch):
    environs = []
    monkeypatch.setattr(local_engine, "BackendSession", lambda environ: environs.append(environ.get("CUDA_VISIBLE_DEVICES")))
    local_engine.LocalEngine(3, Path("out"), ("1", "0"))
    local_engine.LocalEngine(2, Path("out"), ("1",))
    assert environs == ["1", "0", "1", None, None]
