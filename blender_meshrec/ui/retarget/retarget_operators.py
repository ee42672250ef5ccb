"""The buttons of retargeting."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import EnumProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...core.errors import InputError
from ...core.messages import Message, messages_to_text, title_of
from ...retarget.mapping.map_bones import map_bones
from ...retarget.mapping.presets import read_preset, write_preset
from ...retarget.mapping.suggestions import suggest_bones
from ...retarget.rig import SLOTS
from ...scene.character.rig_checks import check_rig
from ...scene.character.rig_reader import read_rig
from ...scene.corrections.plant_again import animation_range, retargeted_name
from ...scene.motion.armature_performance import performance_from_armature
from ...scene.retargeting.retarget import retarget_armature
from ...scene.retargeting.retarget_record import RetargetRecord, store_record
from ..blender_types import HasFilepath, OperatorMixin, OperatorResult, require, retarget_settings_of
from ..operator_feedback import poll_unless, report_notes, reports_errors
from ..translation import translate, translate_error, translate_message
from . import retarget_preview
from .retarget_choice import active_character, chosen_character, chosen_source, prefill
from .retarget_settings import RetargetSettings


class _CharacterOperator(OperatorMixin):
    """An operator on the character: needs one to be chosen, and reports errors of `_run`."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return poll_unless(cls, "" if chosen_character(context) is not None else translate("Choose your character first"))

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        prefill(context)
        self._run(context, retarget_settings_of(context))
        return {"FINISHED"}

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        raise NotImplementedError


class _SourceAndCharacterOperator(_CharacterOperator):
    """An operator that also needs the person whose motion is retargeted."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        source = chosen_source(context)
        if source is None:
            return poll_unless(cls, translate("Choose the person to retarget from first"))
        if source == chosen_character(context):
            return poll_unless(cls, translate("Person and character are the same armature"))
        return super().poll(context)


class MapBones(_CharacterOperator, bpy.types.Operator):
    """Find the character's bone for each part of the body"""

    bl_idname = "meshrec.map_bones"
    bl_label = "Find Bones"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        retarget_preview.stop()
        map_character(settings)


class Retarget(_SourceAndCharacterOperator, bpy.types.Operator):
    """Let the character move as the person does: one new action; the rig itself is not changed"""

    bl_idname = "meshrec.retarget"
    bl_label = "Retarget"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        retarget_preview.stop()
        if not settings.rows:
            map_character(settings)
        first, last = animation_range(settings.source)
        performance = performance_from_armature(settings.source, first, last)
        mapping, options = settings.get_mapping(), settings.get_options()
        name = retargeted_name(settings.source, settings.target)
        retargeted = retarget_armature(settings.target, performance, mapping, options, name, first_frame=first)
        store_record(retargeted.action, RetargetRecord(settings.source, mapping, options))
        summary = foot_contact_summary(retargeted.quality)
        settings.result = messages_to_text([summary])
        report_notes(self, retargeted.notes)
        if retargeted.obstacle is not None:
            self.report({"WARNING"}, translate_error(retargeted.obstacle))
        done = translate('"{character}" performs "{action}".', character=settings.target.name, action=retargeted.action.name)
        self.report({"INFO"}, f"{done} {translate_message(summary)}")


class Preview(_SourceAndCharacterOperator, bpy.types.Operator):
    """Show the retargeted pose of the character at the current frame; press again to restore the character"""

    bl_idname = "meshrec.retarget_preview"
    bl_label = "Preview Frame"

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        if retarget_preview.is_on():
            retarget_preview.stop()
            return
        if not settings.rows:
            map_character(settings)
        retarget_preview.start(context)


class AddMappedBone(_CharacterOperator, bpy.types.Operator):
    """Add a bone of the character to the mapping"""

    bl_idname = "meshrec.add_mapped_bone"
    bl_label = "Add Bone"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    slot: EnumProperty(name="Part", description="Which part of the body", items=tuple((slot, title_of(slot), "") for slot in SLOTS))

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        return require(context.window_manager).invoke_props_popup(self, event)

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        row = settings.rows.add()
        row.name = self.slot
        settings.active_row = len(settings.rows) - 1
        settings.name_parts()


class RemoveMappedBone(_CharacterOperator, bpy.types.Operator):
    """Take the chosen bone out of the mapping; it keeps its rest pose"""

    bl_idname = "meshrec.remove_mapped_bone"
    bl_label = "Remove Bone"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        settings.rows.remove(settings.active_row)
        settings.active_row = max(0, min(settings.active_row, len(settings.rows) - 1))
        settings.name_parts()
        retarget_preview.refresh(context)


class SaveMapping(_CharacterOperator, bpy.types.Operator, ExportHelper, HasFilepath):
    """Save the mapping as a file, to load again or to share"""

    bl_idname = "meshrec.save_mapping"
    bl_label = "Save Mapping"

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        write_preset(Path(self.filepath), settings.get_mapping())


class LoadMapping(_CharacterOperator, bpy.types.Operator, ImportHelper, HasFilepath):
    """Load a mapping that was saved"""

    bl_idname = "meshrec.load_mapping"
    bl_label = "Load Mapping"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        retarget_preview.stop()
        preset = read_preset(Path(self.filepath)).mapping
        settings.set_mapping(map_bones(read_rig(settings.target), preset))


class TakeSuggestions(_CharacterOperator, bpy.types.Operator):
    """Accept what is suggested for parts of the body without a bone"""

    bl_idname = "meshrec.take_suggestions"
    bl_label = "Take All Suggestions"
    bl_options: ClassVar = {"REGISTER", "UNDO", "INTERNAL"}

    row: IntProperty(name="Row", description="Of the list; -1 for all", default=-1, options={"SKIP_SAVE"})

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        for number, row in enumerate(settings.rows):
            if self.row in (-1, number) and row.suggestion and not row.bone:
                row.bone, row.suggestion = row.suggestion, ""


class UseActiveCharacter(bpy.types.Operator):
    """Retarget to the active armature"""

    bl_idname = "meshrec.use_active_character"
    bl_label = "Use Active"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_character(context) is not None

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        retarget_settings_of(context).target = active_character(context)
        return {"FINISHED"}


class TakePoseCorrection(_CharacterOperator, bpy.types.Operator):
    """Turn bones in every frame as you have turned them in the preview"""

    bl_idname = "meshrec.take_pose_correction"
    bl_label = "Adjust from Pose"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        reason = "" if retarget_preview.is_on() else translate("Switch the preview on, then turn bones of your character in Pose Mode")
        return poll_unless(cls, reason)

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        turned = retarget_preview.posed_by_hand(context)
        with retarget_preview.refreshed_once(context):
            for row in [row for row in settings.rows if row.bone in turned]:
                row.offset = (row.offset.to_quaternion() @ turned[row.bone]).to_euler()
        self.report({"INFO"}, translate("{count} bones adjusted.", count=len(turned)))


class ClearCorrections(_CharacterOperator, bpy.types.Operator):
    """Take back all offsets, influences and changes of the path"""

    bl_idname = "meshrec.clear_corrections"
    bl_label = "Clear Adjustments"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    def _run(self, context: bpy.types.Context, settings: RetargetSettings) -> None:
        with retarget_preview.refreshed_once(context):
            settings.clear_tuning()


def map_character(settings: RetargetSettings) -> None:
    """Find the bones of the character and fill the list with them; where that fails, with what is suggested.

    Raises:
        MeshRecError: the rig cannot be used, or has no human body.
    """
    check_rig(settings.target)
    rig = read_rig(settings.target)
    try:
        settings.set_mapping(map_bones(rig))
    except InputError:
        settings.suggest(suggest_bones(rig))
        raise


def foot_contact_summary(quality: Mapping[str, float]) -> Message:
    """How far the feet slide during contacts, in English."""
    before, after = quality.get("foot_slide_before"), quality.get("foot_slide_after")
    if before is None or after is None or math.isnan(before) or math.isnan(after):
        return Message("retarget-without-contact", "No foot touches the floor.")
    text = "Feet slide {after:.1f} cm/s where they touch; {before:.1f} without contacts kept."
    return Message("retarget-feet-slide", text, after=after, before=before)


CLASSES = (
    MapBones,
    Retarget,
    Preview,
    AddMappedBone,
    RemoveMappedBone,
    SaveMapping,
    LoadMapping,
    TakeSuggestions,
    UseActiveCharacter,
    TakePoseCorrection,
    ClearCorrections,
)
