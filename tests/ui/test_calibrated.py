"""Calibrated people in the panel: their settings, the folders of exact surfaces, and which surfaces are deleted."""

import os
import shutil
import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import Failure, Result
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.files.point_cache import write_point_cache
from blender_meshrec.core.messages import Message
from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.scene.person.surface import SURFACE_MODIFIER
from blender_meshrec.ui import properties
from blender_meshrec.ui.jobs import jobs, scene_making, surface_files
from tests.support.blender_poses import pose_in_blender, vertices_in_blender
from tests.support.panel_drawing import draw_panel
from tests.support.synthetic_bodies import make_recovery, with_calibrated_joints

FRAMES = 6


@pytest.fixture
def exact(addon, monkeypatch):
    """Settings with footage, a method that calibrates, and the exact surface chosen."""
    monkeypatch.setattr(properties, "is_calibrated_method", lambda method: True)
    addon.source, addon.surface = "/walk.mp4", "EXACT"
    return addon


@pytest.fixture
def calibrating(backend, tubes, monkeypatch, tmp_path):
    """A function that makes the next job return two calibrated people and write their surfaces if the request has a prefix."""
    monkeypatch.setenv("MESHREC_CACHE", str(tmp_path / "cache"))
    count = len(tubes.v_template)
    recoveries = tuple(with_calibrated_joints(make_recovery(tubes, FRAMES, seed=seed, footage="/walk.mp4")) for seed in (0, 1))

    def prepare(*answers):
        client = backend(list(answers) or [Result(recoveries, (1, 2))])
        poll = client.poll

        def poll_and_write():
            prefix = backend.requests[-1].surface
            for number in (1, 2) if prefix and client.polls else ():
                write_point_cache(f"{prefix}.person{number}.pc2", count, FRAMES, [np.full((FRAMES, count, 3), number)])
            return poll()

        client.poll = poll_and_write
        return recoveries

    return prepare


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def bodies():
    return sorted((thing for thing in bpy.data.objects if SURFACE_MODIFIER in thing.modifiers), key=lambda thing: thing.name)


def test_stretch_and_surface_are_offered_only_if_calibrated(addon, monkeypatch):
    def offered():
        return {entry[2] for entry in draw_panel(bpy.types.MESHREC_PT_options) if entry[0] == "prop"} & {"stretch", "surface"}

    assert offered() == set()
    monkeypatch.setattr(properties, "is_calibrated_method", lambda method: True)
    assert offered() == {"stretch", "surface"}
    addon.skeleton = "skel"
    assert offered() == set()


def test_surface_is_requested_only_if_exact_and_calibrated(addon, calibrating, monkeypatch):
    monkeypatch.setattr(properties, "is_calibrated_method", lambda method: True)
    addon.source = "/walk.mp4"
    recoveries = calibrating()
    bpy.ops.meshrec.reconstruct()
    assert jobs.current.request.surface is None and not bodies()
    rig = bpy.data.objects["walk person1"]
    bpy.context.scene.frame_set(3)
    assert np.abs(pose_in_blender(rig, SMPL_JOINTS)[0] - recoveries[0].calibrated_joints[2]).max() < 1e-4  # m
    addon.stretch, addon.surface = False, "EXACT"
    monkeypatch.setattr(properties, "is_calibrated_method", lambda method: False)
    calibrating()
    bpy.ops.meshrec.reconstruct()
    assert jobs.current.request.surface is None and not bodies()
    assert {bone.inherit_scale for bone in bpy.data.objects["walk person1"].data.bones} == {"FULL"}


def test_unsaved_scene_adds_surfaces_to_the_cache(exact, calibrating, tmp_path):
    for run in (1, 2):
        calibrating()
        bpy.ops.meshrec.reconstruct()
        names = ["walk.person1.pc2", "walk.person2.pc2"]
        names += ["walk.001.person1.pc2", "walk.001.person2.pc2"] if run == 2 else []
        assert files(tmp_path / "cache" / "surfaces") == sorted(names)
        bpy.context.scene.frame_set(3)
        found = bodies()
        assert [float(np.median(vertices_in_blender(body))) for body in found] == [1, 2]
    assert all(Path(body.modifiers[SURFACE_MODIFIER].filepath).name.startswith("walk.001") for body in found)


def test_saved_scene_has_surfaces_beside_it(exact, calibrating, tmp_path):
    (tmp_path / "project" / "walk").mkdir(parents=True)  # a folder of that name does not matter
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    calibrating()
    bpy.ops.meshrec.reconstruct()
    assert files(tmp_path / "project") == ["a.blend", "walk.person1.pc2", "walk.person2.pc2"]
    assert [body.modifiers[SURFACE_MODIFIER].filepath for body in bodies()] == ["//walk.person1.pc2", "//walk.person2.pc2"]


def test_saving_copies_surfaces_out_of_the_cache(exact, calibrating, tmp_path):
    calibrating()
    bpy.ops.meshrec.reconstruct()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "walk.person1.pc2").write_text("the artist's own")
    in_cache = [body.modifiers[SURFACE_MODIFIER].filepath for body in bodies()]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "copy.blend"), copy=True)
    assert [body.modifiers[SURFACE_MODIFIER].filepath for body in bodies()] == in_cache  # the open scene itself is not saved
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    expected = ["a.blend", "copy.blend", "walk.person1.001.pc2", "walk.person1.pc2", "walk.person2.pc2"]
    assert files(tmp_path / "project") == expected
    for name in ("a.blend", "copy.blend"):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "project" / name))
        assert [body.modifiers[SURFACE_MODIFIER].filepath for body in bodies()] == ["//walk.person1.001.pc2", "//walk.person2.pc2"]
        bpy.context.scene.frame_set(3)
        assert [float(np.median(vertices_in_blender(body))) for body in bodies()] == [1, 2]


def test_surfaces_use_the_cache_folder_of_the_preferences(exact, calibrating, tmp_path, monkeypatch):
    chosen = [tmp_path / "one", tmp_path / "other"]
    monkeypatch.setattr(surface_files, "get_cache_folder", lambda context: str(chosen[0]))
    calibrating()
    bpy.ops.meshrec.reconstruct()
    assert files(tmp_path) == ["one/surfaces/walk.person1.pc2", "one/surfaces/walk.person2.pc2"]
    chosen.pop(0)
    (tmp_path / "project").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    assert [body.modifiers[SURFACE_MODIFIER].filepath for body in bodies()] == ["//walk.person1.pc2", "//walk.person2.pc2"]


def test_unused_unsaved_surfaces_are_deleted_at_the_end(exact, calibrating, tmp_path):
    def reconstruct_again():
        calibrating()
        bpy.ops.meshrec.reconstruct()

    reconstruct_again()
    reconstruct_again()
    assert len(files(tmp_path / "cache")) == 4
    surface_files.unregister()
    surface_files.register()
    assert files(tmp_path / "cache" / "surfaces") == ["walk.001.person1.pc2", "walk.001.person2.pc2"]  # the scene plays them
    project = tmp_path / "project"
    project.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "a.blend"))
    saved = files(project)
    reconstruct_again()  # the replaced surfaces of the saved scene stay: an older .blend may play them
    reconstruct_again()
    reconstruct_again()
    assert len(files(project)) == len(saved) + 6
    bpy.ops.wm.save_mainfile()
    surface_files.unregister()
    surface_files.register()
    playing = {Path(bpy.path.abspath(body.modifiers[SURFACE_MODIFIER].filepath)).name for body in bodies()}
    assert {name for name in files(project) if name.endswith(".pc2")} == {name for name in saved if name.endswith(".pc2")} | playing


def test_cached_surfaces_are_deleted_after_a_month(exact, calibrating, tmp_path):
    folder = tmp_path / "cache" / "surfaces"
    folder.mkdir(parents=True)
    for name, days in (("old.pc2", 31), ("new.pc2", 29)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - days * 86400,) * 2)
    calibrating()
    bpy.ops.meshrec.reconstruct()
    assert files(folder) == ["new.pc2", "walk.person1.pc2", "walk.person2.pc2"]


@pytest.mark.parametrize("how", ["a failure", "an exception while building", "cancelled"])
def test_no_surface_remains_without_a_result(exact, calibrating, tmp_path, monkeypatch, how):
    if how == "a failure":
        calibrating(Failure(3, Message("test-error.problem", "Nobody is here."), Message("test-error.remedy", "Choose other footage.")))
    else:
        calibrating()
    if how == "an exception while building":
        monkeypatch.setattr(scene_making, "assemble", lambda *_, **__: 1 / 0)
    if how == "cancelled":
        monkeypatch.setattr(jobs.Job, "update", lambda job: job.cancel())
        assert bpy.ops.meshrec.reconstruct() == {"CANCELLED"}
    else:
        with pytest.raises(RuntimeError):
            bpy.ops.meshrec.reconstruct()
    folder = tmp_path / "cache" / "surfaces"
    assert not list(folder.iterdir()) and not bodies()


def test_motion_is_imported_with_the_surface_beside_it(exact, tubes, tmp_path):
    recovery, count = with_calibrated_joints(make_recovery(tubes, FRAMES)), len(tubes.v_template)
    write_motion(tmp_path / "dance.npz", recovery)
    write_point_cache(tmp_path / "dance.pc2", count, FRAMES, [np.full((FRAMES, count, 3), 7.0)])
    bpy.ops.meshrec.import_motion(filepath=str(tmp_path / "dance.npz"))
    assert len(bodies()) == 1 and float(np.median(vertices_in_blender(bodies()[0]))) == 7


def test_export_warns_about_what_the_format_lacks(exact, calibrating, tmp_path, capfd):
    calibrating()
    bpy.ops.meshrec.reconstruct()
    bpy.ops.meshrec.export(filepath=str(tmp_path / "a.fbx"), file_format=".fbx")
    warnings = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Warning: .fbx")]
    assert ["moving bones" in line for line in warnings] == ["exact one" not in line for line in warnings] == [True, False, True, False]
