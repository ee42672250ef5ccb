"""The Contacts section: switches by clicks, and Plant Again for the person and for a character that follows it."""

import time

import bpy
import numpy as np
import pytest

from blender_meshrec.core.body_contacts import CONTACT_PARTS
from blender_meshrec.scene.assemble import Person, assemble
from blender_meshrec.scene.assembly import AssemblyOptions
from blender_meshrec.scene.corrections.contact_channels import read_contacts
from blender_meshrec.scene.takes.takes import takes_of
from blender_meshrec.ui.correct.contact_panel import ContactPanel, contact_strips
from blender_meshrec.ui.correct.correction_panel import CorrectionPanel
from blender_meshrec.ui.result.result_panel import ResultPanel
from scripts.bench.retarget import build_character
from tests.scene.test_plant_again import ankle_path, open_body, stroll
from tests.support.panel_drawing import draw_panel, operators_drawn, visible_text

MILLIMETRE = 1e-3


@pytest.fixture
def person(addon):
    """A reconstructed person who glides, active; their right foot is planted from frame 21 to 40."""
    made = assemble([Person("anna", stroll(), open_body())], "clip", AssemblyOptions(pose_shapes=False)).armatures[0]
    made["quality"] = "fine"
    bpy.context.view_layer.objects.active = made
    made.select_set(True)
    bpy.context.view_layer.update()
    return made


def click(part, frame, extent="FROM_HERE"):
    bpy.context.scene.frame_set(frame)
    assert bpy.ops.meshrec.toggle_contact(part=part, extent=extent) == {"FINISHED"}


def touching(person, part):
    return (np.flatnonzero(read_contacts(person, np.arange(1, 61))[:, CONTACT_PARTS.index(part)]) + 1).tolist()


def test_a_click_switches_from_here_to_the_next_change(person):
    click("right_heel", 30)
    assert touching(person, "right_heel") == list(range(21, 30))
    click("right_heel", 35)
    assert touching(person, "right_heel") == [*range(21, 30), *range(35, 61)]
    click("right_heel", 25, "RUN")
    assert touching(person, "right_heel") == list(range(35, 61))
    assert person.animation_data.action.frame_range[1] == 60


def test_the_section_shows_every_part_with_its_strip(person):
    bpy.context.scene.frame_set(25)
    calls = draw_panel(ContactPanel)
    assert operators_drawn(calls).count("meshrec.toggle_contact") == 2 * len(CONTACT_PARTS)
    assert "meshrec.plant_again" in operators_drawn(calls)
    assert visible_text(calls).count("\u2588") > 4
    assert contact_strips(np.array([False] * 10 + [True] * 10)[:, None], 0.0)[0][0] == "|"


@pytest.mark.parametrize("change", [{"scale": 2.0}, {"repeat": 2.0}, {"use_reverse": True}])
def test_a_strip_whose_frames_are_not_the_footages_is_said(person, change):
    """The capture lies in a strip that an artist has stretched, looped or reversed; once that is undone, everything works again."""
    assert bpy.ops.meshrec.capture_to_strip() == {"FINISHED"}
    (strip,) = person.animation_data.nla_tracks[0].strips
    plain = {name: getattr(strip, name) for name in change}
    for name, value in change.items():
        setattr(strip, name, value)
    for panel in (ContactPanel, CorrectionPanel, ResultPanel):
        calls = draw_panel(panel)
        assert "scaled, repeated or reversed" in visible_text(calls)
        assert not {"meshrec.toggle_contact", "meshrec.solve_again", "meshrec.next_problem"} & set(operators_drawn(calls))
    with pytest.raises(RuntimeError, match="scaled, repeated or reversed"):
        bpy.ops.meshrec.plant_again()
    for name, value in plain.items():
        setattr(strip, name, value)
    assert "meshrec.toggle_contact" in operators_drawn(draw_panel(ContactPanel))


def test_person_and_character_obey_a_toggled_contact(person):
    """A contact switched off and one switched on: both feet of both obey, within seconds."""
    settings, hero = bpy.context.scene.meshrec_retarget, build_character("hero")
    settings.source, settings.target = person, hero
    assert bpy.ops.meshrec.retarget() == {"FINISHED"}
    first = hero.animation_data.action
    assert np.ptp(toes_of(hero, "Right"), axis=0)[1] < 0.005 < 0.05 < np.ptp(toes_of(hero, "Left"), axis=0)[1]
    bpy.context.view_layer.objects.active = hero  # the character's own section shows the person's contacts
    for part in ("right_heel", "right_toe"):
        click(part, 21, "RUN")
    for part in ("left_heel", "left_toe"):
        click(part, 21)
        click(part, 41)
    begun = time.process_time()
    assert bpy.ops.meshrec.plant_again() == {"FINISHED"}
    assert time.process_time() - begun < 10  # s
    left, right = (ankle_path(person, side, range(20, 40)) for side in ("left", "right"))
    assert np.ptp(left, axis=0).max() < MILLIMETRE and np.ptp(right, axis=0)[1] > 0.05
    assert np.ptp(toes_of(hero, "Left"), axis=0)[1] < 0.005 < 0.05 < np.ptp(toes_of(hero, "Right"), axis=0)[1]
    assert hero.animation_data.action is not first and takes_of(hero) == [first, hero.animation_data.action]


def toes_of(rig, side):
    """The path (20,3) m of a toe joint from frame 21 to 40."""
    path = []
    for frame in range(21, 41):
        bpy.context.scene.frame_set(frame)
        path.append(rig.matrix_world @ rig.pose.bones[f"{side}Foot"].head)
    return np.array(path)


def test_without_a_person_the_buttons_say_so(addon):
    assert not bpy.ops.meshrec.plant_again.poll() and not bpy.ops.meshrec.toggle_contact.poll()
    assert draw_panel(ContactPanel) is None
