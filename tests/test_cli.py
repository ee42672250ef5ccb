"""The command line with a backend that does as it is told: names, formats, exit codes, and nothing half-written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec import cli
from blender_meshrec.bridge import client
from blender_meshrec.bridge.messages import Progress
from blender_meshrec.cli_commands import console as consoles
from blender_meshrec.cli_commands import doctor, evaluate, reconstruct
from blender_meshrec.core import model_files
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.motion_file import read_motion, write_motion
from blender_meshrec.core.records import Recovery
from tests.people import recovered, tube_man

ROOT = Path(__file__).resolve().parents[1]
FAKE = ROOT / "tests" / "bridge" / "fake_backend.py"
posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


@pytest.fixture
def backend(monkeypatch, tmp_path):
    """A function that says what the backend is to do; the current folder is one of its own, with two clips in it."""
    monkeypatch.setattr(client, "LAUNCH", FAKE)
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    monkeypatch.setenv("MESHREC_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "der Ort 場所"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("walk.mp4", "jump.mov"):
        (folder / name).touch()
    return lambda act: monkeypatch.setenv("FAKE_BACKEND", act)


@pytest.fixture
def no_backend(backend, monkeypatch):
    """Starting the backend is a fault of the test's subject."""
    monkeypatch.setattr(reconstruct, "start_job", lambda *_: pytest.fail("the backend was started"))


def files(folder="."):
    return sorted(
        str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in (".mp4", ".mov")
    )


# --- reconstruct ------------------------------------------------------------------------------------------------------


def test_one_input_becomes_one_file(backend, capsys):
    backend("work 0.01")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "out/tänze.npz"]) == 0
    assert files() == ["out/tänze.npz"] and len(read_motion("out/tänze.npz")) == 20
    said = capsys.readouterr()
    assert said.out.split() == [str(Path("out/tänze.npz"))] and "Warning: A warning." in said.err


def test_everybody_has_a_file_of_their_own(backend):
    backend("work 0.01")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.b.npz", "--person", "all"]) == 0
    assert files() == ["a.b.person1.npz", "a.b.person2.npz"]
    assert not np.array_equal(read_motion("a.b.person1.npz").poses, read_motion("a.b.person2.npz").poses)
    assert cli.main(["reconstruct", "walk.mp4", "-o", "second.npz", "--person", "2"]) == 0
    assert "second.npz" in files()


def test_several_inputs_make_a_folder(backend):
    backend("work 0.01")
    assert cli.main(["reconstruct", "walk.mp4", "jump.mov", "-o", "out", "--format", "bvh,npz", "--report", "r.json"]) == 0
    assert files() == ["out/jump.bvh", "out/jump.npz", "out/walk.bvh", "out/walk.npz", "r.json"]
    reports = json.loads(Path("r.json").read_text())
    assert [Path(report["input"]).name for report in reports] == ["walk.mp4", "jump.mov"]


def test_several_inputs_the_highest_code_and_every_turn(backend, capsys):
    backend("nobody")
    Path("nobody.mp4").touch()
    assert cli.main(["reconstruct", "nobody.mp4", "walk.mp4", "-o", "out", "--report", "r.json"]) == 3
    assert files() == ["out/walk.npz", "r.json"]
    assert "nobody.mp4: Nobody is here. Choose other footage." in capsys.readouterr().err
    reports = json.loads(Path("r.json").read_text())
    assert reports[0]["error"] == {"exit_code": 3, "problem": "Nobody is here.", "remedy": "Choose other footage."}
    assert reports[1]["outputs"] == [str(Path("out/walk.npz"))]


def test_the_report_adds_what_was_written(backend):
    backend("work 0.01")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--report", "deep/r.json"]) == 0
    report = json.loads(Path("deep/r.json").read_text())
    assert report["outputs"] == ["a.npz"] and report["warnings"] == ["A warning."]
    assert {"finding people", "write outputs"} <= report["seconds"].keys()


def test_options_arrive_in_the_request():
    words = "--person 3 --frames 5: --fps 24000/1001 --smoothing 0 --no-contacts --no-upright --device cpu --no-cache --method blazepose"
    request = reconstruct.request_of("a.mp4", cli.parser().parse_args(["reconstruct", "a.mp4", "-o", "a.npz", *words.split()]))
    assert request.source == os.path.abspath("a.mp4") and request.person == "3" and request.frames == (5, None)
    assert abs(request.fps - 23.976) < 1e-3 and request.smoothing == 0 and not request.contacts and not request.upright
    assert request.device == "cpu" and request.cache is None and request.method == "blazepose"


@pytest.mark.parametrize(
    "name, code", [("InputError", 2), ("NobodyFoundError", 3), ("ModelError", 4), ("OutputError", 5), ("MeshRecError", 1)]
)
def test_every_class_of_error_has_its_exit_code(backend, capsys, name, code):
    backend(f"error {name}")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "none"]) == code
    assert capsys.readouterr().err == "It is so. Do this.\n"
    assert files() == []
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--debug"]) == code
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "act, code", [("raise ValueError", 1), ("raise ImportError", 4), ("signal SIGKILL", 1), ("garbage", 1), ("exit 0", 1)]
)
def test_a_backend_that_fails_is_a_sentence_and_a_remedy(backend, capsys, act, code):
    backend(act)
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "none"]) == code
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1 and said.err.count(". ") >= 1 and "Traceback" not in said.err and said.out == ""
    assert files() == []


@pytest.mark.parametrize(
    "words, told",
    [
        ("", "COMMAND"),
        ("paint", "paint"),
        ("reconstruct walk.mp4", "--output"),
        ("reconstruct missing.mp4 -o a.npz", "missing.mp4"),
        ("reconstruct walk.mp4 -o a.obj", ".fbx"),
        ("reconstruct walk.mp4 -o a", ".fbx"),
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
        ("retarget a.npz --rig r.blend -o a.fbx", "retarget"),
        ("convert missing.npz -o a.bvh", "missing.npz"),
        ("convert walk.mp4 -o a.bvh", "walk.mp4"),
        ("batch missing.json", "missing.json"),
        ("evaluate walk.mp4 walk.mp4", "walk.mp4"),
    ],
)
def test_bad_usage(backend, capsys, words, told):
    assert cli.main(words.split()) == 2
    said = capsys.readouterr().err
    assert told in said and len(said.splitlines()) == 1
    assert files() == []


def test_help_and_version_are_no_errors(capsys):
    assert cli.main(["--help"]) == 0 and cli.main(["reconstruct", "--help"]) == 0 and cli.main(["--version"]) == 0
    assert "Exit codes: 0 done" in capsys.readouterr().out


# --- outputs: early, and whole or not at all --------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["in_the_way/a.npz", "folder.npz/", "/proc/a.npz", "/proc/new/a.npz"])
def test_an_output_that_cannot_be_written_is_told_before_the_footage_is_looked_at(no_backend, output):
    Path("in_the_way").write_text("a file")
    Path("folder.npz").mkdir()
    (Path("folder.npz") / "walk.npz").mkdir()
    assert cli.main(["reconstruct", "walk.mp4", "-o", output]) == 5
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--report", "in_the_way/r.json"]) == 5
    assert files() == ["in_the_way"]


def test_outputs_take_nobodys_place(no_backend, capsys):
    Path("points.npz").touch()
    assert cli.main(["reconstruct", "points.npz", "-o", "."]) == 2
    Path("walk.mov").touch()
    assert cli.main(["reconstruct", "walk.mp4", "walk.mov", "-o", "out"]) == 2
    assert "is the input" in (said := capsys.readouterr().err) and "Two inputs" in said


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KB, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_becomes_full_leaves_nothing(backend, small_disk, capsys):
    backend("long 3000")
    (small_disk / "a.npz").write_text("from before")
    assert cli.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "a.npz")]) == 5
    assert "disk is full" in capsys.readouterr().err
    assert os.listdir(small_disk) == ["a.npz"] and (small_disk / "a.npz").read_text() == "from before"


def test_a_disk_that_is_full_is_told_at_once(no_backend, small_disk, capsys):
    with open(small_disk / "big", "wb", buffering=0) as file:
        file.write(bytes(1 << 20))
    assert cli.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "a.npz")]) == 5
    assert "disk is full" in capsys.readouterr().err


def test_a_disk_that_may_not_be_written_is_told_at_once(no_backend, small_disk, capsys):
    if subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True).returncode:
        pytest.skip("no disk may be mounted read-only here")
    assert cli.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "new" / "a.npz")]) == 5
    assert "cannot be written" in capsys.readouterr().err


DRIVER = f"""
import resource, sys
sys.path.insert(0, {str(ROOT)!r})
from blender_meshrec import cli
from blender_meshrec.bridge import client
from pathlib import Path
client.LAUNCH = Path({str(FAKE)!r})
if sys.argv[1] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(cli.main(sys.argv[2:]))
"""


@posix
@pytest.mark.parametrize("suffix", ["npz", "bvh"])
def test_a_write_that_fails_half_way_leaves_nothing(backend, suffix):
    backend("long 3000")
    command = [sys.executable, "-c", DRIVER, "40000", "reconstruct", "walk.mp4", "-o", f"out/a.{suffix}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 5 and "Traceback" not in done.stderr, done.stderr
    assert files() == [] and os.listdir("out") == []


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_everything(backend, tmp_path, number, monkeypatch):
    backend("sleep")
    monkeypatch.setenv("FAKE_BACKEND_PID", str(tmp_path / "pid"))
    command = [sys.executable, "-c", DRIVER, "0", "reconstruct", "walk.mp4", "jump.mov", "-o", "out", "--progress", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert json.loads(process.stdout.readline())["event"] == "progress"
    pid = int((tmp_path / "pid").read_text())
    begun = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - begun < 2.0  # s, the interpreter's end included
    assert err == "Cancelled. Nothing was changed.\n" and json.loads(out.splitlines()[-1])["exit_code"] == 130
    assert not Path(f"/proc/{pid}").exists() and files() == []


@posix
def test_what_is_to_be_ignored_stays_ignored():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cli.interruptible():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@posix
def test_an_interrupt_that_blender_made_an_error_of_is_one_still(backend, monkeypatch, capsys):
    def write(*_arguments):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            raise RuntimeError("Error: Python: Traceback ... KeyboardInterrupt") from None

    backend("work 0.01")
    monkeypatch.setattr(reconstruct, "write_outputs", write)
    assert cli.main(["reconstruct", "walk.mp4", "jump.mov", "-o", "out"]) == 130
    assert capsys.readouterr().err.endswith("Cancelled. Nothing was changed.\n")


# --- progress ---------------------------------------------------------------------------------------------------------


def test_progress_for_scripts_is_a_line_of_json_for_each_event(backend, capsys):
    backend("work 0.1")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events][-2:] == ["warning", "done"] and events[-1]["outputs"] == ["a.npz"]
    assert events[0] == {"event": "progress", "input": "walk.mp4", "stage": "Finding people", "done": 1, "total": 100, "unit": "frames"}


def test_a_log_gets_a_line_for_each_stage(backend, capsys):
    backend("work 0.1")
    assert cli.main(["reconstruct", "walk.mp4", "-o", "a.npz"]) == 0
    assert capsys.readouterr().err.splitlines()[:3] == ["Finding people", "Fitting", "Writing"]


def test_the_bar():
    assert consoles.bar(Progress("Looking", 50, 200), 0.5) == "Looking [######..................] 50/200 frames"
    assert consoles.bar(Progress("Looking", 50, 200), 2.0).endswith("50/200 frames, 25.0 a second")
    assert consoles.bar(Progress("Looking", 7, 0), 0.0) == "Looking 7 frames"
    assert consoles.bar(Progress("Loading", 0, 0), 9.0) == "Loading"


# --- the other commands -----------------------------------------------------------------------------------------------


@pytest.fixture
def motion(tmp_path):
    path = tmp_path / "motion.npz"
    write_motion(path, recovered(tube_man(posedirs=False), frames=30, fps=25.0))
    return path


def changed(recovery, **changes):
    return Recovery(**{**recovery.arrays(), **changes})


def test_convert_without_blender(motion, tmp_path, capsys):
    assert cli.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh")]) == 0
    assert (tmp_path / "a.bvh").read_text().startswith("HIERARCHY")
    assert cli.main(["convert", str(motion), "-o", str(tmp_path / "b.npz")]) == 0
    for name, value in read_motion(motion).arrays().items():
        assert np.array_equal(value, getattr(read_motion(tmp_path / "b.npz"), name)), name


def test_convert_in_a_child(motion, tmp_path):
    from blender_meshrec.bridge.making import find_maker

    try:
        find_maker()
    except InputError as error:
        pytest.skip(error.problem)
    assert cli.main(["convert", str(motion), "-o", str(tmp_path / "a.fbx"), "--preset", "unreal"]) == 0
    assert (tmp_path / "a.fbx").read_bytes().startswith(b"Kaydara FBX Binary")


def test_convert_refuses_another_familys_body(motion, tmp_path, capsys):
    write_motion(motion, changed(read_motion(motion), surface_model_type="smpl"))
    assert cli.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh")]) == 2
    assert "your SMPL file as --body" in capsys.readouterr().err
    assert cli.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh"), "--body", "nowhere.pkl"]) == 4


def test_evaluate_measures_known_errors(motion, tmp_path, capsys):
    truth = read_motion(motion)
    moved = changed(truth, joints=truth.joints + np.float32([0.03, 0.04, 0]))
    numbers = evaluate.evaluate(moved, truth)
    assert numbers["frames"] == truth.visible.sum() < len(truth)
    assert abs(numbers["camera_mpjpe"] - 50) < 1e-2 and numbers["mpjpe"] < 1e-2 and numbers["pa_mpjpe"] < 1e-2  # mm
    grown = evaluate.evaluate(changed(truth, joints=truth.joints * 1.1), truth)
    assert grown["mpjpe"] > 10 and grown["pa_mpjpe"] < 1e-2 and grown["contact_f1"] == 1.0  # mm
    write_motion(tmp_path / "moved.npz", moved)
    assert cli.main(["evaluate", str(tmp_path / "moved.npz"), str(motion), "--report", str(tmp_path / "r.json")]) == 0
    assert "camera_mpjpe" in capsys.readouterr().out and json.loads((tmp_path / "r.json").read_text()) == numbers


def test_evaluate_finds_the_moments_two_ranges_share(motion):
    truth = read_motion(motion)
    rows = slice(10, 20)
    per_frame = {name: value[rows] for name, value in truth.arrays().items() if np.ndim(value) and len(value) == len(truth)}
    part = changed(truth, **per_frame | {"timestamps": truth.timestamps[rows] - truth.timestamps[10]}, first_frame=10)
    numbers = evaluate.evaluate(part, truth)
    assert numbers["frames"] == truth.visible[rows].sum() and numbers["camera_mpjpe"] < 1e-3  # mm
    with pytest.raises(InputError, match="share no moment"):
        evaluate.evaluate(changed(part, first_frame=1000), truth)


def test_batch_runs_every_job_and_gives_the_highest_code(backend, tmp_path, capsys, monkeypatch):
    backend("nobody")
    Path("nobody.mp4").touch()
    jobs = [
        {"input": "nobody.mp4", "output": "out/a.npz"},
        {"input": "walk.mp4", "output": "out/b.npz", "person": "all", "no_contacts": True, "smoothing": 0.5},
        {"input": ["walk.mp4", "jump.mov"], "output": "many", "report": "many/r.json"},
    ]
    Path("jobs.json").write_text(json.dumps(jobs))
    jobs_file = str(Path("jobs.json").absolute())
    home = Path.cwd()
    monkeypatch.chdir(tmp_path)  # paths start from the list's folder
    assert cli.main(["batch", jobs_file]) == 3
    expected = ["jobs.json", "many/jump.npz", "many/r.json", "many/walk.npz", "out/b.person1.npz", "out/b.person2.npz"]
    assert files(home) == expected


@pytest.mark.parametrize("jobs", ["{", "[]", "[1]", '[{"input": "walk.mp4"}]', '[{"input": "walk.mp4", "output": "a.npz", "colour": 1}]'])
def test_a_list_that_is_not_right_runs_nothing(no_backend, jobs, capsys):
    Path("jobs.json").write_text(jobs)
    assert cli.main(["batch", "jobs.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_models_are_listed_and_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    assert cli.main(["models", "verify"]) == 4  # there is no list
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    (tmp_path / "weights.toml").write_text(f'[[weights]]\nfile = "a.bin"\nsource = "here"\nlicence = "MIT"\nsha256 = "{digest}"\n')
    assert cli.main(["models", "list"]) == 0 and cli.main(["models", "verify"]) == 4
    (tmp_path / "a.bin").write_text("foo")
    assert cli.main(["models", "verify"]) == 0
    (tmp_path / "a.bin").write_text("bar")
    assert cli.main(["models", "verify"]) == 4
    assert "damaged" in capsys.readouterr().err


def test_the_doctor_finds_this_environment_well(capsys, monkeypatch):
    monkeypatch.setattr(model_files, "model_folders", lambda: [ROOT / "addon_models"])
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    code = cli.main(["doctor"])
    said = capsys.readouterr()
    assert "torch 2" in said.out and "cpu" in said.out and "cache" in said.out
    assert code == (0 if all(error is None for _, _, error in model_files.listed_models()) else 4), said.err


def test_the_doctor_names_what_is_missing(monkeypatch, capsys, tmp_path):
    found = {"python": "3.11.9", "versions": {"numpy": "2"}, "missing": {"torch": "No module named 'torch'"}, "devices": []}
    monkeypatch.setattr(doctor, "describe", lambda python: found)
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    assert cli.main(["doctor", "--blender", "nowhere"]) == 4
    said = capsys.readouterr()
    assert "lacks torch" in said.err and "list of model files is missing" in said.err and "only .npz and .bvh" in said.out
    monkeypatch.setenv("MESHREC_PYTHON", str(tmp_path / "python"))
    assert cli.main(["doctor"]) == 4
    assert "no Python at" in capsys.readouterr().err


def test_a_python_that_cannot_load_the_software(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    bare.chmod(0o755)
    with pytest.raises(Exception, match="cannot load") as caught:
        doctor.describe(bare)
    assert caught.value.__notes__ == ["broken\n"]
