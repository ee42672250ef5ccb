"""Settings under a name, by Blender's own presets: the button in the panel's header."""

from typing import ClassVar

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

_FOLDER = "meshrec"
# Everything that is a matter of taste; neither the footage nor whom and which part of it.
PRESET_SETTINGS = (
    "detector", "method", "quality", "device", "skeleton", "body", "skel_body", "smoothing", "contacts", "upright",
    "match_scene", "rerun", "export_preset", "stretch", "surface",
)  # fmt: skip


class AddPreset(AddPresetBase, bpy.types.Operator):
    """Keep the settings under a name, or remove a preset"""

    bl_idname = "meshrec.add_preset"
    bl_label = "Add MeshRec Preset"
    bl_options: ClassVar = {"REGISTER", "INTERNAL"}

    preset_menu = "MESHREC_PT_presets"
    preset_subdir = _FOLDER
    preset_defines: ClassVar = ["settings = bpy.context.scene.meshrec"]
    preset_values: ClassVar = [f"settings.{name}" for name in PRESET_SETTINGS]


class MESHREC_PT_presets(PresetPanel, bpy.types.Panel):  # noqa: N801 - Blender opens it by the name of its class
    bl_label = "MeshRec Presets"
    preset_subdir = _FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = AddPreset.bl_idname

    def draw(self, context):
        if bpy.utils.preset_paths(_FOLDER):
            super().draw(context)
            return
        # Where there is no preset yet, Blender would complain of a missing path.
        self.layout.label(text="No presets yet")
        row = self.layout.row()
        row.operator_context = "EXEC_DEFAULT"  # the name is here; no dialog has to ask for it
        row.prop(context.window_manager, "preset_name", text="")
        row.operator(AddPreset.bl_idname, text="", icon="ADD").name = context.window_manager.preset_name


CLASSES = (AddPreset,)
