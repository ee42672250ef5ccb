"""Folders of clips: what is a clip, and what the outputs are called."""

from argparse import Namespace
from pathlib import Path

import pytest

from blender_meshrec.cli import program
from blender_meshrec.cli.batch.footage_folder import find_clips
from blender_meshrec.cli.batch.plan import make_plan
from blender_meshrec.core.errors import InputError


@pytest.fixture
def takes(tmp_path):
    """A folder of takes of several kinds."""
    folder = tmp_path / "takes"
    for name in ("b10.mp4", "b2.MOV", "still.jpg", "keys.npz", "day1/walk.avi", "frames/0001.png", "frames/0002.png", "notes.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("json/a_000_keypoints.json", "json/a_001_keypoints.json", ".hidden.mp4", "day1/.DS_Store"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_clips_are_found_in_the_order_that_people_count_in(takes):
    found = find_clips(takes)
    expected = ["b2.MOV", "b10.mp4", "day1/walk.avi", "frames", "json", "keys.npz", "still.jpg"]
    assert [clip.path.relative_to(takes).as_posix() for clip in found.clips] == expected
    assert [path.name for path in found.ignored] == ["notes.txt"] and found.clips[2].folder == "day1"


def test_outputs_mirror_the_folder(takes, tmp_path):
    plan = make_plan(str(takes), str(tmp_path / "out"), None, Namespace())
    assert [path.relative_to(tmp_path / "out").as_posix() for task in plan.tasks for path in task.paths] == [
        "b2.npz", "b10.npz", "day1/walk.npz", "frames.npz", "json.npz", "keys.npz", "still.npz",
    ]  # fmt: skip
    assert plan.tasks[2].name == "day1/walk" and plan.tasks[2].source == str(takes / "day1" / "walk.avi")


def test_clips_of_one_name_are_told_apart(takes, tmp_path):
    (takes / "b2.mp4").touch()
    plan = make_plan(str(takes), str(tmp_path / "out"), None, Namespace())
    assert [task.paths[0].name for task in plan.tasks[:2]] == ["b2_MOV.npz", "b2_mp4.npz"]
    assert len({task.key for task in plan.tasks}) == len(plan.tasks)


def test_a_character_is_written_as_fbx_by_default(takes, tmp_path):
    (tmp_path / "hero.fbx").touch()
    plan = make_plan(str(takes), str(tmp_path / "out"), None, Namespace(rig=str(tmp_path / "hero.fbx"), preset="unreal"))
    assert {path.suffix for task in plan.tasks for path in task.paths} == {".fbx"}
    plan = make_plan(str(takes), str(tmp_path / "out"), None, Namespace(rig=str(tmp_path / "hero.fbx"), format=(".glb", ".npz")))
    assert [path.name for path in plan.tasks[0].paths] == ["b2.glb", "b2.npz"]


def test_outputs_inside_the_folder_are_no_clips(takes):
    (takes / "out").mkdir()
    (takes / "out" / "b2.npz").touch()
    plan = make_plan(str(takes), str(takes / "out"), None, Namespace())
    assert len(plan.tasks) == 7


@pytest.mark.parametrize(
    "words, expected", [([], "-o"), (["-o", "out", "--rig", "none.fbx"], "none.fbx"), (["-o", "out", "--name", "a"], "format")]
)
def test_wrong_usage_of_a_folder_is_one_message(takes, words, expected, capsys):
    assert program.main(["batch", str(takes), *words]) == 2
    (message,) = capsys.readouterr().err.splitlines()
    assert expected in message and not Path("out").exists()


def test_a_folder_without_clips_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no clip"):
        make_plan(str(tmp_path / "empty"), "out", None, Namespace())
