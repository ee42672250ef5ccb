"""`blender --command meshrec`: the same command line, which makes scenes in the running Blender."""

import subprocess
import sys

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge import scene_process
from blender_meshrec.cli import program
from blender_meshrec.core.files.body_template import load_body
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.option_choices import EXPORT_PRESET_NAMES, OUTPUT_SUFFIXES
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.scene.export import export, export_fbx
from blender_meshrec.scene.person.surface import SURFACE_MODIFIER
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.synthetic_bodies import make_recovery, make_tube_body, with_calibrated_joints


@pytest.fixture
def motion(tmp_path):
    write_motion(tmp_path / "walk.npz", make_recovery(make_tube_body(posedirs=False), frames=5, fps=25.0))
    return str(tmp_path / "walk.npz")


def test_scenes_are_made_without_a_child_process(motion, tmp_path, monkeypatch):
    class NoChild(subprocess.Popen):
        def __init__(self, *_, **__):
            pytest.fail("a child was started")

    monkeypatch.setattr(scene_process.subprocess, "Popen", NoChild)
    for suffix in OUTPUT_SUFFIXES:
        assert program.main(["convert", motion, "-o", str(tmp_path / f"a{suffix}")]) == 0
        assert (tmp_path / f"a{suffix}").stat().st_size > 1000  # bytes
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert any(obj.type == "ARMATURE" for obj in bpy.data.objects)


@pytest.fixture
def calibrated_motion(tmp_path):
    """A calibrated motion file of the open body with a point cache of its exact surface; its Recovery and the surface."""
    recovery = with_calibrated_joints(make_recovery(make_tube_body(posedirs=False), frames=5, fps=25.0))
    write_motion(tmp_path / "dance.npz", recovery)
    vertices = load_body("open").v_template
    surface = vertices + np.arange(5.0)[:, None, None]
    write_point_cache(tmp_path / "dance.pc2", len(vertices), 5, [surface])
    return tmp_path / "dance.npz", recovery, surface


@pytest.mark.parametrize("child", [False, True], ids=["here", "in a child"])
def test_a_blend_keeps_its_exact_surface_when_moved(calibrated_motion, tmp_path, child):
    motion, recovery, surface = calibrated_motion
    words = ["--blender", sys.executable] if child else []
    assert program.main(["convert", str(motion), "-o", str(tmp_path / "out" / "a.blend"), "--surface", "exact", *words]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.blend", "a.pc2"]
    motion.with_suffix(".pc2").unlink()
    (tmp_path / "out").rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "a.blend"))
    rig, body = (next(obj for obj in bpy.data.objects if obj.type == kind) for kind in ("ARMATURE", "MESH"))
    assert body.modifiers[SURFACE_MODIFIER].filepath == "//a.pc2"
    for row in (0, 3):
        bpy.context.scene.frame_set(1 + row)
        assert np.abs(vertices_in_blender(body) - surface[row]).max() < 1e-4  # m
        assert np.abs(pose_in_blender(rig, SMPL_JOINTS)[0] - recovery.calibrated_joints[row]).max() < 1e-4


def test_no_stretch_applies_in_a_child_process(calibrated_motion, tmp_path, capsys):
    motion, recovery, _ = calibrated_motion
    for name, words in (("a.fbx", []), ("b.fbx", ["--no-stretch"])):
        assert program.main(["convert", str(motion), "-o", str(tmp_path / name), "--blender", sys.executable, *words]) == 0
        assert ("moving bones" in capsys.readouterr().err) == (not words)
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.context.scene.render.fps = 25
        bpy.ops.import_scene.fbx(filepath=str(tmp_path / name))
        bpy.context.scene.frame_set(3)
        rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
        off = np.abs(pose_in_blender(rig, SMPL_JOINTS)[0] - recovery.calibrated_joints[2]).max()
        assert off > 0.01 if words else off < 1e-4  # m


def test_exit_codes_are_those_of_the_command_line(motion, tmp_path, capsys):
    assert program.main(["convert", motion, "-o", str(tmp_path / "a.fbx"), "--preset", "maya"]) == 2
    assert program.main(["convert", motion, "-o", "/proc/nowhere/a.fbx"]) == 5
    assert program.main(["convert", motion, "-o", str(tmp_path / "a.fbx"), "--body", "nowhere.pkl"]) == 4
    assert not (tmp_path / "a.fbx").exists()


def test_presets_and_formats_match_those_of_export():
    assert set(EXPORT_PRESET_NAMES) == set(export_fbx.FBX_AXES)
    assert set(OUTPUT_SUFFIXES) == {*export.WRITERS, ".bvh", ".npz"}
