"""The add-on as a whole: registration, jobs from the request to the scene, imports, and the command line."""

import bpy
import numpy as np
import pytest

import blender_meshrec
from blender_meshrec.bridge.messages import Failure, Progress
from blender_meshrec.core import catalog
from blender_meshrec.core.errors import InputError
from blender_meshrec.core.files.motion_npz import write_motion
from blender_meshrec.core.messages import Message
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.ui import panels
from blender_meshrec.ui.jobs import jobs
from blender_meshrec.ui.properties import build_request
from tests.support.blender_keyframes import keys_of
from tests.support.blender_poses import pose_in_blender
from tests.support.panel_drawing import draw_panel, operators_drawn, visible_text
from tests.support.synthetic_bodies import motion_of


def registered():
    kinds = (bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    classes = {kind.__name__ for base in kinds for kind in base.__subclasses__() if "meshrec" in kind.__module__ and kind.is_registered}
    return classes, hasattr(bpy.types.Scene, "meshrec"), "reconstruct" in dir(bpy.ops.meshrec)


def test_unregistering_removes_everything_each_time():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for _ in range(2):
        blender_meshrec.register()
        classes, has_settings, has_operator = registered()
        assert {"Settings", "Preferences", "Reconstruct", "Cancel", "ImportMotion", "CopyDetails"} <= classes
        assert has_settings and has_operator
        blender_meshrec.unregister()
        assert registered() == (set(), False, False)
        assert jobs.current is None


def test_result_becomes_people_camera_and_matched_scene(addon, backend, result, tubes):
    addon.source, addon.person = "//somewhere/clip one.mp4", "ALL"
    backend([], [Progress("Looking", 3, 30)], [Progress("Fitting", 1, 2, "steps"), result])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    clip = bpy.data.collections["clip one"]
    assert [child.name for child in clip.children] == ["clip one person1", "clip one person2"]
    scene = bpy.context.scene
    assert (scene.render.fps, scene.frame_end, scene.render.resolution_x) == (25, 30, 1280)
    assert scene.camera is not None
    assert {thing.name for thing in bpy.context.selected_objects} == {"clip one person1", "clip one person2"}
    joints, _ = forward_kinematics(motion_of(result.recoveries[1], tubes))
    scene.frame_set(18)
    heads, _ = pose_in_blender(bpy.data.objects["clip one person2"], tubes.joint_names)
    assert np.abs(heads - joints[17]).max() < 1e-4
    assert jobs.current.notes[:2] == ("2 people, 30 frames.", "The clip is cut off.")
    assert any("no footage" in note for note in jobs.current.notes)


def test_unmatched_scene_keeps_its_rate_range_and_camera(addon, backend, result, tubes):
    addon.source, addon.match_scene = "/clip.mp4", False
    scene = bpy.context.scene
    before = (scene.render.fps, scene.frame_start, scene.frame_end, scene.render.resolution_x, scene.camera)
    backend([result])
    bpy.ops.meshrec.reconstruct()
    assert (scene.render.fps, scene.frame_start, scene.frame_end, scene.render.resolution_x, scene.camera) == before
    rig = bpy.data.objects["clip person1"]
    assert keys_of(rig, '["visible"]')[:, 0].tolist() == list(range(1, 29))  # 29 / 25 s at 24 fps
    joints, _ = forward_kinematics(motion_of(result.recoveries[0], tubes))
    scene.frame_set(25)  # at 1 s, as the footage's frame 26
    heads, _ = pose_in_blender(rig, tubes.joint_names)
    assert np.abs(heads - joints[25]).max() < 1e-4


def test_one_undo_removes_the_whole_result(addon, backend, result, tubes):
    addon.source = "/clip.mp4"
    bpy.ops.ed.undo_push(message="before")
    names = {thing.name for thing in bpy.data.objects}
    backend([result])
    assert bpy.ops.meshrec.reconstruct("EXEC_DEFAULT", True) == {"FINISHED"}
    assert len(bpy.data.objects) == len(names) + 5
    bpy.ops.ed.undo()
    assert {thing.name for thing in bpy.data.objects} == names
    assert "clip" not in bpy.data.collections
    bpy.ops.ed.redo()
    assert len(bpy.data.objects) == len(names) + 5


def test_failure_reports_problem_and_remedy_and_changes_nothing(addon, backend):
    addon.source = "/empty.mp4"
    backend(
        [Progress("Looking", 1, 9)],
        [
            Failure(
                3, Message("test-error.problem", "Nobody was found."), Message("test-error.remedy", "Choose other footage."), "at frame 4"
            )
        ],
    )
    with pytest.raises(RuntimeError, match=r"Nobody was found\. Choose other footage\."):
        bpy.ops.meshrec.reconstruct()
    job = jobs.current
    assert (job.error.problem, job.error.remedy, job.details) == ("Nobody was found.", "Choose other footage.", "at frame 4")
    assert not job.running
    assert not bpy.data.objects and "empty" not in bpy.data.collections
    bpy.ops.meshrec.copy_details()


def test_exception_while_building_leaves_no_partial_scene(addon, backend, result, tubes, monkeypatch):
    from blender_meshrec.scene import assemble

    addon.source = "/clip.mp4"
    monkeypatch.setattr(assemble, "build_camera", lambda *arguments: 1 / 0)
    backend([result])
    with pytest.raises(RuntimeError, match="Copy Details"):
        bpy.ops.meshrec.reconstruct()
    assert "ZeroDivisionError" in jobs.current.details
    assert not bpy.data.objects
    assert "clip" not in bpy.data.collections


def test_one_job_runs_at_a_time_and_can_be_cancelled(addon, backend, result):
    addon.source = "/clip.mp4"
    client = backend()
    job = jobs.start(build_request(addon))
    assert not bpy.ops.meshrec.reconstruct.poll()
    with pytest.raises(InputError):
        jobs.start(build_request(addon))
    assert bpy.ops.meshrec.cancel() == {"FINISHED"}
    assert client.cancelled and not job.running and job.error is None
    assert not bpy.ops.meshrec.cancel.poll()
    backend([result])
    assert bpy.ops.meshrec.reconstruct.poll()


def test_unregistering_cancels_the_running_job(backend):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_meshrec.register()
    bpy.context.scene.meshrec.source = "/clip.mp4"
    client = backend()
    jobs.start(build_request(bpy.context.scene.meshrec))
    blender_meshrec.unregister()
    assert client.cancelled


def test_reconstruct_is_disabled_without_footage(addon):
    assert not bpy.ops.meshrec.reconstruct.poll()


def test_request_has_the_values_of_the_settings(addon):
    addon.source = "/footage/clip.mp4"
    request = build_request(addon)
    assert (request.source, request.person, request.frames, request.body) == ("/footage/clip.mp4", "largest", None, "open")
    addon.person, addon.person_number = "ONE", 3
    addon.use_range, addon.first_frame, addon.last_frame = True, 11, 20
    addon.body, addon.smoothing, addon.contacts, addon.device = "/models/SMPL_NEUTRAL.pkl", 0.0, False, "cpu"
    request = build_request(addon, cache="/cache")
    assert (request.person, request.frames, request.body) == ("3", (10, 20), "/models/SMPL_NEUTRAL.pkl")
    assert (request.smoothing, request.contacts, request.device, request.cache) == (0.0, False, "cpu", "/cache")


@pytest.mark.parametrize("role, name", [("detector", "detector"), ("estimator", "method")])
def test_menus_list_the_catalogue(addon, role, name):
    offered = [item.identifier for item in addon.bl_rna.properties[name].enum_items]
    assert offered == ["auto", *(entry.name for entry in catalog.catalog_entries(role))]


def test_motion_file_is_imported_as_a_person(addon, result, tubes, tmp_path):
    write_motion(tmp_path / "walk.npz", result.recoveries[0])
    assert bpy.ops.meshrec.import_motion(filepath=str(tmp_path / "walk.npz")) == {"FINISHED"}
    assert "walk person1" in bpy.data.objects
    (tmp_path / "bad.npz").write_bytes(b"not a zip")
    with pytest.raises(RuntimeError, match=r"cannot be read as a motion file.*Choose"):
        bpy.ops.meshrec.import_motion(filepath=str(tmp_path / "bad.npz"))


def test_panel_shows_progress_then_the_error(addon, backend, result):
    addon.source = "/clip.mp4"
    assert "meshrec.reconstruct" in operators_drawn(draw_panel(panels.MainPanel))
    backend(
        [Progress("Load models", 0, 0)],
        [Progress("Looking", 3, 30)],
        [
            Failure(
                3,
                Message("test-error.problem", "Nobody was found in this long and winding clip."),
                Message("test-error.remedy", "Choose other footage."),
            )
        ],
    )
    job = jobs.start(build_request(addon))
    assert job.text == "Starting"
    job.update()
    assert job.text == "Load models"
    job.update()
    drawn = draw_panel(panels.MainPanel)
    assert ("progress", "Looking: 3 of 30 frames", 0.1) in drawn
    assert "meshrec.cancel" in operators_drawn(drawn) and "meshrec.reconstruct" not in operators_drawn(drawn)
    job.update()
    drawn = draw_panel(panels.MainPanel)
    assert "Nobody was found in this long and winding clip. Choose other footage." in visible_text(drawn)


def test_blender_command_runs_the_command_line_program(addon, monkeypatch):
    import sys
    import types

    from blender_meshrec import ui

    received = []
    stub_cli = types.SimpleNamespace(main=lambda arguments: received.append(arguments) or 3)
    monkeypatch.setitem(sys.modules, "blender_meshrec.cli", stub_cli)
    monkeypatch.setattr(blender_meshrec, "cli", stub_cli, raising=False)
    assert ui._command(("doctor", "--debug")) == 3
    assert received == [["doctor", "--debug"]]


@pytest.mark.parametrize("up", ["auto", "y"])
def test_motions_of_other_software_are_imported(addon, tmp_path, up):
    """A person of an AMASS file who lies, with z up as the format says; stands if the artist says that y is up."""
    np.savez(tmp_path / "lies.npz", poses=np.zeros((5, 156)), trans=np.tile([0, 0.22, 0.09], (5, 1)), mocap_framerate=30.0)
    before = set(bpy.data.objects)
    assert bpy.ops.meshrec.import_motion(filepath=str(tmp_path / "lies.npz"), up=up) == {"FINISHED"}
    (armature,) = (found for found in set(bpy.data.objects) - before if found.type == "ARMATURE")
    bpy.context.view_layer.update()
    heights = [(armature.matrix_world @ bone.head).z for bone in armature.pose.bones]
    assert (max(heights) - min(heights) > 1.2) == (up == "y")  # m
