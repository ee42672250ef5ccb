"""The buttons that choose a person, a model file or bone colours, and those that answer a message."""

from typing import ClassVar

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..scene.person.confidence import SHOWN_PROPERTY, is_confidence_shown
from .blender_types import HasFilepath, OperatorResult, require, settings_of
from .jobs import jobs
from .operator_feedback import poll_unless
from .redraw import redraw, redraw_views
from .selection import missing_person, result_armature
from .setup.preferences import ADDON

_MODEL_ITEMS = (("body", "Body", "An SMPL, SMPL-H or SMPL-X file"), ("skel_body", "SKEL", "A SKEL file"))


class ChoosePerson(bpy.types.Operator):
    """Reconstruct this person; the detections in the footage are cached, so that it is quick"""

    bl_idname = "meshrec.choose_person"
    bl_label = "Choose Person"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    number: IntProperty(name="Number", description="0: everybody", min=0)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        settings = settings_of(context)
        settings.person = "ONE" if self.number else "ALL"
        settings.person_number = max(1, self.number)
        return {"FINISHED"}


class ChooseModel(bpy.types.Operator, ImportHelper, HasFilepath):
    """Choose your own model file"""

    bl_idname = "meshrec.choose_model"
    bl_label = "Choose Model File"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    filter_glob: StringProperty(default="*.npz;*.pkl", options={"HIDDEN"})
    which: EnumProperty(name="Model", items=_MODEL_ITEMS, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        setattr(settings_of(context), self.which, self.filepath)
        jobs.dismiss()
        return {"FINISHED"}


class UseOpenModel(bpy.types.Operator):
    """Use the file that comes with MeshRec instead of your own"""

    bl_idname = "meshrec.use_open_model"
    bl_label = "Use the Open Model"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    which: EnumProperty(name="Model", items=_MODEL_ITEMS)

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        setattr(settings_of(context), self.which, "")
        jobs.dismiss()
        return {"FINISHED"}


class OpenPreferences(bpy.types.Operator):
    """Show MeshRec's page in Blender's preferences"""

    bl_idname = "meshrec.open_preferences"
    bl_label = "Open Preferences"
    bl_options: ClassVar = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return ADDON in require(context.preferences).addons

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        return bpy.ops.preferences.addon_show(module=ADDON)  # pyrefly: ignore[bad-return]  the stub declares None


class Dismiss(bpy.types.Operator):
    """Close this message"""

    bl_idname = "meshrec.dismiss"
    bl_label = "Dismiss"
    bl_options: ClassVar = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        jobs.dismiss()
        redraw()
        return {"FINISHED"}


class ToggleConfidence(bpy.types.Operator):
    """Draw a dot at each joint, in every mode: red where the result is unsure of it at the current frame, green where it is sure"""

    bl_idname = "meshrec.toggle_confidence"
    bl_label = "Show Confidence"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, missing_person(result_armature(context)))

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        armature_object = require(result_armature(context))
        armature_object[SHOWN_PROPERTY] = not is_confidence_shown(armature_object)
        redraw_views(context)
        return {"FINISHED"}


CLASSES = (ChoosePerson, ChooseModel, UseOpenModel, OpenPreferences, Dismiss, ToggleConfidence)
