"""Where an artist is in a result: the state of each frame, problems and markers, views of the person, and what is drawn of it."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.core.skeletons import SMPL_JOINTS
from blender_meshrec.scene.person.confidence import confidence_colour
from blender_meshrec.scene.takes.frame_states import Problem, State, find_problems, frame_states, next_problem
from blender_meshrec.ui.result.result_overlay import STATE_COLOURS, contact_runs_of, strip_pieces
from blender_meshrec.ui.result.result_panel import DetailsPanel, ResultPanel, strip_text
from tests.support.panel_drawing import draw_panel, operators_drawn, visible_text

ELBOWS = [SMPL_JOINTS.index("left_elbow"), SMPL_JOINTS.index("left_wrist")]


@pytest.fixture
def rig(addon, backend, result, tubes):
    """A person who is missing from frames 5 to 7 and 9, and whose left arm is doubtful in frames 20 to 24; the worst frame is 28."""
    first = result.recoveries[0]
    visible, confidence = np.ones(30, bool), np.ones((30, 24), np.float32)
    visible[[4, 5, 6, 8]] = False
    confidence[19:24, ELBOWS] = 0.2
    contacts = np.zeros((30, 4), np.float32)
    contacts[3:9, 1] = 1.0
    report = {**result.report, "people": [{**result.report["people"][0], "verdict": "doubtful", "reasons": ["a."], "worst_times": [1.08]}]}
    changed = replace(first, visible=visible, confidence=confidence, contacts=contacts, footage="/clip.mp4")
    addon.source = "/clip.mp4"
    backend([replace(result, recoveries=(changed,), people=(1,), report=report)])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    return bpy.context.object


PROBLEMS = [Problem(5, 9, State.FILLED_IN), Problem(20, 24, State.DOUBTFUL), Problem(28, 28, State.DOUBTFUL)]


def test_states_and_problems_of_the_frames(rig):
    states = frame_states(rig)
    assert states.frames.tolist() == list(range(1, 31))
    assert np.flatnonzero(states.states == State.FILLED_IN).tolist() == [4, 5, 6, 8]
    assert np.flatnonzero(states.states == State.DOUBTFUL).tolist() == [19, 20, 21, 22, 23]
    assert find_problems(rig) == PROBLEMS


@pytest.mark.parametrize(
    "frame, forwards, first", [(1, True, 5), (5, True, 20), (29, True, 5), (25, False, 20), (20, False, 5), (1, False, 28)]
)
def test_the_next_problem_goes_round(frame, forwards, first):
    assert next_problem(PROBLEMS, frame, forwards).first == first
    assert next_problem([], frame, forwards) is None


def test_buttons_move_the_playhead(rig):
    scene = bpy.context.scene
    scene.frame_set(1)
    visited = []
    for _ in range(4):
        assert bpy.ops.meshrec.next_problem() == {"FINISHED"}
        visited.append(scene.frame_current)
    assert visited == [5, 20, 28, 5]
    bpy.ops.meshrec.previous_problem()
    assert scene.frame_current == 28


def test_markers_come_on_request_and_go_again(rig):
    scene = bpy.context.scene
    scene.timeline_markers.new("mine", frame=3)
    bpy.ops.meshrec.mark_problems()
    assert sorted((marker.frame, marker.name) for marker in scene.timeline_markers) == [
        (3, "mine"),
        (5, "clip person1: Filled in"),
        (20, "clip person1: Doubtful"),
        (28, "clip person1: Doubtful"),
    ]
    bpy.ops.meshrec.mark_problems()
    assert [marker.name for marker in scene.timeline_markers] == ["mine"]


def test_the_panel_tells_the_frame_and_the_shares(rig):
    bpy.context.scene.frame_set(21)
    drawn = draw_panel(ResultPanel)
    text = visible_text(drawn)
    assert "Frame 21: Doubtful" in text and "Doubtful 17 %, filled in 13 %" in text
    assert "worst frames: 28" in text and "Smoothness" not in text
    assert "Smoothness: as motion capture (jitter 4.7" in visible_text(draw_panel(DetailsPanel))  # closed at first
    assert {
        "meshrec.next_problem",
        "meshrec.previous_problem",
        "meshrec.mark_problems",
        "meshrec.view_camera",
        "meshrec.frame_person",
    } <= set(operators_drawn(drawn))
    strip = strip_text(frame_states(rig), 1)
    assert strip[0] == "|" and strip.count("\u2591") == 4 and strip.count("\u2592") in (4, 5)


def test_the_strip_shows_states_and_contacts(rig):
    pieces = strip_pieces(frame_states(rig), contact_runs_of(rig, 30))
    states = [(piece.first, piece.end) for piece in pieces if piece.row == 0 and piece.colour == STATE_COLOURS[State.FILLED_IN]]
    assert states == [(5, 8), (9, 10)]
    assert [(piece.first, piece.end, piece.row) for piece in pieces if piece.row] == [(4, 10, 2)]  # the left toe
    assert sum(piece.end - piece.first for piece in pieces if piece.row == 0) == 30


def test_confidence_is_by_frame_and_leaves_the_side_colours(rig):
    states = frame_states(rig)
    confident, unsure = (states.confidence[states.row_at(frame), ELBOWS[0]] for frame in (19, 20))
    assert (round(float(confident), 3), round(float(unsure), 3)) == (1.0, 0.2)
    assert np.abs(confidence_colour(confident) - confidence_colour(unsure)).max() > 0.3
    assert {bone.color.palette for bone in rig.pose.bones} == {"DEFAULT"} and len({bone.color.palette for bone in rig.data.bones}) == 3


def test_a_view_frames_the_person_and_looks_through_the_camera(rig):
    space = next(area.spaces.active for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D")
    from blender_meshrec.scene.cameras.view_framing import frame_person, person_bounds, view_through_camera

    space.region_3d.view_location = (50, 50, 50)
    frame_person(space, rig)
    centre, radius = person_bounds(rig)
    assert np.abs(np.array(space.region_3d.view_location) - centre).max() < 1e-4
    assert radius < space.region_3d.view_distance < 6 * radius
    bpy.context.scene.camera = None
    view_through_camera(bpy.context.scene, space, bpy.data.objects["clip camera"])
    assert space.region_3d.view_perspective == "CAMERA" and bpy.context.scene.camera.name == "clip camera"


def test_the_body_becomes_transparent(rig):
    body = next(child for child in rig.children if child.type == "MESH")
    rig.meshrec_opacity = 0.25
    material = body.data.materials[0]
    assert material.diffuse_color[3] == 0.25 and rig.meshrec_opacity == 0.25
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    assert shader.inputs["Alpha"].default_value == 0.25


def test_worst_frames_lie_on_the_timeline_of_the_scene(addon, backend, result, tubes):
    report = {**result.report, "people": [{**result.report["people"][0], "verdict": "bad", "reasons": ["a."], "worst_times": [1.0]}]}
    scene = bpy.context.scene
    scene.frame_start, scene.render.fps = 1001, 24
    addon.source = "/clip.mp4"
    backend([replace(result, report=report)])
    bpy.ops.meshrec.reconstruct()
    assert "worst frames: 1025" in bpy.context.object["quality"]


def test_the_panel_proposes_the_next_step(addon, rig):
    from blender_meshrec.ui import panels
    from blender_meshrec.ui.jobs import jobs

    assert "Next: look at the places that are doubtful or filled in (3)" in visible_text(draw_panel(panels.MainPanel))
    bpy.ops.meshrec.next_problem()
    assert "Next: choose your character in Retarget" in visible_text(draw_panel(panels.MainPanel))
    settings = bpy.context.scene.meshrec_retarget
    hero = bpy.data.objects.new("hero", bpy.data.armatures.new("hero"))
    bpy.context.scene.collection.objects.link(hero)
    settings.target = hero
    assert "meshrec.retarget" in operators_drawn(draw_panel(panels.MainPanel))
    settings.result = "done"
    assert "Next: export your character" in visible_text(draw_panel(panels.MainPanel))
    jobs.current.cancelled = True
    assert "Next" not in visible_text(draw_panel(panels.MainPanel))
