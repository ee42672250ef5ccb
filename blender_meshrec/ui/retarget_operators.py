"""The buttons of retargeting: each gathers settings, calls one function and reports."""

import math
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..core.errors import MeshRecError
from ..core.messages import Message, messages_to_text
from ..retarget.mapping.map_bones import map_bones
from ..retarget.mapping.presets import read_preset, write_preset
from ..retarget.rig import SLOTS
from ..scene.armature_performance import performance_from_armature
from ..scene.retarget import retarget_armature
from ..scene.rig_checks import check_rig
from ..scene.rig_reader import read_rig
from . import retarget_preview
from .retarget_settings import slot_label
from .translation import translate, translate_error, translate_message


class _CharacterOperator:
    """A button of retargeting: needs a character, tells errors as sentences."""

    @classmethod
    def poll(cls, context):
        if context.scene.meshrec_retarget.target is None:
            cls.poll_message_set(translate("Choose your character first"))
            return False
        return True

    def execute(self, context):
        try:
            self._run(context, context.scene.meshrec_retarget)
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class _SourceAndCharacterOperator(_CharacterOperator):
    """It also needs a person whose movement is wanted."""

    @classmethod
    def poll(cls, context):
        settings = context.scene.meshrec_retarget
        if settings.source is None:
            cls.poll_message_set(translate("Choose the person whose movement is wanted first"))
            return False
        if settings.source == settings.target:
            cls.poll_message_set(translate("Person and character are the same armature"))
            return False
        return super().poll(context)


class MapBones(_CharacterOperator, bpy.types.Operator):
    """Find out which bone of the character is which part of a body"""

    bl_idname = "meshrec.map_bones"
    bl_label = "Find Bones"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _run(self, context, settings):
        retarget_preview.stop()
        check_rig(settings.target)
        settings.set_mapping(map_bones(read_rig(settings.target)))


class Retarget(_SourceAndCharacterOperator, bpy.types.Operator):
    """Let the character move as the person does: one new action; the rig itself is not changed"""

    bl_idname = "meshrec.retarget"
    bl_label = "Retarget"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _run(self, context, settings):
        retarget_preview.stop()
        if not settings.rows:
            check_rig(settings.target)
            settings.set_mapping(map_bones(read_rig(settings.target)))
        performance = performance_from_armature(settings.source, *animation_range(settings.source, context.scene))
        made = retarget_armature(settings.target, performance, settings.get_mapping(), settings.get_options())
        summary = foot_contact_summary(made.quality)
        settings.result = messages_to_text([summary])
        for note in made.notes:
            self.report({"WARNING"}, translate_message(note))
        done = translate('"{character}" performs "{action}".', character=settings.target.name, action=made.action.name)
        self.report({"INFO"}, f"{done} {translate_message(summary)}")


class Preview(_SourceAndCharacterOperator, bpy.types.Operator):
    """Show the character at the current frame as it would be; press again to put it back"""

    bl_idname = "meshrec.retarget_preview"
    bl_label = "Preview Frame"

    def _run(self, context, settings):
        if retarget_preview.is_on():
            retarget_preview.stop()
            return
        if not settings.rows:
            check_rig(settings.target)
            settings.set_mapping(map_bones(read_rig(settings.target)))
        retarget_preview.start(context)


class AddMappedBone(_CharacterOperator, bpy.types.Operator):
    """Add a bone of the character to the mapping"""

    bl_idname = "meshrec.add_mapped_bone"
    bl_label = "Add Bone"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    slot: EnumProperty(name="Part", description="Which part of the body", items=tuple((slot, slot_label(slot), "") for slot in SLOTS))

    def invoke(self, context, event):
        return context.window_manager.invoke_props_popup(self, event)

    def _run(self, context, settings):
        row = settings.rows.add()
        row.name = self.slot
        settings.active_row = len(settings.rows) - 1


class RemoveMappedBone(_CharacterOperator, bpy.types.Operator):
    """Take the chosen bone out of the mapping; it keeps its rest pose"""

    bl_idname = "meshrec.remove_mapped_bone"
    bl_label = "Remove Bone"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    def _run(self, context, settings):
        settings.rows.remove(settings.active_row)
        settings.active_row = max(0, min(settings.active_row, len(settings.rows) - 1))
        retarget_preview.refresh(context)


class SaveMapping(_CharacterOperator, bpy.types.Operator, ExportHelper):
    """Save the mapping as a file, to load again or to share"""

    bl_idname = "meshrec.save_mapping"
    bl_label = "Save Mapping"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def _run(self, context, settings):
        write_preset(Path(self.filepath), settings.get_mapping())


class LoadMapping(_CharacterOperator, bpy.types.Operator, ImportHelper):
    """Load a mapping that was saved"""

    bl_idname = "meshrec.load_mapping"
    bl_label = "Load Mapping"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def _run(self, context, settings):
        retarget_preview.stop()
        preset = read_preset(Path(self.filepath)).mapping
        settings.set_mapping(map_bones(read_rig(settings.target), preset))


def animation_range(armature_object, scene):
    """The first and last frame of what an armature does: its action's, or the scene's where it has none."""
    action = armature_object.animation_data and armature_object.animation_data.action
    if action is None:
        return scene.frame_start, scene.frame_end
    first, last = action.frame_range
    return math.floor(first), math.ceil(last)


def foot_contact_summary(quality):
    """What became of the feet, in plain English."""
    before, after = (quality.get(f"foot_slide_{when}") for when in ("before", "after"))
    if None in (before, after) or math.isnan(before) or math.isnan(after):
        return Message("retarget-without-contact", "No foot touches the floor.")
    text = "Feet slide {after:.1f} cm/s where they touch; {before:.1f} without contacts kept."
    return Message("retarget-feet-slide", text, after=after, before=before)


CLASSES = (MapBones, Retarget, Preview, AddMappedBone, RemoveMappedBone, SaveMapping, LoadMapping)
