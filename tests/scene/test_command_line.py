"""`blender --command meshrec`: the same command line, making scenes in this very Blender."""

import bpy
import pytest

from blender_meshrec import cli
from blender_meshrec.bridge import making
from blender_meshrec.cli_commands import outputs
from blender_meshrec.core.motion_file import write_motion
from blender_meshrec.scene import export
from tests.people import recovered, tube_man


@pytest.fixture
def motion(tmp_path):
    write_motion(tmp_path / "walk.npz", recovered(tube_man(posedirs=False), frames=5, fps=25.0))
    return str(tmp_path / "walk.npz")


def test_scenes_are_made_here_and_not_in_a_child(motion, tmp_path, monkeypatch):
    monkeypatch.setattr(making.subprocess, "Popen", lambda *_, **__: pytest.fail("a child was started"))
    for suffix in outputs.FORMATS:
        assert cli.main(["convert", motion, "-o", str(tmp_path / f"a{suffix}")]) == 0
        assert (tmp_path / f"a{suffix}").stat().st_size > 1000  # bytes
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert any(thing.type == "ARMATURE" for thing in bpy.data.objects)


def test_exit_codes_are_the_same(motion, tmp_path, capsys):
    assert cli.main(["convert", motion, "-o", str(tmp_path / "a.fbx"), "--preset", "maya"]) == 2
    assert cli.main(["convert", motion, "-o", "/proc/nowhere/a.fbx"]) == 5
    assert cli.main(["convert", motion, "-o", str(tmp_path / "a.fbx"), "--body", "nowhere.pkl"]) == 4
    assert not (tmp_path / "a.fbx").exists()


def test_the_command_line_offers_what_scenes_can_do():
    assert outputs.PRESETS == export.PRESETS
    assert set(outputs.FORMATS) == {*export.WRITERS, ".bvh", ".npz"}
