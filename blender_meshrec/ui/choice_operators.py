"""Small buttons of the panel: whom, which files, and what to do about a message."""

from typing import ClassVar

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..scene.confidence import colour_bones, is_coloured_by_confidence, restore_side_colours
from . import jobs
from .preferences import ADDON
from .redraw import redraw
from .translation import translate

_MODEL_ITEMS = (("body", "Body", "An SMPL, SMPL-H or SMPL-X file"), ("skel_body", "SKEL", "A SKEL file"))


class ChoosePerson(bpy.types.Operator):
    """Reconstruct this person; what was seen in the footage is kept, so that it is quick"""

    bl_idname = "meshrec.choose_person"
    bl_label = "Choose Person"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    number: IntProperty(name="Number", description="0: everybody", min=0)

    def execute(self, context):
        settings = context.scene.meshrec
        settings.person = "ONE" if self.number else "ALL"
        settings.person_number = max(1, self.number)
        return {"FINISHED"}


class ChooseModel(bpy.types.Operator, ImportHelper):
    """Choose your own model file"""

    bl_idname = "meshrec.choose_model"
    bl_label = "Choose Model File"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    filter_glob: StringProperty(default="*.npz;*.pkl", options={"HIDDEN"})
    which: EnumProperty(name="Model", items=_MODEL_ITEMS, options={"HIDDEN"})

    def execute(self, context):
        setattr(context.scene.meshrec, self.which, self.filepath)
        jobs.dismiss()
        return {"FINISHED"}


class UseOpenModel(bpy.types.Operator):
    """Go without your own file: take the one that comes with MeshRec"""

    bl_idname = "meshrec.use_open_model"
    bl_label = "Use the Open Model"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    which: EnumProperty(name="Model", items=_MODEL_ITEMS)

    def execute(self, context):
        setattr(context.scene.meshrec, self.which, "")
        jobs.dismiss()
        return {"FINISHED"}


class OpenPreferences(bpy.types.Operator):
    """Show MeshRec's page in Blender's preferences"""

    bl_idname = "meshrec.open_preferences"
    bl_label = "Open Preferences"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, context):
        return ADDON in context.preferences.addons

    def execute(self, context):
        return bpy.ops.preferences.addon_show(module=ADDON)


class Dismiss(bpy.types.Operator):
    """Take the message away"""

    bl_idname = "meshrec.dismiss"
    bl_label = "Dismiss"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, context):
        jobs.dismiss()
        redraw()
        return {"FINISHED"}


class ToggleConfidence(bpy.types.Operator):
    """Colour the bones by how sure the result is of them, red to green; or by side, as other rigs have them"""

    bl_idname = "meshrec.toggle_confidence"
    bl_label = "Confidence Colours"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        if result_rig(context) is None:
            cls.poll_message_set(translate("Select a person that MeshRec has made"))
            return False
        return True

    def execute(self, context):
        rig = result_rig(context)
        if is_coloured_by_confidence(rig):
            restore_side_colours(rig)
        else:
            colour_bones(rig, rig["confidence"])
        return {"FINISHED"}


class CopyReport(bpy.types.Operator):
    """Copy the whole report of this result to the clipboard; it is also a text block of the file"""

    bl_idname = "meshrec.copy_report"
    bl_label = "Copy Report"

    @classmethod
    def poll(cls, context):
        return report_text(result_rig(context)) is not None

    def execute(self, context):
        text = report_text(result_rig(context))
        context.window_manager.clipboard = text.as_string()
        self.report({"INFO"}, translate('The report is on the clipboard, and the text block "{name}" of this file.', name=text.name))
        return {"FINISHED"}


def result_rig(context):
    """The armature of the selected result: the active object, or what it belongs to; None where it is no result."""
    thing = context.object
    while thing is not None and "quality" not in thing:
        thing = thing.parent
    return thing if thing is not None and thing.type == "ARMATURE" else None


def report_text(rig):
    """The text block with an armature's report, or None."""
    return None if rig is None else rig.get("report")


CLASSES = (ChoosePerson, ChooseModel, UseOpenModel, OpenPreferences, Dismiss, ToggleConfidence, CopyReport)
