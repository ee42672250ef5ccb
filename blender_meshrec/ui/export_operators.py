"""The Export section: selected people and characters to files."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..core.errors import MeshRecError
from ..core.options import EXPORT_FORMATS
from ..scene.scene_export import export_characters
from .option_properties import enum_items
from .operators import as_meshrec_error
from .panels import SidebarTab
from .properties import EXPORT_PRESET_ITEMS
from .translation import translate, translate_error, translate_message

FORMAT_ITEMS = enum_items(EXPORT_FORMATS)


def selected_armatures(context):
    """The armatures of what is selected, the active one first."""
    chosen = [thing for thing in (context.object, *context.selected_objects) if thing is not None]
    rigs = [rig for thing in chosen if (rig := thing if thing.type == "ARMATURE" else thing.find_armature()) is not None]
    return list(dict.fromkeys(rigs))


class ExportCharacter(bpy.types.Operator, ExportHelper):
    """Write the selected people or characters to a file; the scene stays as it is"""

    bl_idname = "meshrec.export"
    bl_label = "Export Character"

    filename_ext = ""
    filter_glob: StringProperty(default=";".join(f"*{name}" for name, *_ in FORMAT_ITEMS), options={"HIDDEN"})
    file_format: EnumProperty(name="Format", description="What kind of file", items=FORMAT_ITEMS)
    preset: EnumProperty(name="For", description="The program that is to read the file", items=EXPORT_PRESET_ITEMS)
    check_extension = None

    @classmethod
    def poll(cls, context):
        if not selected_armatures(context):
            cls.poll_message_set(translate("Select a person that MeshRec has made, or your character"))
            return False
        return True

    @classmethod
    def description(cls, context, properties):
        entry = next((text for name, _, text in FORMAT_ITEMS if name == properties.file_format), "")
        what = translate(cls.__doc__)
        return f"{what}. {translate(entry)}" if properties.is_property_set("file_format") else what

    def invoke(self, context, event):
        if not self.properties.is_property_set("preset"):
            self.preset = context.scene.meshrec.export_preset
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
        name = bpy.path.clean_name(selected_armatures(context)[0].name)
        self.filepath = str(folder / f"{name}{self.file_format}")
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context):
        """Keep the name's suffix that of the format."""
        path = Path(self.filepath)
        wanted = path.with_suffix(self.file_format) if path.suffix.lower() in {name for name, *_ in FORMAT_ITEMS} else path
        changed = str(wanted) != self.filepath
        self.filepath = str(wanted)
        return changed

    def draw(self, context):
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.layout.prop(self, "file_format")
        if self.file_format == ".fbx":
            self.layout.prop(self, "preset")

    def execute(self, context):
        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() not in {name for name, *_ in FORMAT_ITEMS}:
            path = path.with_name(f"{path.name}{self.file_format}")
        try:
            notes = export_characters(path, selected_armatures(context), self.preset)
        except MeshRecError as error:
            self.report({"ERROR"}, translate_error(error))
            return {"CANCELLED"}
        except RuntimeError as error:
            self.report({"ERROR"}, translate_error(as_meshrec_error(error)))
            return {"CANCELLED"}
        self.report({"INFO"}, translate("{name} was written.", name=path.name))
        for note in notes:
            self.report({"WARNING"}, translate_message(note))
        return {"FINISHED"}


class ExportPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_export"
    bl_label = "Export"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, settings = self.layout, context.scene.meshrec
        layout.use_property_split = True
        layout.use_property_decorate = False
        rigs = selected_armatures(context)
        names = ", ".join(rig.name for rig in rigs[:2])
        if len(rigs) > 2:
            names = translate("{names} and {count} more", names=names, count=len(rigs) - 2)
        layout.label(text=names or translate("Nothing is selected"), icon="ARMATURE_DATA", translate=False)
        layout.prop(settings, "export_preset")
        grid = layout.grid_flow(columns=3, even_columns=True, align=True)
        for suffix, label, _ in FORMAT_ITEMS:
            button = grid.operator("meshrec.export", text=label)
            button.file_format, button.preset = suffix, settings.export_preset


CLASSES = (ExportCharacter, ExportPanel)
