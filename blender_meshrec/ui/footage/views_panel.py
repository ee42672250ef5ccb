"""The section Several Cameras: the footage of further cameras that filmed the same scene, and their calibration."""

from pathlib import Path
from typing import ClassVar

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ..blender_types import HasFilepath, OperatorResult, set_operator_properties, settings_of
from ..operator_feedback import reports_errors
from ..redraw import redraw
from ..sidebar import ReconstructionSection, prepare_settings
from ..translation import translate
from .footage import KEYPOINT_SUFFIXES, VIDEO_SUFFIXES
from .footage_operators import check_exists


class AddViews(bpy.types.Operator, ImportHelper, HasFilepath):
    """Choose the files of further cameras that filmed the same scene: their views become one result"""

    bl_idname = "meshrec.add_views"
    bl_label = "Add Views"
    bl_options: ClassVar = {"UNDO"}

    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in (*VIDEO_SUFFIXES, *KEYPOINT_SUFFIXES)), options={"HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})
    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})

    @reports_errors
    def execute(self, context: bpy.types.Context) -> OperatorResult:
        settings = settings_of(context)
        chosen = [Path(self.directory) / file.name for file in self.files if file.name] or [Path(self.filepath)]
        known = {settings.path, *(bpy.path.abspath(view.path) for view in settings.views)}
        for path in (path for path in chosen if str(path) not in known):
            check_exists(path)
            settings.views.add().path = str(path)
        redraw()
        return {"FINISHED"}


class RemoveView(bpy.types.Operator):
    """Leave this view out"""

    bl_idname = "meshrec.remove_view"
    bl_label = "Remove View"
    bl_options: ClassVar = {"UNDO", "INTERNAL"}

    index: IntProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        views = settings_of(context).views
        if not 0 <= self.index < len(views):
            return {"CANCELLED"}
        views.remove(self.index)
        return {"FINISHED"}


class ViewsPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_views"
    bl_label = "Several Cameras"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        column = layout.column(align=True)
        for index, view in enumerate(settings.views):
            row = column.row(align=True)
            row.prop(view, "path", text="")
            set_operator_properties(row.operator("meshrec.remove_view", text="", icon="X"), index=index)
        layout.operator("meshrec.add_views", icon="ADD")
        row = layout.row()
        row.active = len(settings.views) > 0
        row.prop(settings, "calibration", placeholder=translate("From the people"))


CLASSES = (AddViews, RemoveView, ViewsPanel)
