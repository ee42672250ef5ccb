"""The sections Edit Result and Clean-Up Rig: sliders act at once, buttons work on the person or on its rig, and each is one undo step."""

import bpy
import numpy as np
import pytest

from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.clean_up_rig.follow import clean_up_rig_of, is_following
from blender_meshrec.scene.result_edits.edited_action import is_edited
from blender_meshrec.ui.result.result_edits_panel import CleanUpRigPanel, ResultEditsPanel
from tests.support.panel_drawing import draw_panel, operators_drawn
from tests.support.synthetic_bodies import make_recovery, make_tube_body


@pytest.fixture
def person(addon):
    template = make_tube_body()
    made = assemble(
        [Person("anna", make_recovery(template, frames=24), template)], "clip", AssemblyOptions(footage=False, pose_shapes=False)
    ).armatures[0]
    made["quality"] = "Fine."
    made.select_set(True)
    bpy.context.view_layer.objects.active = made
    return made


def hip(person):
    bpy.context.scene.frame_set(5)
    return np.array(person.pose.bones["pelvis"].head)


def test_a_slider_acts_at_once_and_reset_brings_the_capture_back(person):
    before, capture = hip(person), person.animation_data.action
    person.meshrec_edits.hip_height = 0.07
    assert is_edited(person) and np.allclose(hip(person) - before, [0, 0, 0.07], atol=1e-5)
    person.meshrec_edits.smoothing_arms = 0.4
    bpy.ops.meshrec.reset_edits()
    assert person.meshrec_edits.hip_height == 0 and person.meshrec_edits.smoothing_arms == 0
    assert person.animation_data.action == capture and np.allclose(hip(person), before)


def test_undo_and_redo_of_a_slider_are_one_step(person):
    bpy.ops.ed.undo_push(message="before")
    before = hip(person)
    person.meshrec_edits.hip_height = 0.05
    bpy.ops.ed.undo_push(message="slider")
    raised = hip(person)
    bpy.ops.ed.undo()
    person = bpy.data.objects["anna"]
    assert person.meshrec_edits.hip_height == 0 and np.allclose(hip(person), before)
    bpy.ops.ed.redo()
    assert np.allclose(hip(bpy.data.objects["anna"]), raised)


def test_the_rig_is_made_followed_and_removed_by_buttons(person):
    assert "meshrec.make_clean_up_rig" in operators_drawn(draw_panel(CleanUpRigPanel))
    assert "meshrec.remove_clean_up_rig" not in operators_drawn(draw_panel(CleanUpRigPanel))
    assert bpy.ops.meshrec.make_clean_up_rig(kind="LIGHT") == {"FINISHED"}
    rig = clean_up_rig_of(person)
    assert bpy.context.object == rig and bpy.context.mode == "POSE"
    assert {"meshrec.follow_controls", "meshrec.remove_clean_up_rig"} <= set(operators_drawn(draw_panel(CleanUpRigPanel)))
    bpy.ops.meshrec.follow_controls()
    assert not is_following(person)
    bpy.ops.meshrec.follow_controls()
    assert is_following(person)
    bpy.ops.meshrec.remove_clean_up_rig()
    assert clean_up_rig_of(person) is None and bpy.context.object == person and bpy.context.mode == "OBJECT"


def test_layers_are_opened_by_buttons_and_a_strip_can_be_made_once(person):
    assert {"meshrec.add_corrections", "meshrec.capture_to_strip"} <= set(operators_drawn(draw_panel(ResultEditsPanel)))
    assert bpy.ops.meshrec.capture_to_strip() == {"FINISHED"}
    assert not bpy.ops.meshrec.capture_to_strip.poll()
    assert bpy.ops.meshrec.add_corrections() == {"FINISHED"}
    assert [track.name for track in person.animation_data.nla_tracks] == ["Capture", "Corrections"]


def test_an_error_is_said_and_nothing_changes(person):
    person.animation_data_clear()
    with pytest.raises(RuntimeError, match="plays no motion"):
        bpy.ops.meshrec.make_clean_up_rig()
    assert clean_up_rig_of(person) is None
