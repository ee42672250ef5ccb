"""The Retarget section of the MeshRec tab: person, character, options, corrections, bone mapping, and how far the feet slide."""

from typing import ClassVar

import bpy

from ...core.messages import messages_from_text
from ...retarget.rig import INFLUENCE_PARTS
from ...scene.context import expect_type
from ..blender_types import retarget_settings_of, set_operator_properties
from ..layouts import align_properties, draw_text, is_wide
from ..sidebar import SidebarTab
from ..translation import translate, translate_message
from . import retarget_preview
from .retarget_choice import active_character, prefill_soon
from .retarget_settings import MappedBone, RetargetSettings

_DRAW_PROPERTY = bpy.types.UILayout.bl_rna.functions["prop"]  # pyrefly: ignore[missing-attribute]  bl_rna is a Struct
_ICONS = expect_type(_DRAW_PROPERTY.parameters["icon"], bpy.types.EnumProperty).enum_items.keys()
# Blender 4.4 renamed these icons.
_COLOUR_ICON_PREFIX = "STRIP_COLOR_" if "STRIP_COLOR_01" in _ICONS else "SEQUENCE_COLOR_"
_HIGH_CONFIDENCE, _MEDIUM_CONFIDENCE = 0.75, 0.5
_FOUND_BY_LABELS = {
    "preset": "found by a preset",
    "vrm": "found by the file's own map",
    "names": "found by names",
    "geometry": "found by shape alone",
}


def confidence_icon(confidence: float) -> str:
    """The icon for a confidence: green, yellow or red."""
    color = "04" if confidence >= _HIGH_CONFIDENCE else "03" if confidence >= _MEDIUM_CONFIDENCE else "01"
    return _COLOUR_ICON_PREFIX + color


class MappingList(bpy.types.UIList):
    bl_idname = "MESHREC_UL_mapping"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        settings: RetargetSettings,
        row: MappedBone,
        icon: int,
        active_settings: RetargetSettings,
        active_property: str,
        index: int = 0,
    ) -> None:
        wide = is_wide(context)
        split = layout.split(factor=0.4 if wide else 0.5, align=True)
        slot_icon = confidence_icon(row.confidence) if row.bone else "BLANK1"
        split.label(text=row.label, icon=slot_icon, translate=False)
        bones = split.row(align=True)
        if wide:  # otherwise it is below the list, for the chosen row
            bones.label(text=row.source, translate=False)
        if settings.target is None:
            bones.label(text=row.shown, translate=False)
            return
        bones.prop_search(row, "shown", settings, "bone_names", text="")
        if row.suggestion and not row.bone:
            button = bones.operator("meshrec.take_suggestions", text="", icon="QUESTION")
            set_operator_properties(button, row=index)

    def filter_items(self, context: bpy.types.Context, settings: RetargetSettings, name: str) -> tuple[list[int], list[int]]:
        """Search by the names of slots and bones; returns the flags of the rows, and no order of their own."""
        wanted = self.filter_name.lower()
        if not wanted:
            return [], []
        is_shown = [wanted in f"{row.label} {row.bone} {row.source}".lower() for row in getattr(settings, name)]
        return [self.bitflag_filter_item if shown else 0 for shown in is_shown], []


class RetargetPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_retarget"
    bl_label = "Retarget"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, retarget_settings_of(context)
        prefill_soon(context)
        align_properties(layout)
        layout.prop(settings, "source")
        row = layout.row(align=True)
        row.prop(settings, "target")
        if active_character(context) not in (None, settings.target):
            row.operator("meshrec.use_active_character", text="", icon="RESTRICT_SELECT_OFF")
        for name in ("root", "feet", "hands"):
            layout.prop(settings, name)
        if settings.controls:
            layout.prop(settings, "drive")
        row = layout.row(align=True)
        row.scale_y = 1.5
        row.operator("meshrec.retarget", icon="ARMATURE_DATA")
        row.operator("meshrec.retarget_preview", text="", icon="HIDE_OFF", depress=retarget_preview.is_on())
        for sentence in messages_from_text(settings.result):
            draw_text(layout.box(), translate_message(sentence), context, icon="INFO")


class MappingPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_mapping"
    bl_label = "Mapping"
    bl_parent_id = "MESHREC_PT_retarget"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, retarget_settings_of(context)
        layout.operator("meshrec.map_bones", icon="VIEWZOOM")
        if settings.rows:
            found_by = translate(_FOUND_BY_LABELS.get(settings.found_by, "found by hand"))
            layout.label(text=", ".join(part for part in (settings.convention, found_by) if part), translate=False)
        if any(row.suggestion and not row.bone for row in settings.rows):
            everything = layout.operator("meshrec.take_suggestions", icon="QUESTION")
            set_operator_properties(everything, row=-1)
        column = layout.column(align=True)
        column.template_list("MESHREC_UL_mapping", "", settings, "rows", settings, "active_row", rows=6)
        buttons = column.row(align=True)  # below: beside the list, they would take the room of names
        buttons.operator("meshrec.add_mapped_bone", text="", icon="ADD")
        buttons.operator("meshrec.remove_mapped_bone", text="", icon="REMOVE")
        buttons.operator("meshrec.load_mapping", text="", icon="IMPORT")
        buttons.operator("meshrec.save_mapping", text="", icon="EXPORT")
        if 0 <= settings.active_row < len(settings.rows):
            _draw_bone(layout, settings.rows[settings.active_row])


class TuningPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_tuning"
    bl_label = "Adjustments"
    bl_parent_id = "MESHREC_PT_retarget"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, retarget_settings_of(context)
        align_properties(layout)
        column = layout.column(align=True)
        column.label(text="Influence")
        for part in INFLUENCE_PARTS:
            column.prop(settings, f"influence_{part}", slider=True)
        column = layout.column()
        column.label(text="Path")
        for name in ("path_offset", "heading", "path_scale"):
            column.prop(settings, name)
        row = layout.row(align=True)
        row.operator("meshrec.take_pose_correction", icon="POSE_HLT")
        row.operator("meshrec.clear_corrections", text="", icon="X")


def _draw_bone(layout: bpy.types.UILayout, row: MappedBone) -> None:
    """The correction of the chosen bone."""
    column = layout.column(align=True)
    column.enabled = bool(row.bone)
    if row.source:
        column.label(text=translate("{bone} follows {source}", bone=row.shown or row.label, source=row.source), translate=False)
    column.prop(row, "offset")


CLASSES = (MappingList, RetargetPanel, MappingPanel, TuningPanel)
