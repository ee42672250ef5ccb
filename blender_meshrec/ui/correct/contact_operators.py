"""The buttons of contacts: switches of the contact channels, and planting by them."""

from typing import ClassVar

import bpy
from bpy.props import EnumProperty

from ...core.body_contacts import CONTACT_PARTS
from ...core.errors import MeshRecError
from ...core.files.body_template import load_body
from ...core.messages import title_of
from ...scene.context import assigned_action
from ...scene.corrections.contact_channels import has_contact_channels, is_touching, set_contact, touching_run
from ...scene.corrections.plant_again import animation_range, plant_character, plant_person, unheld_notes
from ...scene.retargeting.retarget_record import characters_of, read_record
from ...scene.takes.new_take import BODY_PROPERTY
from ...scene.takes.played_take import changed_strip, check_strip, timeline_shift
from ..blender_types import OperatorResult, require, scene_of
from ..jobs import jobs
from ..operator_feedback import poll_unless, report_notes, reports_errors
from ..selection import missing_person, selected_armatures
from ..translation import translate, translate_error


def contact_person(context: bpy.types.Context) -> bpy.types.Object | None:
    """The armature whose contact channels the panel shows: the selected person, or the one that the selected character follows."""
    for armature_object in selected_armatures(context)[:1]:
        if has_contact_channels(armature_object) or changed_strip(armature_object) is not None:
            return armature_object
        record = read_record(assigned_action(armature_object))
        if record is not None and has_contact_channels(record.source):
            return record.source
    return None


class ToggleContact(bpy.types.Operator):
    """Switch a contact on or off from the current frame up to the next change; with the whole run, from where it began"""

    bl_idname = "meshrec.toggle_contact"
    bl_label = "Toggle Contact"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    part: EnumProperty(name="Part", description="The part that touches", items=tuple((part, title_of(part), "") for part in CONTACT_PARTS))
    extent: EnumProperty(
        name="Extent",
        description="Which frames are switched",
        items=(
            ("FROM_HERE", "From Here", "From the current frame up to the next change"),
            ("RUN", "Whole Run", "The whole contact, or the whole gap, around the current frame"),
        ),
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, missing_person(contact_person(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(contact_person(context))
        check_strip(armature_object)
        shift = round(timeline_shift(armature_object))
        frame, (start, end) = scene_of(context).frame_current - shift, animation_range(armature_object)
        limits = start - shift, end - shift
        frame = min(max(frame, limits[0]), limits[1])
        is_on = is_touching(armature_object, self.part, frame)
        first, last = touching_run(armature_object, self.part, frame, limits)
        set_contact(armature_object, self.part, frame if self.extent == "FROM_HERE" else first, last, not is_on)
        armature_object.update_tag()
        return {"FINISHED"}


class PlantAgain(bpy.types.Operator):
    """Hold heels, toes, hands, knees and seat where the contacts say, without the footage; characters that follow the person too"""

    bl_idname = "meshrec.plant_again"
    bl_label = "Plant Again"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_person(contact_person(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        person = require(contact_person(context))
        body = load_body(person.get(BODY_PROPERTY, ["open"])[0])
        count = plant_person(person, body)
        characters = characters_of(person)
        for character in characters:
            try:
                result = plant_character(character)
            except MeshRecError as error:
                self.report({"WARNING"}, translate_error(error))
                continue
            report_notes(self, result.notes)
            if result.obstacle is not None:
                self.report({"WARNING"}, translate_error(result.obstacle))
        template = (
            "Planted again: {frames} frames changed." if not characters else "Planted again: {frames} frames changed, {count} characters."
        )
        self.report({"INFO"}, translate(template, frames=count, count=len(characters)))
        report_notes(self, unheld_notes(person, body))
        return {"FINISHED"}


CLASSES = (ToggleContact, PlantAgain)
