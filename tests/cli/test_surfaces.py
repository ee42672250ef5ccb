"""Calibrated results on the command line: stretching bones, and the exact surface beside the outputs that support it."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from blender_meshrec.bridge.messages import is_calibrated_method
from blender_meshrec.cli import program, surfaces
from blender_meshrec.core.files.motion_npz import read_motion, write_motion
from blender_meshrec.core.files.point_cache import read_point_cache, write_point_cache
from tests.support.synthetic_bodies import with_calibrated_joints


@pytest.fixture
def calibrating_backend(backend, monkeypatch, tmp_path):
    """A backend whose methods all calibrate, and a folder for its temporary files."""
    backend("calibrate")
    monkeypatch.setattr(surfaces, "is_calibrated_method", lambda method: True)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def position_channels(path):
    return sum("CHANNELS 6" in line for line in Path(path).read_text().splitlines())


def test_only_one_method_has_an_exact_surface():
    assert is_calibrated_method("pc-hmr") and not is_calibrated_method("auto") and not is_calibrated_method("skeleton2mesh")


@pytest.mark.parametrize("words", ["--surface exact", "--surface exact --method blazepose"])
def test_methods_without_exact_surface_are_refused_before_the_work(no_backend, capsys, words, files):
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", *words.split()]) == 2
    errors = capsys.readouterr().err
    assert "pc-hmr" in errors and "--surface skinned" in errors and len(errors.splitlines()) == 1 and files() == []


def test_skel_has_no_exact_surface(no_backend, monkeypatch, capsys):
    monkeypatch.setattr(surfaces, "is_calibrated_method", lambda method: True)
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--surface", "exact", "--skeleton", "skel"]) == 2
    assert "SKEL" in capsys.readouterr().err


def test_a_backend_without_a_surface_is_refused(calibrating_backend, backend, capsys, files):
    backend("work 0.01")
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--surface", "exact"]) == 2
    assert "pc-hmr" in capsys.readouterr().err and files() == [] and not list(calibrating_backend.iterdir())


def test_the_surface_is_written_beside_the_motion(calibrating_backend, files, capsys):
    command = ["reconstruct", "walk.mp4", "-o", "a.npz", "--surface", "exact", "--report", "r.json"]
    assert program.main(command) == 0
    assert files() == ["a.npz", "a.pc2", "r.json"] and not list(calibrating_backend.iterdir())
    assert read_point_cache("a.pc2").shape[0] == len(read_motion("a.npz")) and (read_point_cache("a.pc2")[3] == 1).all()
    assert json.loads(Path("r.json").read_text())["outputs"] == ["a.npz", "a.pc2"]
    assert program.main([*command[:-2], "--person", "all"]) == 0
    assert {"a.person1.npz", "a.person1.pc2", "a.person2.npz", "a.person2.pc2"} <= set(files())
    assert (read_point_cache("a.person2.pc2")[0] == 2).all()


def test_by_default_joints_are_written_but_no_surface(calibrating_backend, files):
    assert program.main(["reconstruct", "walk.mp4", "-o", "out", "--format", "npz,bvh"]) == 2  # no folder there yet: out is a file's name
    Path("out").mkdir()
    assert program.main(["reconstruct", "walk.mp4", "-o", "out", "--format", "npz,bvh"]) == 0
    assert files() == ["out/walk.bvh", "out/walk.npz"]
    assert read_motion("out/walk.npz").calibrated_joints is not None and position_channels("out/walk.bvh") == 24


def test_warnings_name_what_a_format_does_not_keep(calibrating_backend, capsys, files):
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.bvh", "--surface", "exact", "--report", "r.json"]) == 0
    warnings = json.loads(Path("r.json").read_text())["warnings"]
    assert any("positions" in note for note in warnings) and any("exact one" in note for note in warnings)
    assert files() == ["a.bvh", "r.json"] and "walk person1" in capsys.readouterr().err
    assert program.main(["reconstruct", "walk.mp4", "-o", "b.bvh", "--no-stretch"]) == 0
    assert position_channels("b.bvh") == 1 and "positions" not in capsys.readouterr().err


def test_a_bvh_of_skel_warns_that_its_joints_are_smpls(calibrating_backend, capsys):
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.bvh", "--skeleton", "skel"]) == 0
    assert ".bvh has SMPL's joints of walk person1" in capsys.readouterr().err
    assert program.main(["reconstruct", "walk.mp4", "-o", "a.npz", "--skeleton", "skel"]) == 0
    assert "SMPL's joints" not in capsys.readouterr().err


def test_a_surface_that_cannot_be_written_leaves_no_files(calibrating_backend, small_disk, capsys):
    assert program.main(["reconstruct", "walk.mp4", "-o", str(small_disk / "a.npz"), "--surface", "exact"]) == 5
    assert "disk is full" in capsys.readouterr().err and not list(small_disk.iterdir())


# --- convert ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def calibrated_motion(motion):
    """A calibrated motion file with its surface."""
    recovery = with_calibrated_joints(read_motion(motion))
    write_motion(motion, recovery)
    write_point_cache(motion.with_suffix(".pc2"), 5, len(recovery), [np.ones((len(recovery), 5, 3))])
    return motion


def test_a_motion_is_converted_with_its_surface(calibrated_motion, tmp_path, capsys):
    assert program.main(["convert", str(calibrated_motion), "-o", str(tmp_path / "b.npz"), "--surface", "exact"]) == 0
    assert (tmp_path / "b.pc2").read_bytes() == calibrated_motion.with_suffix(".pc2").read_bytes()
    assert np.array_equal(read_motion(tmp_path / "b.npz").calibrated_joints, read_motion(calibrated_motion).calibrated_joints)
    assert program.main(["convert", str(calibrated_motion), "-o", str(tmp_path / "c.bvh")]) == 0
    assert position_channels(tmp_path / "c.bvh") == 24 and "positions" in capsys.readouterr().err
    assert program.main(["convert", str(calibrated_motion), "-o", str(tmp_path / "d.bvh"), "--no-stretch"]) == 0
    assert position_channels(tmp_path / "d.bvh") == 1


def test_converting_in_place_keeps_the_surface(calibrated_motion, capsys):
    before = calibrated_motion.with_suffix(".pc2").read_bytes()
    assert program.main(["convert", str(calibrated_motion), "-o", str(calibrated_motion.with_suffix(".npz")), "--surface", "exact"]) == 0
    assert calibrated_motion.with_suffix(".pc2").read_bytes() == before


def test_a_motion_without_a_surface_is_refused(motion, calibrated_motion, tmp_path, capsys):
    calibrated_motion.with_suffix(".pc2").unlink()
    assert program.main(["convert", str(calibrated_motion), "-o", str(tmp_path / "b.npz"), "--surface", "exact"]) == 2
    assert "motion.pc2" in capsys.readouterr().err and not (tmp_path / "b.npz").exists()
    plain = read_motion(motion)
    write_motion(motion, type(plain)(**{name: value for name, value in plain.arrays().items() if name != "calibrated_joints"}))
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "b.npz"), "--surface", "exact"]) == 2
    assert "pc-hmr" in capsys.readouterr().err and not (tmp_path / "b.npz").exists()
