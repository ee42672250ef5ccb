"""Presets of the settings, by Blender's preset system: the button in the panel's header."""

from typing import ClassVar

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from ..core.options import RECONSTRUCT_OPTIONS, SCENE_OPTIONS
from .blender_types import HasLayout, require, set_operator_properties

_FOLDER = "meshrec"
# All options, but neither the footage nor the choice of people and frames.
PRESET_SETTINGS = (
    *(option.panel_identifier for option in (*RECONSTRUCT_OPTIONS, *SCENE_OPTIONS) if option.panel),
    "match_scene",
    "frame_rate",
    "whole_frames",
    "rerun",
)


class AddPreset(AddPresetBase, bpy.types.Operator):
    """Save the settings under a name, or remove a preset"""

    bl_idname = "meshrec.add_preset"
    bl_label = "Add MeshRec Preset"
    bl_options: ClassVar = {"REGISTER", "INTERNAL"}

    preset_menu = "MESHREC_PT_presets"
    preset_subdir = _FOLDER
    preset_defines: ClassVar = ["settings = bpy.context.scene.meshrec"]
    preset_values: ClassVar = [f"settings.{name}" for name in PRESET_SETTINGS]


class MESHREC_PT_presets(HasLayout, PresetPanel, bpy.types.Panel):  # noqa: N801 - Blender opens it by the name of its class
    bl_label = "MeshRec Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = AddPreset.bl_idname

    def draw(self, context: bpy.types.Context) -> None:
        if bpy.utils.preset_paths(_FOLDER):
            super().draw(context)
            return
        # Without any preset, Blender's own menu reports a missing path.
        self.layout.label(text="No presets yet")
        row = self.layout.row()
        row.operator_context = "EXEC_DEFAULT"  # the name is given here, so no dialog is needed
        manager = require(context.window_manager)
        row.prop(manager, "preset_name", text="")
        set_operator_properties(row.operator(AddPreset.bl_idname, text="", icon="ADD"), name=manager.preset_name)


CLASSES = (AddPreset,)
