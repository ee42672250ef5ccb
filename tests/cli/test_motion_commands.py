"""`convert`, `retarget` and `map` on motions of other software: what they write, what they say, and their reports."""

import json

import numpy as np
import pytest

from blender_meshrec.bridge.scene_process import SceneResult, find_scene_command
from blender_meshrec.cli import program
from blender_meshrec.cli.commands import convert, retarget
from blender_meshrec.cli.commands import map as map_command
from blender_meshrec.cli.commands.reconstruct import write_report
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.retarget.mapping.presets import read_preset


@pytest.fixture
def needs_blender():
    try:
        find_scene_command()
    except InputError as error:
        pytest.skip(error.problem)


@pytest.fixture
def amass(tmp_path):
    """A person who stands, and one who lies with the head along y; z is up."""
    poses = np.zeros((5, 156))
    np.savez(tmp_path / "lies.npz", poses=poses, trans=np.tile([0, 0.22, 0.09], (5, 1)), mocap_framerate=50.0)
    poses[:, 0] = np.pi / 2
    np.savez(tmp_path / "stands.npz", poses=poses, trans=np.tile([0, 0.22, 0.94], (5, 1)))
    return tmp_path


def test_convert_takes_amass(amass, capsys):
    assert program.main(["convert", str(amass / "lies.npz"), "-o", str(amass / "a.npz")]) == 0
    assert "lies or crawls" in capsys.readouterr().err
    motion = read_motion(amass / "a.npz")
    assert motion.mocap_framerate == 50 and np.ptp(motion.joints[0, :, 2]) < 0.35  # m
    assert program.main(["convert", str(amass / "lies.npz"), "-o", str(amass / "b.npz"), "--up", "y"]) == 0
    assert np.ptp(read_motion(amass / "b.npz").joints[0, :, 2]) > 1.2 and not capsys.readouterr().err  # m
    assert program.main(["convert", str(amass / "stands.npz"), "-o", str(amass / "c.bvh")]) == 0
    assert "does not say its frame rate" in capsys.readouterr().err
    assert "Frame Time: 0.0333" in (amass / "c.bvh").read_text()
    assert program.main(["convert", str(amass / "c.bvh"), "-o", str(amass / "d.npz")]) == 0
    assert np.ptp(read_motion(amass / "d.npz").joints[0, :, 2]) > 1.2  # m


def test_convert_makes_scenes_of_amass(amass, needs_blender):
    assert program.main(["convert", str(amass / "lies.npz"), "-o", str(amass / "a.fbx")]) == 0
    assert (amass / "a.fbx").read_bytes().startswith(b"Kaydara FBX Binary")


@pytest.mark.parametrize("name", ["nothing.npz", "a.txt"])
def test_convert_refuses_what_is_no_motion(tmp_path, name, capsys):
    if name != "nothing.npz":
        (tmp_path / name).write_text("text")
    assert program.main(["convert", str(tmp_path / name), "-o", str(tmp_path / "b.npz")]) == 2
    assert "lifted_joints" not in capsys.readouterr().err


def test_convert_gives_the_chosen_axis_to_the_backend(amass, monkeypatch):
    """SKEL's angles are fitted to the motion that --up gives, and to AMASS files of any container."""
    given = []

    class Job:
        def __init__(self, request, python):
            given.append(read_motion(request.source))

        def wait(self, on_progress):
            raise InputError("test-stop", "Stop.", "Stop.")

    monkeypatch.setattr(convert, "start_job", Job)
    for up, height in (("z", 0.35), ("y", 2.0)):
        assert program.main(["convert", str(amass / "lies.npz"), "-o", str(amass / "a.npz"), "--skeleton", "skel", "--up", up]) == 2
        assert height - 0.8 < np.ptp(given[-1].joints[0, :, 2]) < height  # m


def test_reports_hold_null_for_numbers_that_do_not_exist(tmp_path):
    report = {"a": float("nan"), "b": [1.5, float("inf"), {"c": (float("-inf"), 2)}], "d": "nan", "e": None, "f": np.float64("nan")}
    write_report(tmp_path / "r.json", report)
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "a": None,
        "b": [1.5, None, {"c": [None, 2]}],
        "d": "nan",
        "e": None,
        "f": None,
    }


def test_retarget_writes_a_report_without_contacts(amass, monkeypatch):
    (amass / "rig.fbx").touch()
    targets = []

    def make_scenes(request, blender):
        targets.append(request.retarget_target)
        return SceneResult((), {"a.fbx": {"hip_scale": 1.0, "foot_slide_after": float("nan"), "mapping": {"found_by": "names"}}})

    monkeypatch.setattr(retarget, "make_scenes", make_scenes)
    words = ["retarget", str(amass / "lies.npz"), "--rig", str(amass / "rig.fbx"), "-o", str(amass / "a.fbx"), "--blender", __file__]
    assert program.main([*words, "--report", str(amass / "r.json"), "--up", "y"]) == 0
    assert json.loads((amass / "r.json").read_text())["retarget"]["a.fbx"]["foot_slide_after"] is None
    assert targets[0].up == "y"


@pytest.mark.parametrize("name", ["03_walk_without_contacts.bvh", "03_one_frame.npz"])
def test_field_motions_have_a_report(shared_cases, needs_blender, tmp_path, name):
    rig, report = str(shared_cases / "00_rig_plain.blend"), tmp_path / "r.json"
    words = ["retarget", str(shared_cases / name), "--rig", rig, "-o", str(tmp_path / "a.bvh"), "--report", str(report)]
    assert program.main(words) == 0
    (numbers,) = json.loads(report.read_text())["retarget"].values()
    assert numbers["mapping"]["bones"]["hips"] == ["mixamorig:Hips"] and numbers["mapping"]["confidence"]["mixamorig:Hips"] > 0.9
    assert name.endswith(".bvh") or numbers["foot_slide_after"] is None


# --- meshrec map --------------------------------------------------------------------------------------------------------------

FOUND = {
    "found_by": "geometry",
    "convention": "",
    "bones": {"hips": ["a"], "left_upper_leg": ["b", "c"]},
    "confidence": {"a": 0.97, "b": 0.4, "c": 0.4},
    "preset": {"meshrec_mapping": 1, "name": "rig", "slots": {"hips": ["a"], "left_upper_leg": ["b", "c"]}},
    "unmapped": ["tail"],
}


def test_map_prints_bones_parts_and_confidence(tmp_path, monkeypatch, capsys):
    (tmp_path / "rig.glb").touch()
    monkeypatch.setattr(map_command, "run_mapping_process", lambda rig, blender: FOUND)
    assert program.main(["map", str(tmp_path / "rig.glb"), "-o", str(tmp_path / "m.json"), "--blender", __file__]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["hips", "a", "0.97"] and lines[1].split() == ["left_upper_leg", "b", "0.40", "uncertain"]
    assert "shape alone" in lines[3] and "tail" in lines[4] and lines[5] == str(tmp_path / "m.json")
    assert read_preset(tmp_path / "m.json").mapping.slots == {"hips": ("a",), "left_upper_leg": ("b", "c")}


def test_map_checks_its_output_first(tmp_path, monkeypatch, capsys):
    (tmp_path / "rig.glb").touch()
    monkeypatch.setattr(map_command, "run_mapping_process", lambda *_: pytest.fail("Blender was started"))
    assert program.main(["map", str(tmp_path / "rig.glb"), "-o", str(tmp_path / "m.txt"), "--blender", __file__]) == 2
    assert ".json" in capsys.readouterr().err


def test_a_mapping_made_by_map_is_used_by_retarget(shared_cases, needs_blender, tmp_path, capsys):
    rig = str(shared_cases / "00_rig_plain.blend")
    assert program.main(["map", rig, "-o", str(tmp_path / "m.json")]) == 0
    assert "mixamorig:LeftForeArm" in capsys.readouterr().out
    motion, report = str(shared_cases / "03_walk_without_contacts.bvh"), str(tmp_path / "r.json")
    words = ["retarget", motion, "--rig", rig, "-o", str(tmp_path / "a.bvh"), "--report", report, "--mapping", str(tmp_path / "m.json")]
    assert program.main(words) == 0
    (numbers,) = json.loads((tmp_path / "r.json").read_text())["retarget"].values()
    assert numbers["mapping"]["found_by"] == "preset"
