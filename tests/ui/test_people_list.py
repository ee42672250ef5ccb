"""The list of people in the panel: strips, edits at the playhead, one undo step each, and Solve Again with the changed list."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

from blender_meshrec.bridge.messages import request_from_text
from blender_meshrec.core.files.people_file import people_from_text, people_to_text, read_people
from blender_meshrec.core.people_edits import name_person
from blender_meshrec.core.people_list import ListedFootage, ListedTrack, list_of_tracks
from blender_meshrec.scene.corrections.solve_again import REQUEST_PROPERTY
from blender_meshrec.scene.takes.takes import takes_of
from blender_meshrec.ui.jobs import jobs
from blender_meshrec.ui.people.people_panel import PeoplePanel, draw_person_menu, strip_text
from blender_meshrec.ui.people.people_state import images_over_time, people_of, playhead_frame
from tests.support.panel_drawing import RecordingLayout, draw_panel, operators_drawn, visible_text


def listed():
    tracks = [ListedTrack(1, ((0, 29),)), ListedTrack(2, ((0, 29),)), ListedTrack(3, ((10, 19),))]
    people = list_of_tracks(ListedFootage("clip.mp4", "ab", (1280, 720), 30), tracks, ["", "", ""])
    return replace(people, people=people.people[:2])


def with_list(result, people=None, numbers=None):
    """A result that was made with a list, with a thumbnail of each track every ten frames."""
    people = people or listed()
    recoveries = tuple(replace(recovery, footage="/clip.mp4") for recovery in result.recoveries)
    found = [{"person": n, "frames_with_person": 30, **({"name": people.name_of(n)} if people.name_of(n) else {})} for n in people.numbers]
    places = np.array([(track, frame) for track in (1, 2) for frame in (4, 14, 24)])
    images = np.stack([np.full((32, 32, 3), 40 * track + frame, np.uint8) for track, frame in places])
    report = {**result.report, "found": found, "people_found": len(found)}
    return replace(
        result,
        recoveries=recoveries,
        people=numbers or people.numbers[: len(recoveries)],
        report=report,
        portraits=result.portraits[: len(found)],
        people_text=people_to_text(people),
        thumbnails=images,
        thumbnail_places=places,
    )


@pytest.fixture
def scene(addon, backend, result, tubes):
    """Settings of a scene with two people who were reconstructed with the list that the backend made."""
    addon.source, addon.person = "/clip.mp4", "ALL"
    backend([with_list(result)])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    return addon


def test_the_result_brings_its_list(scene):
    assert people_of(scene) == listed() and not scene.people_edited
    assert [(person.number, person.frames) for person in scene.people] == [(1, 30), (2, 30)]


def test_a_strip_shows_who_is_where(scene):
    bpy.context.scene.frame_set(16)
    drawn = draw_panel(PeoplePanel)
    assert sum(entry[0] == "template_icon" for entry in drawn) >= 16
    assert "\u2588|\u2588" in visible_text(drawn)
    assert strip_text(listed(), 1, 15, 28) == "\u2588" * 14 + "|" + "\u2588" * 14
    people = people_of(scene)
    assert images_over_time(scene, people, 1, 3) == [0, 1, 2] and images_over_time(scene, people, 2, 3) == [3, 4, 5]
    assert "meshrec.solve_people" not in operators_drawn(drawn)  # nothing has changed yet
    assert "meshrec.take_in_track" in operators_drawn(drawn)  # track 3 is nobody's


def test_a_swap_at_the_playhead_changes_the_strips_and_asks_for_a_solve(scene):
    bpy.context.scene.frame_set(11)
    assert playhead_frame(bpy.context) == 10
    assert bpy.ops.meshrec.swap_people(number=1, other=2) == {"FINISHED"}
    people = people_of(scene)
    assert [(s.first, s.last, s.track) for s in people.person(1).stretches] == [(0, 9, 1), (10, 29, 2)]
    assert images_over_time(scene, people, 1, 3) == [0, 4, 5]
    assert "meshrec.solve_people" in operators_drawn(draw_panel(PeoplePanel))
    assert bpy.ops.meshrec.swap_people(number=1, other=2) == {"FINISHED"}
    assert people_of(scene) == listed()
    assert "meshrec.solve_people" not in operators_drawn(draw_panel(PeoplePanel))


def test_split_merge_leave_out_and_take_in(scene):
    bpy.context.scene.frame_set(11)
    bpy.ops.meshrec.split_person(number=2)
    assert [person.number for person in scene.people] == [1, 2, 4] and scene.people[2].name == "person4"
    bpy.ops.meshrec.merge_people(number=2, other=4)
    assert people_of(scene) == listed() and [person.number for person in scene.people] == [1, 2]
    bpy.ops.meshrec.take_in_track(track=3)
    assert [person.number for person in scene.people] == [1, 2, 3] and scene.people[2].frames == 10
    bpy.ops.meshrec.leave_out_person(number=1)
    assert people_of(scene).numbers == (2, 3)


def test_what_cannot_be_is_said_and_changes_nothing(scene):
    bpy.context.scene.frame_set(1)
    with pytest.raises(RuntimeError, match="Frame 0 does not divide person 1"):
        bpy.ops.meshrec.split_person(number=1)
    assert people_of(scene) == listed() and not scene.people_edited


def test_every_edit_is_one_undo_step():
    from blender_meshrec.ui.people import people_operators, solve_people_operator

    kinds = [*people_operators.CLASSES, *solve_people_operator.CLASSES]
    assert all("UNDO" in kind.bl_options for kind in kinds if kind.bl_idname != "meshrec.save_people")


def test_a_click_selects_the_rig(scene):
    assert bpy.ops.meshrec.select_person(number=2) == {"FINISHED"}
    assert bpy.context.object.name == "clip person2" and [obj.name for obj in bpy.context.selected_objects] == ["clip person2"]
    bpy.ops.meshrec.select_person(number=1)
    assert bpy.context.object.name == "clip person1"
    bpy.ops.meshrec.take_in_track(track=3)
    with pytest.raises(RuntimeError, match="Person 3 is not in the scene yet"):
        bpy.ops.meshrec.select_person(number=3)


def test_solve_again_gives_the_same_rigs_new_takes(scene, backend, result):
    first, before = bpy.data.objects["clip person1"], len(bpy.data.objects)
    bpy.context.scene.frame_set(11)
    bpy.ops.meshrec.swap_people(number=1, other=2)
    backend([with_list(result, people_of(scene))])
    assert bpy.ops.meshrec.solve_people() == {"FINISHED"}
    request = backend.requests[-1]
    assert people_from_text(request.people_text).person(1).stretches[1].track == 2 and request.person == "all"
    assert request.focal == f"{result.recoveries[0].camera_intrinsics[0, 0]:.2f}px"  # the camera stays
    assert len(bpy.data.objects) == before and len(takes_of(first)) == 2
    assert scene.people_solved == scene.people_text
    assert "2 people" in jobs.current.notes[0]
    stored = request_from_text(bpy.data.collections["clip"][REQUEST_PROPERTY])
    assert stored.people_text == request.people_text  # corrections are solved with the same people


def test_who_is_merged_away_is_hidden_and_comes_back(scene, backend, result):
    bpy.ops.meshrec.merge_people(number=1, other=2)
    merged = with_list(result, people_of(scene), (1,))
    backend([replace(merged, recoveries=merged.recoveries[:1])])
    assert bpy.ops.meshrec.solve_people() == {"FINISHED"}
    gone = bpy.data.objects["clip person2"]
    assert gone.users_collection[0].hide_viewport and gone.users_collection[0].hide_render
    assert any("clip person2" in note and "hidden" in note for note in jobs.current.notes)
    backend([with_list(result)])
    assert bpy.ops.meshrec.solve_people() == {"FINISHED"}
    assert not gone.users_collection[0].hide_viewport and len(takes_of(gone)) == 2


def test_names_go_into_the_list_and_to_the_rig_and_back(scene, backend, result):
    scene.people[0].name = "Anna"
    assert people_of(scene).name_of(1) == "Anna" and "clip Anna" in bpy.data.objects
    assert "meshrec.solve_people" not in operators_drawn(draw_panel(PeoplePanel))  # a name needs no solve
    scene.people[0].name = "person1"
    assert people_of(scene).name_of(1) == ""
    backend([with_list(result, name_person(listed(), 2, "Ben"))])
    assert bpy.ops.meshrec.reconstruct() == {"FINISHED"}
    assert scene.people[1].name == "Ben" and "clip Ben" in bpy.data.objects


def test_reconstruct_keeps_an_edited_list_until_the_footage_changes(scene, backend, result):
    backend([with_list(result)])
    bpy.ops.meshrec.reconstruct()
    assert backend.requests[-1].people_text is None
    bpy.ops.meshrec.leave_out_person(number=2)
    backend([with_list(result, people_of(scene), (1,))])
    scene.person = "LARGEST"
    bpy.ops.meshrec.reconstruct()
    assert people_from_text(backend.requests[-1].people_text).numbers == (1,)
    scene.source = "/other.mp4"
    assert people_of(scene) is None and not scene.people_edited


def test_the_list_is_saved_and_opened(scene, tmp_path):
    bpy.ops.meshrec.leave_out_person(number=2)
    file = tmp_path / "clip.people.json"
    assert bpy.ops.meshrec.save_people(filepath=str(file)) == {"FINISHED"}
    assert read_people(file).numbers == (1,)
    bpy.ops.meshrec.take_in_track(track=2)
    assert people_of(scene).numbers == (1, 2)
    assert bpy.ops.meshrec.load_people(filepath=str(file)) == {"FINISHED"}
    assert people_of(scene).numbers == (1,) and [person.number for person in scene.people] == [1]
    file.write_text("{}")
    with pytest.raises(RuntimeError, match="is no list of people"):
        bpy.ops.meshrec.load_people(filepath=str(file))


def test_a_result_without_a_list_has_no_edits(addon, backend, result, tubes):
    addon.source, addon.person = "/clip.mp4", "ALL"
    backend([result])
    bpy.ops.meshrec.reconstruct()
    assert people_of(addon) is None and not bpy.ops.meshrec.solve_people.poll() and not bpy.ops.meshrec.split_person.poll()
    assert "meshrec.save_people" not in operators_drawn(draw_panel(PeoplePanel))


def test_the_menu_has_the_edits_of_one_person(scene):
    drawn = draw_menu(scene, 1)
    found = operators_drawn(drawn)
    assert {
        "meshrec.select_person",
        "meshrec.split_person",
        "meshrec.swap_people",
        "meshrec.merge_people",
        "meshrec.leave_out_person",
    } <= set(found)
    assert "meshrec.confirm_person" not in found
    assert ("operator", "meshrec.swap_people", "Swap with person2 from Playhead") in drawn


def draw_menu(settings, number):
    calls = []
    draw_person_menu(RecordingLayout(calls), settings, number)
    return calls


def test_a_list_of_a_later_version_leaves_the_rest_usable(scene):
    scene.people_text = '{"meshrec_people": 99}'
    assert people_of(scene) is None
    assert "meshrec.choose_person" in operators_drawn(draw_panel(PeoplePanel))
