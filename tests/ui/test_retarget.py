"""The Retarget section: its buttons make an action from two armatures of a scene."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.ui.retarget import retarget_panel, retarget_preview
from scripts.bench.retarget import build_character
from tests.support.panel_drawing import RecordingLayout, draw_panel, operators_drawn, visible_text
from tests.support.synthetic_bodies import make_recovery, make_tube_body

REQUIRED_SLOTS = {"hips", "head", "left_upper_leg", "right_lower_arm", "left_foot", "right_toes"}


@pytest.fixture
def scene(addon):
    """The retargeting settings, with a moving person and a character at rest chosen."""
    made = assemble([Person("anna", make_recovery(make_tube_body(), 20), make_tube_body())], "clip")
    settings = bpy.context.scene.meshrec_retarget
    settings.source, settings.target = made.armatures[0], build_character("hero")
    bpy.context.view_layer.update()
    return settings


def pose_of(rig):
    return np.array([bone.matrix_basis for bone in rig.pose.bones])


def test_buttons_are_disabled_without_their_inputs(addon):
    assert not bpy.ops.meshrec.retarget.poll() and not bpy.ops.meshrec.map_bones.poll()
    settings = bpy.context.scene.meshrec_retarget
    settings.target = build_character("hero")
    assert bpy.ops.meshrec.map_bones.poll() and not bpy.ops.meshrec.retarget.poll()
    settings.source = settings.target
    assert not bpy.ops.meshrec.retarget.poll()


def test_retarget_maps_bones_and_keys_an_action(scene):
    assert bpy.ops.meshrec.retarget() == {"FINISHED"}
    assert {row.name for row in scene.rows} >= REQUIRED_SLOTS
    action = scene.target.animation_data.action
    assert action is not None and action is not scene.source.animation_data.action
    bpy.context.scene.frame_set(1)
    before = pose_of(scene.target)
    bpy.context.scene.frame_set(15)
    assert np.abs(pose_of(scene.target) - before).max() > 0.05
    assert scene.result


def test_keys_lie_where_those_of_the_source_lie(scene):
    """A shot whose frames begin at 1001; the source is an armature that its object moves."""
    source = build_character("double")
    for frame, distance in ((1001, 0.0), (1040, -3.0)):
        source.location.y = distance
        source.keyframe_insert("location", frame=frame)
    timeline = bpy.context.scene
    timeline.frame_start, timeline.frame_end, timeline.render.fps = 1001, 1040, 24
    scene.source = source
    assert bpy.ops.meshrec.retarget() == {"FINISHED"}
    assert tuple(scene.target.animation_data.action.frame_range) == (1001, 1040)
    assert (timeline.frame_start, timeline.frame_end, timeline.render.fps) == (1001, 1040, 24)
    for frame in (1001, 1020, 1040):
        timeline.frame_set(frame)
        hips = [(rig.matrix_world @ rig.pose.bones["Hips"].head).y for rig in (source, scene.target)]
        assert abs(hips[0] - hips[1]) < 0.01  # m; planted feet hold the hips back a little


def test_bones_cleared_in_the_list_stay_at_rest(scene):
    bpy.ops.meshrec.map_bones()
    row = next(row for row in scene.rows if row.name == "left_hand")
    row.bone = ""
    bpy.ops.meshrec.retarget()
    bpy.context.scene.frame_set(15)
    assert np.abs(np.array(scene.target.pose.bones["LeftHand"].matrix_basis) - np.eye(4)).max() < 1e-6
    assert np.abs(np.array(scene.target.pose.bones["RightHand"].matrix_basis) - np.eye(4)).max() > 0.01


def test_missing_required_bone_is_reported(scene):
    bpy.ops.meshrec.map_bones()
    next(row for row in scene.rows if row.name == "left_upper_arm").bone = ""
    with pytest.raises(RuntimeError, match="left upper arm"):
        bpy.ops.meshrec.retarget()
    assert scene.target.animation_data is None


def test_bone_listed_twice_is_reported(scene):
    bpy.ops.meshrec.map_bones()
    rows = {row.name: row for row in scene.rows}
    rows["left_hand"].bone = rows["right_hand"].bone
    with pytest.raises(RuntimeError, match="both"):
        bpy.ops.meshrec.retarget()
    assert scene.target.animation_data is None


def test_preview_follows_frame_and_options_then_restores(scene):
    before = pose_of(scene.target)
    bpy.context.scene.frame_set(5)
    bpy.ops.meshrec.retarget_preview()
    fifth = pose_of(scene.target)
    assert retarget_preview.is_on() and np.abs(fifth - before).max() > 0.05
    bpy.context.scene.frame_set(15)  # the preview follows the timeline
    fifteenth = pose_of(scene.target)
    assert np.abs(fifteenth - fifth).max() > 0.01
    scene.root = "in_place"  # and the options
    assert np.abs(pose_of(scene.target) - fifteenth).max() > 1e-4
    bpy.ops.meshrec.retarget_preview()
    assert not retarget_preview.is_on() and np.abs(pose_of(scene.target) - before).max() < 1e-6
    assert scene.target.animation_data is None
    bpy.context.scene.frame_set(6)
    assert np.abs(pose_of(scene.target) - before).max() < 1e-6


def heads_of(rig):
    bpy.context.view_layer.update()
    return np.array([rig.matrix_world @ bone.head for bone in rig.pose.bones])


def test_the_preview_is_the_result(scene):
    """Within 1 mm in every frame, feet in contact and corrections included."""
    bpy.ops.meshrec.map_bones()
    scene.heading, scene.influence_left_arm, scene.path_scale = 0.7, 0.5, 1.2
    next(row for row in scene.rows if row.name == "head").offset = (0.0, 0.3, 0.0)
    shown = {}
    bpy.context.scene.frame_set(3)
    bpy.ops.meshrec.retarget_preview()
    for frame in (3, 9, 15, 20):
        bpy.context.scene.frame_set(frame)
        shown[frame] = heads_of(scene.target)
    bpy.ops.meshrec.retarget()
    for frame, heads in shown.items():
        bpy.context.scene.frame_set(frame)
        assert np.abs(heads_of(scene.target) - heads).max() < 1e-3  # m


def test_the_active_armature_and_the_result_are_prefilled(scene):
    from blender_meshrec.ui.retarget.retarget_choice import prefill

    person, hero = scene.source, scene.target
    person["quality"] = "fine"
    scene.source = scene.target = None
    bpy.context.view_layer.objects.active = person
    assert not bpy.ops.meshrec.map_bones.poll()  # a person is no character
    bpy.context.view_layer.objects.active = hero
    assert bpy.ops.meshrec.retarget.poll()
    prefill(bpy.context)
    assert (scene.source, scene.target) == (person, hero)
    scene.target = None
    assert bpy.ops.meshrec.retarget() == {"FINISHED"} and scene.target == hero


def test_another_active_armature_is_taken_by_a_button(scene):
    villain = build_character("villain")
    bpy.context.view_layer.objects.active = villain
    assert "meshrec.use_active_character" in operators_drawn(draw_panel(retarget_panel.RetargetPanel))
    bpy.ops.meshrec.use_active_character()
    assert scene.target == villain and "meshrec.use_active_character" not in operators_drawn(draw_panel(retarget_panel.RetargetPanel))


def test_rows_show_short_names_and_the_bones_of_the_person(scene):
    for bone in scene.target.data.bones:
        bone.name = f"rig:{bone.name}"
    bpy.ops.meshrec.map_bones()
    rows = {row.name: row for row in scene.rows if row.name != "spine"}
    assert scene.prefix == "rig:" and rows["left_hand"].bone == "rig:LeftHand" and rows["left_hand"].shown == "LeftHand"
    assert rows["left_hand"].source == "left_wrist" and rows["head"].source == "head"
    rows["left_hand"].shown = "RightHand"
    assert rows["left_hand"].bone == "rig:RightHand"
    rows["left_hand"].shown = ""
    assert rows["left_hand"].bone == ""
    spine = [row for row in scene.rows if row.name == "spine"]
    assert len(spine) == len({row.bone for row in spine}) > 1
    assert (spine[0].part, spine[-1].part) == ("Lower", "Chest") and spine[-1].label == "Spine (Chest)"
    assert (spine[0].source, spine[-1].source) == ("spine1", "spine3")


def test_corrections_show_at_once_and_can_be_cleared(scene):
    bpy.context.scene.frame_set(5)
    bpy.ops.meshrec.retarget_preview()
    before = pose_of(scene.target)
    row = next(row for row in scene.rows if row.name == "left_hand")
    row.offset = (0.0, 0.5, 0.0)
    hand = scene.target.pose.bones.find("LeftHand")
    changed = np.abs(pose_of(scene.target) - before).max((1, 2))
    assert changed[hand] > 0.1 and np.delete(changed, hand).max() < 1e-4
    scene.influence_right_arm = 0.0
    assert np.abs(pose_of(scene.target)[scene.target.pose.bones.find("RightForeArm"), :3, :3] - np.eye(3)).max() < 1e-5
    bpy.ops.meshrec.clear_corrections()
    assert np.abs(pose_of(scene.target) - before).max() < 1e-6 and scene.influence_right_arm == 1


def test_bones_turned_in_the_preview_stay_turned(scene):
    assert not bpy.ops.meshrec.take_pose_correction.poll()
    bpy.context.scene.frame_set(5)
    bpy.ops.meshrec.retarget_preview()
    head = scene.target.pose.bones["Head"]
    head.rotation_mode = "QUATERNION"
    wanted = head.matrix_basis.to_quaternion() @ Quaternion((0, 0, 1), 0.4)
    head.matrix_basis = Matrix.LocRotScale(head.location, wanted, head.scale)
    bpy.ops.meshrec.take_pose_correction()
    assert next(row for row in scene.rows if row.bone == "Head").offset.z == pytest.approx(0.4, abs=1e-4)
    assert head.matrix_basis.to_quaternion().rotation_difference(wanted).angle < 1e-3
    bpy.context.scene.frame_set(12)
    other = head.matrix_basis.to_quaternion()
    bpy.ops.meshrec.clear_corrections()
    assert (head.matrix_basis.to_quaternion() @ Quaternion((0, 0, 1), 0.4)).rotation_difference(other).angle < 1e-3


def test_a_failed_mapping_leaves_a_list_with_suggestions(scene):
    robot = build_character("robot")
    bpy.context.view_layer.objects.active = robot
    bpy.ops.object.mode_set(mode="EDIT")
    for name in ("RightUpLeg", "RightLeg", "RightFoot", "RightToeBase"):
        robot.data.edit_bones[name].name = {"RightUpLeg": "piston a", "RightLeg": "piston b"}.get(name, f"x{name[-1]}")
    for bone in [bone for bone in robot.data.edit_bones if bone.name.startswith("piston")]:
        bone.parent = None
    bpy.ops.object.mode_set(mode="OBJECT")
    scene.target = robot
    with pytest.raises(RuntimeError):
        bpy.ops.meshrec.retarget()
    rows = {row.name: row for row in scene.rows}
    assert rows.keys() >= REQUIRED_SLOTS and not any(row.bone for row in scene.rows)
    assert rows["left_upper_arm"].suggestion == "LeftArm" and rows["right_upper_leg"].suggestion == ""
    with pytest.raises(RuntimeError, match="missing"):
        bpy.ops.meshrec.retarget()
    bpy.ops.meshrec.take_suggestions()
    assert rows["left_upper_arm"].bone == "LeftArm"
    rows["right_upper_leg"].bone, rows["right_lower_leg"].bone = "piston a", "piston b"
    assert bpy.ops.meshrec.retarget() == {"FINISHED"}


def test_mapping_round_trips_through_a_file(scene, tmp_path):
    bpy.ops.meshrec.map_bones()
    rows = [(row.name, row.bone) for row in scene.rows]
    bpy.ops.meshrec.save_mapping(filepath=str(tmp_path / "hero.json"))
    scene.clear_mapping()
    bpy.ops.meshrec.load_mapping(filepath=str(tmp_path / "hero.json"))
    assert [(row.name, row.bone) for row in scene.rows] == rows
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(RuntimeError, match="broken"):
        bpy.ops.meshrec.load_mapping(filepath=str(tmp_path / "broken.json"))
    assert [(row.name, row.bone) for row in scene.rows] == rows


def test_another_character_clears_the_mapping(scene):
    bpy.ops.meshrec.map_bones()
    scene.target = build_character("villain")
    assert not scene.rows


def test_confidence_levels_have_different_icons():
    colours = [retarget_panel.confidence_icon(confidence) for confidence in (0.95, 0.6, 0.2)]
    assert len(set(colours)) == 3
    icons = bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"].enum_items.keys()
    assert set(colours) <= set(icons)


@pytest.mark.parametrize(("width", "columns"), [(200, 0), (600, 1)])
def test_rows_have_the_persons_bone_where_there_is_room_and_the_chosen_one_below(scene, width, columns, monkeypatch):
    bpy.ops.meshrec.map_bones()
    monkeypatch.setattr(retarget_panel, "is_wide", lambda context: width >= 420)
    row = next(row for row in scene.rows if row.name == "left_hand")
    calls = []
    retarget_panel.MappingList.draw_item(None, bpy.context, RecordingLayout(calls), scene, row, 0, scene, "active_row")
    assert visible_text(calls).count("left_wrist") == columns and "Left Hand" in visible_text(calls)
    scene.active_row = scene.rows.find("left_hand")
    assert f"{row.shown} follows left_wrist" in visible_text(draw_panel(retarget_panel.MappingPanel))


def test_list_can_be_searched_by_slot(scene):
    bpy.ops.meshrec.map_bones()
    shown = retarget_panel.MappingList.filter_items(
        SimpleNamespace(filter_name="left hand", bitflag_filter_item=1), bpy.context, scene, "rows"
    )[0]
    assert {row.name for row, flag in zip(scene.rows, shown) if flag} == {"left_hand"}
