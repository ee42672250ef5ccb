"""The Retarget section: its buttons make an action from two armatures of a scene."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest

from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.ui import retarget_panel, retarget_preview
from scripts.bench.retarget import build_character
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


def test_list_can_be_searched_by_slot(scene):
    bpy.ops.meshrec.map_bones()
    shown = retarget_panel.MappingList.filter_items(
        SimpleNamespace(filter_name="left hand", bitflag_filter_item=1), bpy.context, scene, "rows"
    )[0]
    assert {row.name for row, flag in zip(scene.rows, shown) if flag} == {"left_hand"}
