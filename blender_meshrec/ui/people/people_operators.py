"""The buttons of the list of people: merge, split, swap, leave out and take in, select a rig, and the list as a file."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...core import people_edits
from ...core.errors import InputError
from ...core.files.people_file import SUFFIX, read_people, write_people
from ...core.people_list import PeopleList
from ...scene.context import ensure_object_mode
from ...scene.takes.earlier_results import find_rigs
from ..blender_types import HasFilepath, OperatorMixin, OperatorResult, require, scene_of, settings_of
from ..jobs import jobs
from ..operator_feedback import poll_unless, reports_errors
from ..redraw import redraw
from ..selection import select_only
from ..translation import translate
from .people_state import edit_people, missing_footage, missing_people, people_of, playhead_frame


class _EditPeople(OperatorMixin):
    """An edit of the list of people: one undo step. The scene changes when the clip is solved again."""

    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_people(settings_of(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        settings = settings_of(context)
        edit_people(settings, self._edit(context, require(people_of(settings))))
        redraw()
        return {"FINISHED"}

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        raise NotImplementedError


class MergePeople(_EditPeople, bpy.types.Operator):
    """Both are the same person: the other one's frames become this one's. Where both are seen, the more confident detection counts"""

    bl_idname = "meshrec.merge_people"
    bl_label = "Merge People"

    number: IntProperty(name="Person", description="The person who stays", min=1)
    other: IntProperty(name="Other Person", description="The person who is merged", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        return people_edits.merge_people(people, self.number, [self.other])


class SplitPerson(_EditPeople, bpy.types.Operator):
    """From the playhead on this is somebody else, who becomes a new person"""

    bl_idname = "meshrec.split_person"
    bl_label = "Split at Playhead"

    number: IntProperty(name="Person", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        changed, new = people_edits.split_person(people, self.number, playhead_frame(context))
        self.report({"INFO"}, translate("Person {number} is new.", number=new))
        return changed


class SwapPeople(_EditPeople, bpy.types.Operator):
    """From the playhead on the two have changed places: exchange their frames"""

    bl_idname = "meshrec.swap_people"
    bl_label = "Swap from Playhead"

    number: IntProperty(name="Person", min=1)
    other: IntProperty(name="Other Person", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        return people_edits.swap_people(people, self.number, self.other, playhead_frame(context))


class LeaveOutPerson(_EditPeople, bpy.types.Operator):
    """Leave this person out, who is none or of no interest. The track stays in the list and can be taken in again"""

    bl_idname = "meshrec.leave_out_person"
    bl_label = "Leave Out"

    number: IntProperty(name="Person", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        return people_edits.drop_person(people, self.number)


class TakeInTrack(_EditPeople, bpy.types.Operator):
    """Make a person of this track, which belongs to nobody yet"""

    bl_idname = "meshrec.take_in_track"
    bl_label = "Take In"

    track: IntProperty(name="Track", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        return people_edits.add_track(people, self.track)[0]


class ConfirmPerson(_EditPeople, bpy.types.Operator):
    """Confirm that this is a person, who is then reconstructed with everybody"""

    bl_idname = "meshrec.confirm_person"
    bl_label = "Not Doubtful"

    number: IntProperty(name="Person", min=1)

    def _edit(self, context: bpy.types.Context, people: PeopleList) -> PeopleList:
        return people_edits.confirm_person(people, self.number)


class SelectPerson(bpy.types.Operator):
    """Select this person's armature in the scene"""

    bl_idname = "meshrec.select_person"
    bl_label = "Select Person"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    number: IntProperty(name="Person", min=1)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        layer = require(context.view_layer)
        rigs = [
            rig for rig in find_rigs(scene_of(context), settings_of(context).path, self.number, context.object) if rig.name in layer.objects
        ]
        if not rigs:
            self.report({"ERROR"}, translate("Person {number} is not in the scene yet. Solve the clip again.", number=self.number))
            return {"CANCELLED"}
        ensure_object_mode()
        select_only(context, rigs[:1])
        return {"FINISHED"}


class SavePeople(bpy.types.Operator, ExportHelper, HasFilepath):
    """Write the list of people to a file, to keep it or to use it elsewhere"""

    bl_idname = "meshrec.save_people"
    bl_label = "Save List of People"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, missing_people(settings_of(context)))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        path = Path(settings_of(context).path)
        self.filepath = str(path.with_name(f"{path.stem}{SUFFIX}"))
        return super().invoke(context, event)

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        write_people(self.filepath, require(people_of(settings_of(context))))
        return {"FINISHED"}


class LoadPeople(bpy.types.Operator, ImportHelper, HasFilepath):
    """Take over the list of people of a file"""

    bl_idname = "meshrec.load_people"
    bl_label = "Open List of People"
    bl_options: ClassVar = {"UNDO"}

    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, jobs.busy_message() or missing_footage(settings_of(context)))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        settings = settings_of(context)
        people = read_people(self.filepath)
        if settings.footage_frames and people.footage.first >= settings.footage_frames:
            raise InputError(
                "people-list-of-longer-footage",
                "{name} is the list of people of other footage.",
                "Choose the list of this footage.",
                name=Path(self.filepath).name,
            )
        edit_people(settings, people)
        redraw()
        return {"FINISHED"}


CLASSES = (
    MergePeople,
    SplitPerson,
    SwapPeople,
    LeaveOutPerson,
    TakeInTrack,
    ConfirmPerson,
    SelectPerson,
    SavePeople,
    LoadPeople,
)
