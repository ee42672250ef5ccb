"""Solve Again: corrections reach the backend, its answer becomes a new take of the same armature, and what was not corrected stays."""

import json
from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import Failure, ReconstructRequest, Result, request_from_text, request_to_text
from blender_meshrec.core.body_contacts import CONTACT_PARTS
from blender_meshrec.core.corrections import BadRange, Pin
from blender_meshrec.core.files.corrections import read_corrections
from blender_meshrec.core.files.motion_npz import read_motion
from blender_meshrec.core.messages import Message
from blender_meshrec.core.motion import forward_kinematics
from blender_meshrec.scene.corrections.contact_channels import read_contacts, set_contact
from blender_meshrec.scene.corrections.corrections import get_corrections, set_corrections, stored_corrections_file
from blender_meshrec.scene.corrections.edited_contacts import read_edited_contacts
from blender_meshrec.scene.motion.keyframes import action_fcurves
from blender_meshrec.scene.takes.takes import FRAME_CONFIDENCE, takes_of
from blender_meshrec.ui.correct.correction_panel import CorrectionPanel
from blender_meshrec.ui.jobs import jobs
from tests.support.blender_poses import pose_in_blender
from tests.support.panel_drawing import draw_panel, operators_drawn, visible_text
from tests.support.synthetic_bodies import motion_of


@pytest.fixture
def scene(addon, backend, result, tubes):
    """A scene with two reconstructed people, the second one active."""
    addon.source, addon.person, addon.height = "/clip.mp4", "ALL", 180.0
    backend([with_footage(result)])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    bpy.context.view_layer.objects.active = bpy.data.objects["clip person2"]
    return bpy.data.objects["clip person2"]


def with_footage(result):
    return replace(result, recoveries=tuple(replace(recovery, footage="/clip.mp4", first_frame=7) for recovery in result.recoveries))


def curves_of(armature):
    return {(c.data_path, c.array_index): c for c in action_fcurves(armature.animation_data.action, armature)}


def rows_of(edited, part):
    return np.flatnonzero(~np.isnan(edited[:, CONTACT_PARTS.index(part)])).tolist()


def flipped(armature, part, first, last):
    """Switch a contact on where it is off, in a range of rows; returns the state."""
    state = not read_contacts(armature, [first + 1])[0, CONTACT_PARTS.index(part)]
    set_contact(armature, part, first + 1, last + 1, state)
    return state


def solved(result):
    """The result with the people 10 cm farther to the side."""
    moved = [replace(r, trans=r.trans + [0.1, 0, 0], joints=r.joints + np.float32([0.1, 0, 0])) for r in with_footage(result).recoveries]
    return Result(tuple(moved), result.people, result.report, result.portraits)


def with_files_read(backend, monkeypatch, *polls):
    """A backend that keeps the content of the request's files, which are removed after the job."""
    backend(*polls)
    start, read = jobs.start_client, {}

    def start_and_read(request, python):
        read["corrections"] = read_corrections(request.corrections)
        read["motions"] = [read_motion(person.earlier) for person in read["corrections"].people]
        return start(request, python)

    monkeypatch.setattr(jobs, "start_client", start_and_read)
    return read


def test_only_edited_contacts_are_certain(scene):
    assert np.isnan(read_edited_contacts(scene).contacts).all()
    state = flipped(scene, "left_heel", 3, 7)
    edited = read_edited_contacts(scene).contacts
    assert 3 in rows_of(edited, "left_heel") and set(rows_of(edited, "left_heel")) <= set(range(3, 8))
    assert edited[3, 0] == float(state)
    assert np.isnan(edited[:, 1:]).all()


def test_the_answer_becomes_a_new_take_and_the_rest_stays(scene, backend, result, tubes, monkeypatch):
    set_contact(scene, "right_toe", 6, 10, True)
    edited = read_edited_contacts(scene).contacts
    old, objects, camera = scene.animation_data.action, len(bpy.data.objects), bpy.context.scene.camera
    other = bpy.data.objects["clip person1"].animation_data.action
    elbow = curves_of(scene)['pose.bones["left_elbow"].rotation_quaternion', 1]
    elbow.keyframe_points[29].co.y = 0.123  # an artist's key, far from what is corrected
    set_corrections(scene, replace(get_corrections(scene), pins=(Pin(15, "left_wrist", (500.0, 300.0)),)))
    read = with_files_read(backend, monkeypatch, [solved(result)])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    request = backend.requests[-1]
    assert request.source == "/clip.mp4" and request.person == "all" and request.contacts
    assert request.focal == f"{result.recoveries[0].camera_intrinsics[0, 0]:.2f}px"  # the camera stays
    assert request.height is None and len(request.betas) == 2 and request.known_contacts == ()
    corrected = read["corrections"].of_person(2)
    assert corrected.pins == (Pin(15, "left_wrist", (500.0, 300.0)),)
    rows = rows_of(edited, "right_toe")
    assert {frame for span in corrected.contacts for frame in range(span.first, span.last + 1)} == {7 + row for row in rows}
    assert not read["corrections"].of_person(1) and read["motions"][0].first_frame == 7
    expected = motion_of(result.recoveries[1], tubes)
    written = motion_of(read["motions"][1], tubes)
    assert np.abs(forward_kinematics(written)[0] - forward_kinematics(expected)[0])[:25].max() < 1e-4  # m; the elbow was moved in row 29
    new = scene.animation_data.action
    assert new is not old and takes_of(scene)[-2:] == [old, new] and not old.use_fake_user
    assert bpy.data.objects["clip person1"].animation_data.action is other  # nothing of theirs was corrected
    assert len(bpy.data.objects) == objects and bpy.context.scene.camera is camera
    joints, _ = forward_kinematics(motion_of(solved(result).recoveries[1], tubes))
    for row, shift in ((8, 0.0), (7, 0.0), (29, None)):
        bpy.context.scene.frame_set(row + 1)
        heads, _ = pose_in_blender(scene, tubes.joint_names)
        if shift is not None:
            assert np.abs(heads - joints[row]).max() < 1e-4  # m, solved
    assert curves_of(scene)['pose.bones["left_elbow"].rotation_quaternion', 1].keyframe_points[29].co.y == pytest.approx(0.123, abs=1e-6)
    before, _ = forward_kinematics(motion_of(result.recoveries[1], tubes))
    bpy.context.scene.frame_set(29)
    assert np.abs(pose_in_blender(scene, tubes.joint_names)[0] - before[28]).max() < 1e-4  # not solved
    assert "1 pins" in jobs.current.notes[0]


def test_what_was_doubtful_stays_so_where_the_motion_stays(scene, backend, result):
    old = scene.animation_data.action
    old[FRAME_CONFIDENCE] = np.full(len(old[FRAME_CONFIDENCE]), 0.3).tolist()
    set_corrections(scene, replace(get_corrections(scene), pins=(Pin(15, "left_wrist", (500.0, 300.0)),)))
    answer = solved(result)
    sure = tuple(replace(recovery, confidence=np.ones_like(recovery.confidence)) for recovery in answer.recoveries)
    backend([replace(answer, recoveries=sure)])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    confidence = np.array(scene.animation_data.action[FRAME_CONFIDENCE]).reshape(-1, 24)
    assert (confidence[8] == 1.0).all()  # of footage frame 15, which was solved
    assert (confidence[25:] == 0.3).all()


def test_what_was_edited_once_stays_edited(scene, backend, result):
    """The answer's own contacts are the edited ones, and yet a second solve still takes them for certain."""
    set_contact(scene, "right_toe", 6, 10, True)
    set_contact(scene, "left_hand", 6, 10, True)
    before = read_edited_contacts(scene).contacts
    backend([with_footage(result)])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    after = read_edited_contacts(scene).contacts
    np.testing.assert_array_equal(after[~np.isnan(before)], before[~np.isnan(before)])
    assert rows_of(after, "left_hand") == rows_of(before, "left_hand") != []


def test_corrections_lie_beside_the_file_and_survive_a_new_reconstruction(scene, backend, result, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.context.scene.frame_set(9)
    assert bpy.ops.meshrec.pin_joint(joint="left_wrist", x=400.0, y=200.0) == {"FINISHED"}
    assert bpy.ops.meshrec.mark_bad(part="left_arm", first=5, last=12) == {"FINISHED"}
    set_contact(scene, "right_toe", 6, 10, True)
    edited = read_edited_contacts(scene).contacts
    file = tmp_path / "clip.corrections.json"
    content = json.loads(file.read_text())
    assert content["people"][0]["pins"] == [{"frame": 15, "joint": "left_wrist", "pixel": [400.0, 200.0]}]
    assert content["people"][0]["bad"] == [{"first": 11, "last": 18, "part": "left_arm"}]
    backend([with_footage(result)])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    assert backend.requests[-1].corrections == str(file)
    saved = read_corrections(file).of_person(2)
    assert saved.pins and saved.bad and saved.contacts  # the edit on the channel was saved before the reconstruction
    again = bpy.data.objects["clip person2"]
    assert get_corrections(again).bad == (BadRange(11, 18, "left_arm"),)
    np.testing.assert_array_equal(read_edited_contacts(again).contacts, edited)


def test_corrections_of_an_unsaved_file_are_found_later(scene, backend, result):
    bpy.context.scene.frame_set(9)
    bpy.ops.meshrec.pin_joint(joint="left_wrist", x=400.0, y=200.0)
    assert stored_corrections_file("/clip.mp4") is not None
    bpy.ops.wm.read_factory_settings(use_empty=True)
    settings = bpy.context.scene.meshrec
    settings.source, settings.person = "/clip.mp4", "ALL"
    backend([with_footage(result)])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    assert read_corrections(backend.requests[-1].corrections).of_person(2).pins
    assert get_corrections(bpy.data.objects["clip person2"]).pins == (Pin(15, "left_wrist", (400.0, 200.0)),)


def test_corrections_are_listed_and_taken_back(scene):
    bpy.context.scene.frame_set(9)
    bpy.ops.meshrec.pin_joint(joint="left_wrist", x=400.0, y=200.0)
    bpy.ops.meshrec.mark_bad(part="left_arm", first=5, last=12)
    with pytest.raises(RuntimeError, match="ends before"):
        bpy.ops.meshrec.mark_bad(part="left_arm", first=12, last=5)
    text = visible_text(draw_panel(CorrectionPanel))
    assert "Left Arm: 5 to 12" in text and "Left Wrist: frame 9" in text
    assert {"meshrec.drag_joint", "meshrec.pin_pose", "meshrec.mark_bad", "meshrec.solve_again"} <= set(
        operators_drawn(draw_panel(CorrectionPanel))
    )
    bpy.ops.meshrec.remove_correction(kind="PIN", index=0)
    assert not get_corrections(scene).pins and get_corrections(scene).bad
    bpy.ops.meshrec.remove_correction(kind="ALL")
    assert not get_corrections(scene)


def test_a_posed_limb_is_pinned_in_the_picture_and_in_depth(scene, result):
    from blender_meshrec.core.cameras import project, transform_points

    bpy.context.scene.frame_set(9)
    for bone in scene.pose.bones:
        select = bone.bone if bpy.app.version < (5, 0, 0) else bone
        select.select = bone.name == "left_elbow"
    assert bpy.ops.meshrec.pin_pose() == {"FINISHED"}
    pins = {pin.joint: pin for pin in get_corrections(scene).pins}
    assert pins.keys() == {"left_elbow", "left_wrist"} and pins["left_wrist"].frame == 15
    recovery = result.recoveries[1]
    seen = transform_points(recovery.camera_from_world, recovery.joints[:, [20]].astype(float))[8, 0]
    assert np.abs(np.array(pins["left_wrist"].pixel) - project(seen[None], recovery.camera_intrinsics)[0]).max() < 0.05  # px
    assert pins["left_wrist"].depth == pytest.approx(seen[2], abs=1e-3)


def test_a_ray_of_blenders_camera_is_a_pixel_of_the_footage():
    from blender_meshrec.ui.correct.correction_operators import pixel_of_ray

    intrinsics = np.array([[900.0, 0, 655.0], [0, 900.0, 330.0], [0, 0, 1]])
    assert pixel_of_ray(intrinsics, np.array([0.2, 0.1, -2.0])) == pytest.approx((745.0, 285.0))


def test_a_failure_changes_nothing(scene, backend):
    old = scene.animation_data.action
    backend([Failure(2, Message("gone.problem", "The clip is gone."), Message("gone.remedy", "Bring it back."))])
    with pytest.raises(RuntimeError, match="The clip is gone"):
        bpy.ops.meshrec.solve_again()
    assert scene.animation_data.action is old


def test_another_shape_changes_nothing(scene, backend, result):
    old = scene.animation_data.action
    set_contact(scene, "right_toe", 6, 10, True)
    other = tuple(replace(recovery, betas=recovery.betas + 1) for recovery in result.recoveries)
    backend([replace(result, recoveries=other)])
    with pytest.raises(RuntimeError, match="another shape"):
        bpy.ops.meshrec.solve_again()
    assert scene.animation_data.action is old


def test_an_action_of_something_else_is_named(scene, backend):
    scene.animation_data.action = bpy.data.actions.new("wave")
    with pytest.raises(RuntimeError, match="not that of a result"):
        bpy.ops.meshrec.solve_again()


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


@pytest.mark.parametrize("layer", [False, True])
def test_a_capture_in_a_strip_is_corrected_where_the_strip_lies(scene, backend, result, tubes, monkeypatch, layer):
    """The strip was moved by 100 frames; its new take lies there too, below the layer of corrections."""
    bpy.ops.object.select_all(action="DESELECT")
    scene.select_set(True)
    old = scene.animation_data.action
    assert bpy.ops.meshrec.capture_to_strip() == {"FINISHED"}
    (strip,) = scene.animation_data.nla_tracks[0].strips
    strip.frame_start += 100
    if layer:
        assert bpy.ops.meshrec.add_corrections() == {"FINISHED"}
        scene.animation_data.use_tweak_mode = False
    bpy.context.scene.frame_set(100 + 16)
    assert bpy.ops.meshrec.pin_joint(joint="left_wrist", x=500.0, y=300.0) == {"FINISHED"}
    assert get_corrections(scene).pins == (Pin(7 + 15, "left_wrist", (500.0, 300.0)),)
    assert bpy.ops.meshrec.toggle_contact(part="right_toe", extent="FROM_HERE") == {"FINISHED"}
    assert 15 in rows_of(read_edited_contacts(scene).contacts, "right_toe")
    read = with_files_read(backend, monkeypatch, [solved(result)])
    assert bpy.ops.meshrec.solve_again() == {"FINISHED"}
    assert 7 + 15 in {frame for span in read["corrections"].of_person(2).contacts for frame in range(span.first, span.last + 1)}
    new = takes_of(scene)[-1]
    assert new is not old and strip.action == new and scene.animation_data.action is None
    assert strip.frame_start == 101 and strip.action_frame_start == 1
    joints, _ = forward_kinematics(motion_of(solved(result).recoveries[1], tubes))
    before, _ = forward_kinematics(motion_of(result.recoveries[1], tubes))
    for row, expected in ((15, joints), (28, before)):
        bpy.context.scene.frame_set(100 + 1 + row)
        assert np.abs(pose_in_blender(scene, tubes.joint_names)[0] - expected[row]).max() < 1e-4  # m
