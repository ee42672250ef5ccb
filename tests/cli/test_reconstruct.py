"""`meshrec reconstruct` with a scripted backend: names, formats, exit codes, progress."""

import io
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.bridge.messages import Progress
from blender_meshrec.bridge.scene_process import find_scene_command
from blender_meshrec.cli import console as console_module
from blender_meshrec.cli import program
from blender_meshrec.cli.commands import reconstruct
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.motion_npz import read_motion


def test_one_input_becomes_one_file(backend, capsys, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "out/tänze.npz"]) == 0
    assert files() == ["out/tänze.npz"] and len(read_motion("out/tänze.npz")) == 20
    output = capsys.readouterr()
    assert output.out.split() == [str(Path("out/tänze.npz"))] and "Warning: A warning." in output.err


@pytest.mark.parametrize(
    ("words", "refine"),
    [([], ("auto",)), (["--refine", "none"], ()), (["--refine", "silhouettes", "--refine", "skelify"], ("silhouettes", "skelify"))],
)
def test_refine_options_become_refiners(words, refine):
    options = program.build_parser().parse_args(["reconstruct", "walk.mp4", "-o", "walk.npz", *words])
    assert reconstruct.build_request("walk.mp4", options).refine == refine


@pytest.mark.parametrize(("words", "quality"), [([], "standard"), (["--quality", "draft"], "draft"), (["--quality", "best"], "best")])
def test_the_quality_reaches_the_request(words, quality):
    options = program.build_parser().parse_args(["reconstruct", "walk.mp4", "-o", "walk.npz", *words])
    assert reconstruct.build_request("walk.mp4", options).quality == quality


def test_with_person_all_each_person_has_a_file(backend, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.b.npz", "--person", "all"]) == 0
    assert files() == ["a.b.person1.npz", "a.b.person2.npz"]
    assert not np.array_equal(read_motion("a.b.person1.npz").poses, read_motion("a.b.person2.npz").poses)
    assert program.main(["reconstruct", "walk.mp4", "-o", "second.npz", "--person", "2"]) == 0
    assert "second.npz" in files()


def test_several_inputs_make_a_folder(backend, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "jump.mov", "-o", "out", "--format", "bvh,npz", "--report", "r.json"]) == 0
    assert files() == ["out/jump.bvh", "out/jump.npz", "out/walk.bvh", "out/walk.npz", "r.json"]
    reports = json.loads(Path("r.json").read_text())
    assert [Path(report["input"]).name for report in reports] == ["walk.mp4", "jump.mov"]


def test_several_inputs_all_run_and_the_highest_code_returns(backend, capsys, files):
    backend("nobody")
    Path("nobody.mp4").touch()
    assert program.main(["reconstruct", "nobody.mp4", "walk.mp4", "-o", "out", "--report", "r.json"]) == 3
    assert files() == ["out/walk.npz", "r.json"]
    assert "nobody.mp4: Nobody is here. Choose other footage." in capsys.readouterr().err
    reports = json.loads(Path("r.json").read_text())
    assert reports[0]["error"] == {"exit_code": 3, "problem": "Nobody is here.", "remedy": "Choose other footage."}
    assert reports[1]["outputs"] == [str(Path("out/walk.npz"))]


def test_the_report_lists_the_outputs(backend):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--report", "deep/r.json"]) == 0
    report = json.loads(Path("deep/r.json").read_text())
    assert report["outputs"] == ["a.npz"] and report["warnings"] == ["A warning."]
    assert {"finding people", "write outputs"} <= report["seconds"].keys()


def test_options_become_the_request():
    words = "--person 3 --frames 5: --fps 24000/1001 --smoothing 0 --no-contacts --no-upright --device cpu --no-cache --method blazepose"
    request = reconstruct.build_request("a.mp4", program.build_parser().parse_args(["reconstruct", "a.mp4", "-o", "a.npz", *words.split()]))
    assert request.source == os.path.abspath("a.mp4") and request.person == "3" and request.frames == (5, None)
    assert abs(request.fps - 23.976) < 1e-3 and request.smoothing == 0 and not request.contacts and not request.upright
    assert request.device == "cpu" and request.cache is None and request.method == "blazepose"


@pytest.mark.parametrize(
    "name, code", [("InputError", 2), ("NobodyFoundError", 3), ("ModelError", 4), ("OutputError", 5), ("MeshRecError", 1)]
)
def test_every_class_of_error_has_its_exit_code(backend, capsys, name, code, files):
    backend(f"error {name}")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "none"]) == code
    assert capsys.readouterr().err == "It is so. Do this.\n"
    assert files() == []
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--debug"]) == code
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "script, code", [("raise ValueError", 1), ("raise ImportError", 4), ("signal SIGKILL", 1), ("garbage", 1), ("exit 0", 1)]
)
def test_a_failing_backend_is_reported_with_a_remedy(backend, capsys, script, code, files):
    backend(script)
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "none"]) == code
    output = capsys.readouterr()
    assert len(output.err.splitlines()) == 1 and output.err.count(". ") >= 1 and "Traceback" not in output.err and output.out == ""
    assert files() == []


@pytest.mark.parametrize(
    "words, expected",
    [
        ("", "COMMAND"),
        ("paint", "paint"),
        ("reconstruct walk.mp4", "--output"),
        ("reconstruct missing.mp4 -o a.npz", "missing.mp4"),
        ("reconstruct walk.mp4 -o a.obj", ".fbx"),
        ("reconstruct walk.mp4 -o a", ".fbx"),
        ("reconstruct walk.mp4 --output=", "no name"),
        ("reconstruct walk.mp4 jump.mov -o a.fbx", "folder"),
        ("reconstruct walk.mp4 walk.mp4 -o out", "twice"),
        ("reconstruct walk.mp4 -o a.npz --person 0", "from 1"),
        ("reconstruct walk.mp4 -o a.npz --person me", "largest"),
        ("reconstruct walk.mp4 -o a.npz --frames 9", "0:100"),
        ("reconstruct walk.mp4 -o a.npz --frames 9:9", "empty"),
        ("reconstruct walk.mp4 -o a.npz --fps 0", "per second"),
        ("reconstruct walk.mp4 -o a.npz --fps nan", "per second"),
        ("reconstruct walk.mp4 -o a.npz --method magic", "blazepose"),
        ("reconstruct walk.mp4 -o a.npz --rep r.json", "--rep"),
        ("reconstruct walk.mp4 -o . --format exe", ".exe"),
        ("reconstruct walk.mp4 -o a.fbx --blender nowhere/blender", "nowhere"),
        ("reconstruct walk.mp4 -o a.npz --python nowhere/python", "nowhere"),
        ("retarget a.npz --rig r.blend -o a.fbx", "a.npz"),
        ("retarget walk.mp4 -o a.fbx", "--rig"),
        ("retarget walk.mp4 --rig r.blend -o a.fbx", "r.blend"),
        ("retarget walk.mp4 --rig jump.mov -o a.fbx", "jump.mov"),
        ("reconstruct walk.mp4 --rig nobody.fbx -o a.fbx", "nobody.fbx"),
        ("convert missing.npz -o a.bvh", "missing.npz"),
        ("convert walk.mp4 -o a.bvh", "walk.mp4"),
        ("batch missing.json", "missing.json"),
        ("evaluate walk.mp4 walk.mp4", "walk.mp4"),
    ],
)
def test_wrong_usage_is_reported_in_one_line(backend, capsys, words, expected, files):
    assert program.main(words.split()) == 2
    output = capsys.readouterr().err
    assert expected in output and len(output.splitlines()) == 1
    assert files() == []


def test_help_and_version_exit_with_zero(capsys):
    assert program.main(["--help"]) == 0 and program.main(["reconstruct", "--help"]) == 0 and program.main(["--version"]) == 0
    assert "Exit codes: 0 done" in capsys.readouterr().out


def test_json_progress_is_one_line_for_each_event(backend, capsys):
    backend("work 0.1")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events][-2:] == ["warning", "done"] and events[-1]["outputs"] == ["a.npz"]
    assert events[0] == {"event": "progress", "input": "walk.mp4", "stage": "Finding people", "done": 1, "total": 100, "unit": "frames"}


def test_json_progress_names_the_input_that_failed(backend, capsys):
    backend("error NobodyFoundError")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "json"]) == 3
    output = capsys.readouterr()
    event = json.loads(output.out.splitlines()[-1])
    assert (event["event"], event["input"]) == ("failed", "walk.mp4")
    assert output.err == f"{event['problem']} {event['remedy']}\n"


@pytest.mark.parametrize("rounds, expected", [(0, "Nothing was changed."), (1, "What was written before stays.")])
def test_cancelling_reports_whether_a_file_was_written(backend, monkeypatch, capsys, rounds, expected):
    done, reconstruct_one = [], reconstruct.reconstruct

    def interrupted(*arguments):
        if len(done) == rounds:
            raise KeyboardInterrupt
        done.append(reconstruct_one(*arguments))
        return done[-1]

    monkeypatch.setattr(reconstruct, "reconstruct", interrupted)
    assert program.main(["reconstruct", "walk.mp4", "jump.mov", "-o", "out"]) == 130
    assert capsys.readouterr().err.endswith(f"Cancelled. {expected}\n")
    assert Path("out/walk.npz").is_file() == bool(rounds)


class FailingStream(io.TextIOWrapper):
    """A standard output that fails."""

    def __init__(self, error):
        super().__init__(io.BytesIO())
        self.error = error

    def write(self, _text):
        raise self.error

    def fileno(self):
        return -1


@pytest.mark.parametrize("error, code", [(BrokenPipeError(32, "Broken pipe"), 0), (OSError(28, "No space left on device"), 5)])
def test_a_closed_pipe_is_ignored_but_a_full_disk_fails(backend, monkeypatch, capsys, error, code):
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(sys, "stdout", FailingStream(error))
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz"]) == code
    assert Path("a.npz").is_file() and "Traceback" not in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(sys, "stderr", FailingStream(error))
    assert program.main(["reconstruct", "missing.mp4", "-o", "a.npz"]) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_no_name_or_message_reaches_the_terminal_as_a_command(backend, capsys):
    backend("work 0.01")
    name = "\x1b[2J\x1b]0;title\x07\u202e\x9b31m\r\b.mp4"
    Path(name).touch()
    assert program.main(["reconstruct", name, "walk.mp4", "-o", "out"]) == 0
    assert program.main(["reconstruct", "\x1b[31m.mp4", "-o", "a\nb.npz", "--debug"]) == 2
    assert program.main(["reconstruct", name, "-o", "a\x1b[0m\nb.npz"]) == 0
    console_module.Console().warn("two\n\x1b[31mlines")
    output = capsys.readouterr()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", output.out + output.err)
    assert "\\x1b[2J" in output.out and output.out.splitlines()[-1] == "a\\x1b[0m\\nb.npz"
    assert output.err.splitlines()[-1] == "Warning: two \\x1b[31mlines"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_clip_name_that_is_not_utf8_is_converted(backend, motion, tmp_path):
    try:
        find_scene_command()
    except InputError as error:
        pytest.skip(error.problem)
    strange = motion.rename(os.fsdecode(os.fsencode(tmp_path) + b"/d\xffnce.npz"))
    assert program.main(["convert", str(strange), "-o", str(tmp_path / "a.blend")]) == 0


def test_a_log_file_has_one_line_for_each_stage(backend, capsys):
    backend("work 0.1")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz"]) == 0
    assert capsys.readouterr().err.splitlines()[:3] == ["Finding people", "Fitting", "Writing"]


def test_the_progress_bar_shows_count_and_rate():
    assert console_module.format_progress_bar(Progress("Looking", 50, 200), 0.5) == "Looking [######..................] 50/200 frames"
    assert console_module.format_progress_bar(Progress("Looking", 50, 200), 2.0).endswith("50/200 frames, 25.0 a second")
    assert console_module.format_progress_bar(Progress("Looking", 7, 0), 0.0) == "Looking 7 frames"
    assert console_module.format_progress_bar(Progress("Loading", 0, 0), 9.0) == "Loading"
