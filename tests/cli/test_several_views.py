"""`meshrec reconstruct A B --cameras CALIB`: several views are one input with one output."""

import json
from pathlib import Path

import pytest

from blender_meshrec.cli import program
from blender_meshrec.cli.commands import reconstruct


@pytest.mark.parametrize(("cameras", "expected"), [("auto", "auto"), ("calib.toml", str(Path("calib.toml").resolve()))])
def test_views_become_one_request(cameras, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["reconstruct", "a.mp4", "b.mp4", "c.mp4", "--cameras", cameras, "-o", "out.npz"]
    request = reconstruct.build_request("a.mp4", program.build_parser().parse_args(words))
    assert request.source == str(tmp_path / "a.mp4")
    assert request.views == (str(tmp_path / "b.mp4"), str(tmp_path / "c.mp4"))
    assert Path(request.cameras).name == Path(expected).name


def test_several_inputs_without_cameras_are_no_views():
    options = program.build_parser().parse_args(["reconstruct", "a.mp4", "b.mp4", "-o", "out"])
    assert reconstruct.build_request("a.mp4", options).views == ()


def test_views_have_one_output_and_one_report(backend, files):
    backend("work 0.01")
    words = ["reconstruct", "walk.mp4", "jump.mov", "--cameras", "auto", "-o", "out.npz", "--report", "r.json"]
    assert program.main(words) == 0
    assert files() == ["out.npz", "r.json"]
    assert Path(json.loads(Path("r.json").read_text())["input"]).name == "walk.mp4"


def test_a_calibration_is_not_overwritten(no_backend, capsys):
    Path("calib.json").write_text("{}")
    assert program.main(["reconstruct", "walk.mp4", "jump.mov", "--cameras", "calib.json", "-o", "out.npz", "--report", "calib.json"]) == 2
    assert "calib.json is the input" in capsys.readouterr().err
