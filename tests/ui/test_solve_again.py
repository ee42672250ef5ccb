"""Solve Again: edited contacts reach the backend, and its answer becomes a new action of the same armature."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import Failure, ReconstructRequest, Result, request_from_text, request_to_text
from blender_meshrec.core.messages import Message
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.edited_contacts import read_edited_contacts
from blender_meshrec.scene.keyframes import action_fcurves
from blender_meshrec.ui import jobs
from tests.support.blender_poses import pose_in_blender
from tests.support.panel_drawing import draw_panel, operators_drawn
from tests.support.synthetic_bodies import motion_of


@pytest.fixture
def scene(addon, backend, result, tubes):
    """A scene with two reconstructed people, the second one active."""
    addon.source, addon.person, addon.height = "/clip.mp4", "ALL", 180.0
    backend([result])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    bpy.context.view_layer.objects.active = bpy.data.objects["clip person2"]
    return bpy.data.objects["clip person2"]


def curve_of(armature, name):
    action = armature.animation_data.action
    return next(fcurve for fcurve in action_fcurves(action, armature) if fcurve.data_path == f'["{name}"]')


def set_contact(armature, name, rows, value):
    curve = curve_of(armature, name)
    for row in rows:
        curve.keyframe_points[row].co.y = value
    curve.update()


def solved(result):
    """The result with the people 10 cm farther to the side."""
    moved = [replace(r, trans=r.trans + [0.1, 0, 0], joints=r.joints + np.float32([0.1, 0, 0])) for r in result.recoveries]
    return Result(tuple(moved), result.people, result.report, result.portraits)


def with_files_read(backend, monkeypatch, *polls):
    """A backend that keeps the content of the request's files, which are removed after the job."""
    backend(*polls)
    start, read = jobs.start_client, []

    def start_and_read(request, python):
        read.extend(dict(np.load(path)) for path in request.known_contacts)
        return start(request, python)

    monkeypatch.setattr(jobs, "start_client", start_and_read)
    return read


def test_only_edited_contacts_are_certain(scene):
    assert np.isnan(read_edited_contacts(scene).contacts).all()
    found = [key.co.y for key in curve_of(scene, "contact_left_heel").keyframe_points]
    set_contact(scene, "contact_left_heel", range(3, 8), 0.0 if found[3] > 0.5 else 1.0)
    edited = read_edited_contacts(scene).contacts
    rows = np.flatnonzero(~np.isnan(edited[:, 0]))
    assert set(rows) <= set(range(3, 8)) and 3 in rows
    assert edited[3, 0] == (found[3] <= 0.5)
    assert np.isnan(edited[:, 1:]).all()


def test_the_answer_becomes_a_new_action_and_the_old_one_stays(scene, backend, result, tubes, monkeypatch):
    set_contact(scene, "contact_right_toe", range(5, 10), 1.0)
    edited = read_edited_contacts(scene).contacts
    old, objects, camera = scene.animation_data.action, len(bpy.data.objects), bpy.context.scene.camera
    read = with_files_read(backend, monkeypatch, [solved(result)])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    request = backend.requests[-1]
    assert request.source == "/clip.mp4" and request.person == "all" and request.contacts
    assert request.focal == f"{result.recoveries[0].camera_intrinsics[0, 0]:.2f}px"  # the camera stays
    assert request.height is None and request.betas == request.known_contacts and len(request.betas) == 2
    np.testing.assert_array_equal(read[1]["contacts"], edited)
    np.testing.assert_allclose(read[1]["betas"], result.recoveries[1].betas, atol=1e-6)
    assert np.isnan(read[0]["contacts"]).all()
    new = scene.animation_data.action
    assert new is not old and old.use_fake_user and old.name in bpy.data.actions
    assert len(bpy.data.objects) == objects and bpy.context.scene.camera is camera
    bpy.context.scene.frame_set(18)
    heads, _ = pose_in_blender(scene, tubes.joint_names)
    joints, _ = forward_kinematics(motion_of(solved(result).recoveries[1], tubes))
    assert np.abs(heads - joints[17]).max() < 1e-4  # m
    assert "edited contacts" in jobs.current.notes[0]


def test_what_was_edited_once_stays_edited(scene, backend, result):
    """The answer's own contacts are the edited ones, and yet a second solve still takes them for certain."""
    set_contact(scene, "contact_right_toe", range(5, 10), 1.0)
    before = read_edited_contacts(scene).contacts
    contacts = np.where(np.isnan(before), result.recoveries[1].contacts, before)
    backend([replace(result, recoveries=(result.recoveries[0], replace(result.recoveries[1], contacts=contacts)))])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    after = read_edited_contacts(scene).contacts
    np.testing.assert_array_equal(after[~np.isnan(before)], before[~np.isnan(before)])


def test_a_failure_changes_nothing(scene, backend):
    old = scene.animation_data.action
    backend([Failure(2, Message("gone.problem", "The clip is gone."), Message("gone.remedy", "Bring it back."))])
    with pytest.raises(RuntimeError, match="The clip is gone"):
        bpy.ops.meshrec.solve_again()
    assert scene.animation_data.action is old


def test_another_shape_changes_nothing(scene, backend, result):
    old = scene.animation_data.action
    other = tuple(replace(recovery, betas=recovery.betas + 1) for recovery in result.recoveries)
    backend([replace(result, recoveries=other)])
    with pytest.raises(RuntimeError, match="another shape"):
        bpy.ops.meshrec.solve_again()
    assert scene.animation_data.action is old


def test_an_action_of_something_else_is_named(scene, backend):
    scene.animation_data.action = bpy.data.actions.new("wave")
    with pytest.raises(RuntimeError, match="not that of a result"):
        bpy.ops.meshrec.solve_again()


def test_the_button_is_in_the_result_section(scene):
    from blender_meshrec.ui.result_panel import ResultPanel

    assert "meshrec.solve_again" in operators_drawn(draw_panel(ResultPanel))


def test_an_imported_result_cannot_be_solved_again(scene):
    del bpy.data.collections["clip"]["meshrec_request"]
    assert not bpy.ops.meshrec.solve_again.poll()


def test_a_request_survives_as_text():
    request = ReconstructRequest("/a.mp4", frames=(3, None), refine=("a", "b"), height=(180.0, 165.0), betas=("/x.npz",))
    assert request_from_text(request_to_text(request)) == request


def test_the_panel_gives_height_and_betas(addon):
    from blender_meshrec.ui.properties import build_request

    addon.source = "/clip.mp4"
    assert (build_request(addon).height, build_request(addon).betas) == (None, ())
    addon.height, addon.betas = 171.5, "/tall.npz"
    assert (build_request(addon).height, build_request(addon).betas) == (pytest.approx(171.5), ("/tall.npz",))
