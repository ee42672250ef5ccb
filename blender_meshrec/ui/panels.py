"""The MeshRec tab in the 3D view's sidebar (N)."""

import textwrap
from typing import ClassVar

import bpy

from . import jobs

_CHARACTER = 7.0  # px of one, at a scale of 1: what fits in a line of the panel


class _Tab:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshRec"


class MainPanel(_Tab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_main"
    bl_label = "MeshRec"

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, job = context.scene.meshrec, jobs.current
        column = layout.column()
        column.enabled = job is None or not job.running
        column.prop(settings, "source")
        column.prop(settings, "person")
        if settings.person == "ONE":
            column.prop(settings, "person_number")
        if job is not None and job.running:
            layout.progress(factor=job.fraction, text=job.text)
            layout.operator("meshrec.cancel", icon="CANCEL")
        else:
            button = layout.row()
            button.scale_y = 1.5
            button.operator("meshrec.reconstruct", icon="ARMATURE_DATA")
        if job is not None and job.error is not None:
            _draw_error(layout, job.error, context)
        elif job is not None:
            for note in job.notes:
                _draw_text(layout.box(), note, context, icon="INFO")


class OptionsPanel(_Tab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_options"
    bl_label = "Options"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.meshrec
        layout.prop(settings, "match_scene")
        layout.prop(settings, "use_range")
        if settings.use_range:
            column = layout.column(align=True)
            column.prop(settings, "first_frame")
            column.prop(settings, "last_frame")
        layout.prop(settings, "body")
        for name in ("smoothing", "contacts", "upright", "detector", "method", "device"):
            layout.prop(settings, name)
        layout.operator("meshrec.import_motion", icon="IMPORT")


def _draw_error(layout, error, context):
    box = layout.box()
    _draw_text(box, error.problem, context, icon="ERROR", alert=True)
    _draw_text(box, error.remedy, context)
    box.operator("meshrec.copy_details", icon="COPYDOWN")


def _draw_text(layout, text, context, icon="NONE", alert=False):
    """A sentence in as many lines as the panel's width asks for."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    width = context.region.width / (_CHARACTER * scale) - 6
    column = layout.column(align=True)
    column.alert = alert
    for line in textwrap.wrap(text, max(16, int(width))):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"


CLASSES = (MainPanel, OptionsPanel)
