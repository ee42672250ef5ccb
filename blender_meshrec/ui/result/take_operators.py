"""The list of a character's takes, and its buttons: play a take, delete one, or delete all but the one that plays."""

from typing import ClassVar

import bpy
from bpy.props import StringProperty

from ...scene.context import assigned_action
from ...scene.takes.new_take import show_take
from ...scene.takes.takes import is_edited, remove_take, takes_of
from ..blender_types import OperatorMixin, OperatorResult, require, set_operator_properties
from ..operator_feedback import poll_unless, report_notes, reports_errors
from ..selection import character_armature
from ..translation import translate


class _TakeOperator(OperatorMixin):
    """Works on the takes of the active character."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature_object = character_armature(context)
        has_takes = armature_object is not None and bool(takes_of(armature_object))
        return poll_unless(cls, "" if has_takes else translate("Select a character that has takes"))


class _OneTakeOperator(_TakeOperator):
    """Does something with one take, by the name of its action."""

    take: StringProperty(name="Take", description="The name of its action")

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(character_armature(context))
        take = next((take for take in takes_of(armature_object) if take.name == self.take), None)
        if take is None:
            self.report({"ERROR"}, translate('There is no take "{name}".', name=self.take))
            return {"CANCELLED"}
        self.use(armature_object, take)
        return {"FINISHED"}

    def use(self, armature_object: bpy.types.Object, take: bpy.types.Action) -> None:
        """What the operator does. Raises MeshRecError."""
        raise NotImplementedError


class ShowTake(_OneTakeOperator, bpy.types.Operator):
    """Let the character play this take"""

    bl_idname = "meshrec.show_take"
    bl_label = "Play Take"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    def use(self, armature_object: bpy.types.Object, take: bpy.types.Action) -> None:
        report_notes(self, show_take(armature_object, take))


class DeleteTake(_OneTakeOperator, bpy.types.Operator):
    """Delete this take from the file, unless something else plays its action; Undo brings it back"""

    bl_idname = "meshrec.delete_take"
    bl_label = "Delete Take"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    def use(self, armature_object: bpy.types.Object, take: bpy.types.Action) -> None:
        takes = takes_of(armature_object)
        if assigned_action(armature_object) == take and len(takes) > 1:
            show_take(armature_object, takes[-1] if takes[-1] != take else takes[-2])
        remove_take(armature_object, take)


class DeleteOtherTakes(_TakeOperator, bpy.types.Operator):
    """Delete all takes but the one that plays and those that were edited; Undo brings them back"""

    bl_idname = "meshrec.delete_other_takes"
    bl_label = "Delete Unedited Takes"
    bl_options: ClassVar = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(character_armature(context))
        playing = assigned_action(armature_object)
        others = [take for take in takes_of(armature_object) if take != playing and not is_edited(armature_object, take)]
        for take in others:
            remove_take(armature_object, take)
        self.report({"INFO"}, translate("{count} takes were deleted.", count=len(others)))
        return {"FINISHED"}


def draw_takes(layout: bpy.types.UILayout, armature_object: bpy.types.Object) -> None:
    """Draw the list of takes; nothing if there is only one."""
    takes, playing = takes_of(armature_object), assigned_action(armature_object)
    if len(takes) < 2:
        return
    box = layout.box().column(align=True)
    for take in takes:
        row = box.row(align=True)
        is_playing = take == playing
        button = row.operator("meshrec.show_take", text="", icon="RADIOBUT_ON" if is_playing else "RADIOBUT_OFF", depress=is_playing)
        set_operator_properties(button, take=take.name)
        row.prop(take, "name", text="")
        set_operator_properties(row.operator("meshrec.delete_take", text="", icon="TRASH"), take=take.name)
    box.operator("meshrec.delete_other_takes")


CLASSES = (ShowTake, DeleteTake, DeleteOtherTakes)
