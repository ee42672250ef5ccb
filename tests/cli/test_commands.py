"""The commands other than `reconstruct`."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from blender_meshrec.bridge.scene_process import find_scene_command
from blender_meshrec.cli import program
from blender_meshrec.cli.batch import job_words
from blender_meshrec.cli.commands import batch, doctor, evaluate
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files import model_files, user_models
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.records import Recovery
from blender_meshrec.core.rotations import rotmat_from_rotvec
from tests.support.synthetic_skel import skel_arrays
from tests.support.synthetic_template import smpl_arrays

ROOT = Path(__file__).resolve().parents[2]


def changed(recovery, **changes):
    return Recovery(**{**recovery.arrays(), **changes})


def rows_of(recovery, rows):
    per_frame = {name: value[rows] for name, value in recovery.arrays().items() if np.ndim(value) and len(value) == len(recovery)}
    return changed(recovery, **per_frame)


def test_convert_to_bvh_and_npz_needs_no_blender(motion, tmp_path, capsys):
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh")]) == 0
    assert (tmp_path / "a.bvh").read_text().startswith("HIERARCHY")
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "b.npz")]) == 0
    for name, value in read_motion(motion).arrays().items():
        assert np.array_equal(value, getattr(read_motion(tmp_path / "b.npz"), name)), name


def test_convert_to_fbx_runs_a_child(motion, tmp_path):
    try:
        find_scene_command()
    except InputError as error:
        pytest.skip(error.problem)
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "a.fbx"), "--preset", "unreal"]) == 0
    assert (tmp_path / "a.fbx").read_bytes().startswith(b"Kaydara FBX Binary")


def test_convert_refuses_another_familys_body(motion, tmp_path, capsys):
    write_motion(motion, changed(read_motion(motion), surface_model_type="smpl"))
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh")]) == 2
    assert "your SMPL file as --body" in capsys.readouterr().err
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "a.bvh"), "--body", "nowhere.pkl"]) == 4


def test_evaluate_measures_known_errors(motion, tmp_path, capsys):
    truth = read_motion(motion)
    moved = changed(truth, joints=truth.joints + np.float32([0.03, 0.04, 0]))
    numbers = evaluate.evaluate(moved, truth)
    assert numbers["frames"] == truth.visible.sum() < len(truth)
    assert abs(numbers["camera_mpjpe"] - 50) < 1e-2 and numbers["mpjpe"] < 1e-2 and numbers["pa_mpjpe"] < 1e-2  # mm
    assert numbers["mpve"] == pytest.approx(50, abs=0.01)  # mm: the skin did not move, and the pelves are aligned
    turned = evaluate.evaluate(changed(truth, poses=truth.poses + np.float32([0.1] + [0] * 71)), truth)
    assert turned["mpjpe"] < 1e-2 < 20 < turned["mpve"]  # mm: the joints did not move, the skin did
    scaled = evaluate.evaluate(changed(truth, joints=truth.joints * 1.1), truth)
    assert scaled["mpjpe"] > 10 and scaled["pa_mpjpe"] < 1e-2 and scaled["contact_f1"] == 1.0  # mm
    write_motion(tmp_path / "moved.npz", moved)
    assert program.main(["evaluate", str(tmp_path / "moved.npz"), str(motion), "--report", str(tmp_path / "r.json")]) == 0
    assert "camera_mpjpe" in capsys.readouterr().out and json.loads((tmp_path / "r.json").read_text()) == numbers


def test_evaluate_measures_paths_in_the_world(motion):
    truth = rows_of(read_motion(motion), slice(0, 20))
    turn = rotmat_from_rotvec(np.array([0, 0, 0.8]))
    camera_from_world = truth.camera_from_world.copy()
    camera_from_world[:, :3, :3] @= turn.T
    elsewhere = changed(truth, joints=truth.joints @ turn.T + np.float32([3, 4, 0]), camera_from_world=camera_from_world)
    numbers = evaluate.evaluate(elsewhere, truth)
    for name in ("heading_mpjpe", "wa_mpjpe", "w_mpjpe", "root_translation_error"):
        assert numbers[name] < 0.01, name  # mm and %
    for name in ("wrist_peak_speed", "ankle_peak_speed"):
        assert numbers[name] == pytest.approx(1, abs=1e-4), name
    assert numbers["foot_slide"] == numbers["true_foot_slide"] and numbers["camera_pitch_error"] < 1e-3
    pitched = truth.camera_from_world.copy()
    pitched[:, :3, :3] = rotmat_from_rotvec(np.radians([5.0, 0, 0])) @ pitched[:, :3, :3]
    assert evaluate.evaluate(changed(truth, camera_from_world=pitched), truth)["camera_pitch_error"] == pytest.approx(5, abs=0.1)
    scaled = evaluate.evaluate(changed(truth, joints=truth.joints * 1.1), truth)
    assert scaled["wa_mpjpe"] < 0.01 < 10 < scaled["heading_mpjpe"] and scaled["wrist_peak_speed"] == pytest.approx(1.1)
    sliding = truth.trans + truth.timestamps[:, None] * np.array([0.2, 0, 0]) - np.array([0, 0, 0.3])
    below = evaluate.evaluate(changed(truth, trans=sliding), truth)
    assert below["floor_penetration"] > 250  # mm
    assert below["foot_slide"] > below["true_foot_slide"] + 5  # cm/s


def test_a_single_frame_is_evaluated(motion):
    truth = read_motion(motion)
    row = int(np.flatnonzero(truth.visible)[3])
    per_frame = {name: value[row : row + 1] for name, value in truth.arrays().items() if np.ndim(value) and len(value) == len(truth)}
    one = changed(truth, **per_frame | {"timestamps": [0.0]}, first_frame=row)
    for pair in ((one, truth), (truth, one), (one, one)):
        numbers = evaluate.evaluate(*pair)
        assert numbers["frames"] == 1 and numbers["camera_mpjpe"] < 1e-3 and numbers["jitter"] is None  # mm


def test_evaluate_also_measures_calibrated_joints(motion):
    truth = read_motion(motion)
    assert not any(name.startswith("calibrated") for name in evaluate.evaluate(truth, truth))
    calibrated = changed(truth, joints=truth.joints + np.float32([0.03, 0.04, 0]), calibrated_joints=truth.joints)
    numbers = evaluate.evaluate(calibrated, truth)
    assert numbers["camera_mpjpe"] == pytest.approx(50, abs=0.01) and numbers["calibrated_camera_mpjpe"] < 1e-2  # mm
    scaled = evaluate.evaluate(changed(truth, calibrated_joints=truth.joints * 1.1), truth)
    assert scaled["mpjpe"] < 1e-2 < 10 < scaled["calibrated_mpjpe"] and scaled["calibrated_pa_mpjpe"] < 1e-2  # mm


def test_evaluate_compares_the_times_that_two_ranges_share(motion):
    truth = read_motion(motion)
    rows = slice(10, 20)
    per_frame = {name: value[rows] for name, value in truth.arrays().items() if np.ndim(value) and len(value) == len(truth)}
    part = changed(truth, **per_frame | {"timestamps": truth.timestamps[rows] - truth.timestamps[10]}, first_frame=10)
    numbers = evaluate.evaluate(part, truth)
    assert numbers["frames"] == truth.visible[rows].sum() and numbers["camera_mpjpe"] < 1e-3  # mm
    with pytest.raises(InputError, match="share no moment"):
        evaluate.evaluate(changed(part, first_frame=1000), truth)


def test_batch_runs_every_job_and_returns_the_highest_code(backend, tmp_path, capsys, monkeypatch, files):
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
    monkeypatch.chdir(tmp_path)  # paths are relative to the list's folder
    assert program.main(["batch", jobs_file]) == 3
    expected = ["jobs.json", "many/jump.npz", "many/r.json", "many/walk.npz", "out/b.person1.npz", "out/b.person2.npz"]
    assert files(home) == sorted([*expected, "journal.jsonl", "summary.csv", "summary.html", "summary.json"])
    assert [Path(report["input"]).name for report in json.loads((home / "many" / "r.json").read_text())] == ["walk.mp4", "jump.mov"]


def test_a_jobs_body_is_a_name_or_relative_path(tmp_path, monkeypatch):
    monkeypatch.setattr(job_words, "user_models", lambda: {"hero": tmp_path / "stored.npz", "bones": tmp_path / "stored.pkl"})
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "bones").touch()
    jobs = [
        {"input": "a.mp4", "output": "a.npz", "body": "hero", "skel": "open"},
        {"input": "a.mp4", "output": "a.npz", "body": "b/smpl.npz", "skel": "bones"},
    ]
    (lists / "jobs.json").write_text(json.dumps(jobs))
    words = [word for job in batch.read_jobs(lists / "jobs.json") for word in job if word.startswith(("--body", "--skel"))]
    assert words == ["--body=hero", "--skel=open", f"--body={lists / 'b/smpl.npz'}", f"--skel={lists / 'bones'}"]


@pytest.mark.parametrize("jobs", ["{", "[]", "[1]", '[{"input": "walk.mp4"}]', '[{"input": "walk.mp4", "output": "a.npz", "colour": 1}]'])
def test_a_malformed_list_runs_no_job(no_backend, jobs, capsys):
    Path("jobs.json").write_text(jobs)
    assert program.main(["batch", "jobs.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_list_with_a_bom_and_a_wrong_job(no_backend, capsys):
    jobs = [{"input": "walk.mp4", "output": "a.npz"}, {"input": "walk.mp4", "output": "b.npz", "person": "me"}]
    Path("jobs.json").write_text(json.dumps(jobs), encoding="utf-8-sig")
    assert program.main(["batch", "jobs.json"]) == 2
    assert capsys.readouterr().err.startswith("Job 2: argument --person")


@pytest.mark.parametrize(
    "option, expected",
    [
        ({"no-contact": False}, "no-contact, which is no option"),  # misspelled: False would have hidden it
        ({"colour": None}, "colour, which is no option"),
        ({"progress": "json"}, "progress, which is no option"),
        ({"help": True}, "help, which is no option"),
        ({"fps": False}, "the value false"),
        ({"contacts": "no"}, 'the value "no"'),
        ({"frames": ["0:10", "20:30"]}, 'the value ["0:10", "20:30"]'),
        ({"refine": []}, "the value []"),
        ({"person": {"number": 1}}, "cannot have"),
    ],
)
def test_an_option_of_a_job_that_would_do_nothing_is_refused(no_backend, option, expected, capsys):
    Path("jobs.json").write_text(json.dumps([{"input": "walk.mp4", "output": "a.npz", **option}]))
    assert program.main(["batch", "jobs.json"]) == 2
    assert (error := capsys.readouterr().err).startswith("Job 1") and expected in error and len(error.splitlines()) == 1


def test_switches_of_a_job_are_true_or_false_under_either_name(tmp_path):
    job = {"input": "a.mp4", "output": "a.npz"}
    for options, words in (
        ({"no-contacts": True}, ["--no-contacts"]),
        ({"contacts": False}, ["--no-contacts"]),
        ({"no_contacts": False, "contacts": True, "fps": None}, []),
        ({"refine": ["skelify"], "cache": None}, ["--refine=skelify"]),
    ):
        Path(tmp_path / "jobs.json").write_text(json.dumps([{**job, **options}]))
        (arguments,) = batch.read_jobs(tmp_path / "jobs.json")
        assert arguments == ["reconstruct", str(tmp_path / "a.mp4"), f"--output={tmp_path / 'a.npz'}", *words]


def test_jobs_that_write_one_file_are_refused(no_backend, capsys):
    jobs = [{"input": "walk.mp4", "output": "a.npz"}, {"input": "jump.mov", "output": "x/../a.npz"}]
    Path("jobs.json").write_text(json.dumps(jobs))
    assert program.main(["batch", "jobs.json"]) == 2
    assert "Jobs 1 and 2 would both write" in capsys.readouterr().err


def test_options_that_do_nothing_are_named(backend, capsys):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--no-foot-ik", "--skel", "mine.pkl", "--format", "fbx"]) == 0
    errors = capsys.readouterr().err
    assert "--no-foot-ik does nothing without --rig." in errors and "--skel does nothing without --skeleton skel." in errors
    assert "--format does nothing" in errors
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz"]) == 0
    assert "does nothing" not in capsys.readouterr().err


def test_a_sensor_without_a_focal_length_is_named(backend, capsys):
    backend("work 0.01")
    for options in (["--sensor", "36"], ["--sensor", "36", "--focal", "1674px"]):
        assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", *options]) == 0
        assert "--sensor does nothing without --focal in millimetres." in capsys.readouterr().err
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--sensor", "36mm", "--focal", "50"]) == 0
    assert "does nothing" not in capsys.readouterr().err


def test_models_are_listed_and_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    assert program.main(["models", "verify"]) == 4  # there is no list
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    (tmp_path / "weights.toml").write_text(f'[[weights]]\nfile = "a.bin"\nsource = "here"\nlicence = "MIT"\nsha256 = "{digest}"\n')
    assert program.main(["models", "list"]) == 0 and program.main(["models", "verify"]) == 4
    (tmp_path / "a.bin").write_text("foo")
    assert program.main(["models", "verify"]) == 0
    (tmp_path / "a.bin").write_text("bar")
    assert program.main(["models", "verify"]) == 4
    assert "damaged" in capsys.readouterr().err


def test_an_optional_model_may_be_absent_but_not_damaged(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    (tmp_path / "weights.toml").write_text('[[weights]]\nfile = "a.bin"\noptional = "Quality Best"\nsha256 = "0"\n')
    assert program.main(["models", "verify"]) == 0 and "absent  a.bin" in capsys.readouterr().out
    printed = []
    console = SimpleNamespace(print_result=printed.append)
    assert doctor.check_models(console) == [] and printed == ["model      a.bin not installed: Quality Best is not available"]
    (tmp_path / "a.bin").write_text("foo")
    assert program.main(["models", "verify"]) == 4 and [error.name for error in doctor.check_models(console)] == ["model-file-damaged"]


def test_a_users_own_model_is_stored_under_a_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(user_models, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(model_files, "model_folders", lambda: [ROOT / "addon_models"])
    smpl, skel = tmp_path / "SMPL_NEUTRAL.npz", tmp_path / "skel_male.npz"
    np.savez(smpl, **smpl_arrays())
    np.savez(skel, **skel_arrays())
    assert program.main(["models", "add", str(smpl), "--name", "mine"]) == 0 and "--body mine" in capsys.readouterr().out
    assert program.main(["models", "add", str(skel)]) == 0 and "--skel skel_male" in capsys.readouterr().out
    smpl.unlink()
    options = program.build_parser().parse_args(["reconstruct", "a.mp4", "-o", "a.npz", "--body", "mine", "--skel", "skel_male"])
    assert options.body == str(tmp_path / "data" / "models" / "mine.npz") and options.skel_body.endswith("skel_male.npz")
    assert program.main(["models", "list"]) == 0 and "mine" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["nowhere.pkl"], [], ["{file}", "--name", "open"], ["{file}", "--name", "../a"], ["{text}"]])
def test_an_unusable_model_file_is_not_stored(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setattr(user_models, "data_folder", lambda: tmp_path / "data")
    np.savez(tmp_path / "a.npz", **smpl_arrays())
    (tmp_path / "b.pkl").write_text("no model")
    words = [word.format(file=tmp_path / "a.npz", text=tmp_path / "b.pkl") for word in words]
    assert program.main(["models", "add", *words]) in (2, 4)
    assert len(capsys.readouterr().err.splitlines()) == 1 and not (tmp_path / "data").exists()


def test_the_doctor_approves_this_environment(capsys, monkeypatch):
    monkeypatch.setattr(model_files, "model_folders", lambda: [ROOT / "addon_models"])
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    code = program.main(["doctor"])
    output = capsys.readouterr()
    assert "torch 2" in output.out and "cpu" in output.out and "cache" in output.out
    assert code == (0 if all(model.error is None or model.is_left_out for model in model_files.listed_models()) else 4), output.err


def test_the_doctor_names_what_is_missing(monkeypatch, capsys, tmp_path):
    found = {"python": "3.11.9", "versions": {"numpy": "2"}, "missing": {"torch": "No module named 'torch'"}, "devices": []}
    monkeypatch.setattr(doctor, "describe_backend", lambda python: found)
    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    monkeypatch.setenv("MESHREC_PYTHON", sys.executable)
    assert program.main(["doctor", "--blender", "nowhere"]) == 4
    output = capsys.readouterr()
    assert "lacks torch" in output.err and "list of model files is missing" in output.err and "only .npz and .bvh" in output.out
    monkeypatch.setenv("MESHREC_PYTHON", str(tmp_path / "python"))
    assert program.main(["doctor"]) == 4
    assert "no Python at" in capsys.readouterr().err


def test_a_python_that_cannot_load_the_software_is_reported(tmp_path):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    bare.chmod(0o755)
    with pytest.raises(Exception, match="cannot load") as caught:
        doctor.describe_backend(bare)
    assert caught.value.__notes__ == ["broken\n"]
