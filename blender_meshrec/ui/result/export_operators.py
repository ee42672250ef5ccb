"""The Export section: writes the selected people and characters to files."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...core.errors import MeshRecError
from ...core.files.user_folders import home_folder
from ..blender_types import HasFilepath, HasLayout, OperatorResult, require, set_operator_properties, settings_of
from ..jobs.job_operator import as_meshrec_error
from ..layouts import align_properties
from ..operator_feedback import poll_unless, report_error, report_notes
from ..properties import EXPORT_PRESET_ITEMS
from ..selection import selected_armatures
from ..sidebar import SidebarTab
from ..translation import translate

FORMAT_ITEMS = (
    (".fbx", "FBX", "Armature, mesh and animation, for engines and other 3D programs"),
    (".glb", "glTF", "Armature, mesh and animation in one .glb, for the web and engines"),
    (".usdc", "USD", "Skeleton, mesh and animation, for film pipelines"),
    (".bvh", "BVH", "The skeleton's motion alone"),
    (".npz", "NPZ", "SMPL parameters and camera, for research and for MeshRec's own Import"),
)
_SUFFIXES = tuple(suffix for suffix, *_ in FORMAT_ITEMS)


class ExportCharacter(HasLayout, bpy.types.Operator, ExportHelper, HasFilepath):
    """Write the selected people or characters to a file; the scene stays as it is"""

    bl_idname = "meshrec.export"
    bl_label = "Export Character"

    filename_ext = ""
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in _SUFFIXES), options={"HIDDEN"})
    file_format: EnumProperty(name="Format", description="The format of the file", items=FORMAT_ITEMS)
    preset: EnumProperty(name="For", description="The program that is to read the file", items=EXPORT_PRESET_ITEMS)
    check_extension: bool | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        is_selected = bool(selected_armatures(context))
        return poll_unless(cls, "" if is_selected else translate("Select a person that MeshRec has made, or your character"))

    @classmethod
    def description(cls, context: bpy.types.Context, properties: "ExportCharacter") -> str:
        format_description = next((text for suffix, _, text in FORMAT_ITEMS if suffix == properties.file_format), "")
        own_description = translate(require(cls.__doc__))
        return f"{own_description}. {translate(format_description)}" if properties.is_property_set("file_format") else own_description

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        if not self.properties.is_property_set("preset"):
            self.preset = settings_of(context).export_preset
        folder = Path(bpy.data.filepath).parent if bpy.data.filepath else home_folder()
        name = bpy.path.clean_name(selected_armatures(context)[0].name)
        self.filepath = str(folder / f"{name}{self.file_format}")
        require(context.window_manager).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: bpy.types.Context) -> bool:
        """Keep the suffix of the file name that of the format."""
        path = Path(self.filepath)
        wanted = path.with_suffix(self.file_format) if path.suffix.lower() in _SUFFIXES else path
        is_changed = str(wanted) != self.filepath
        self.filepath = str(wanted)
        return is_changed

    def draw(self, context: bpy.types.Context) -> None:
        align_properties(self.layout)
        self.layout.prop(self, "file_format")
        if self.file_format == ".fbx":
            self.layout.prop(self, "preset")

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        from ...scene.export.scene_export import export_characters  # imported late: enabling stays fast

        path = Path(bpy.path.abspath(self.filepath))
        if path.suffix.lower() not in _SUFFIXES:
            path = path.with_name(f"{path.name}{self.file_format}")
        try:
            with_camera = settings_of(context).with_camera
            notes = export_characters(path, selected_armatures(context), self.preset, with_camera=with_camera)
        except (MeshRecError, RuntimeError) as error:
            return report_error(self, as_meshrec_error(error))
        self.report({"INFO"}, translate("{name} was written.", name=path.name))
        report_notes(self, notes)
        return {"FINISHED"}


class ExportPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_export"
    bl_label = "Export"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context)
        align_properties(layout)
        rigs = selected_armatures(context)
        names = ", ".join(rig.name for rig in rigs[:2])
        if len(rigs) > 2:
            names = translate("{names} and {count} more", names=names, count=len(rigs) - 2)
        layout.label(text=names or translate("Nothing is selected"), icon="ARMATURE_DATA", translate=False)
        layout.prop(settings, "export_preset")
        layout.prop(settings, "with_camera")
        grid = layout.grid_flow(columns=3, even_columns=True, align=True)
        for suffix, label, _ in FORMAT_ITEMS:
            button = grid.operator("meshrec.export", text=label)
            set_operator_properties(button, file_format=suffix, preset=settings.export_preset)


CLASSES = (ExportCharacter, ExportPanel)
