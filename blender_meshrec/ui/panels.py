"""The MeshRec tab in the 3D view's sidebar (N): from footage to people."""

from typing import ClassVar

import bpy

from ..core.errors import NotSetUpError
from . import jobs
from .presets import MESHREC_PT_presets
from .properties import item_description
from .remedies import buttons_for
from .setup_box import draw_setup
from .text import draw_text
from .thumbnails import portrait_icon, thumbnail_icon
from .translation import translate, translate_message

_THUMBNAIL_SCALE, _PORTRAIT_SCALE = 7.0, 2.0  # icons high


class SidebarTab:
    """Where MeshRec's panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshRec"


class MainPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_main"
    bl_label = "MeshRec"

    def draw_header_preset(self, context):
        MESHREC_PT_presets.draw_panel_header(self.layout)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings, job = context.scene.meshrec, jobs.current
        column = layout.column()
        column.enabled = not jobs.is_running()
        draw_footage(column, settings)
        column.prop(settings, "person")
        if settings.person == "ONE":
            column.prop(settings, "person_number")
        if jobs.is_running():
            _draw_progress(layout, job)
            return
        missing = draw_setup(layout, context)
        button = layout.row()
        button.scale_y = 1.5
        button.operator("meshrec.reconstruct", icon="ARMATURE_DATA")
        if job is not None and job.error is not None:
            if not (missing and isinstance(job.error, NotSetUpError)):
                _draw_error(layout, job, context)
        elif job is not None and job.notes:
            box = layout.box()
            for number, note in enumerate(job.notes):
                draw_text(box, translate_message(note), context, icon="CHECKMARK" if number == 0 else "INFO")
            box.operator("meshrec.dismiss", text="OK")


class PeoplePanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_people"
    bl_label = "People Found"
    bl_parent_id = "MESHREC_PT_main"

    @classmethod
    def poll(cls, context):
        return len(context.scene.meshrec.people) > 0

    def draw(self, context):
        layout, settings = self.layout, context.scene.meshrec
        layout.enabled = not jobs.is_running()
        for person in settings.people:
            row = layout.row(align=True)
            chosen = settings.person == "ALL" or (settings.person == "ONE" and settings.person_number == person.number)
            chosen = chosen or (settings.person == "LARGEST" and person.number == 1)
            picture = portrait_icon(person)
            if picture:
                row.template_icon(icon_value=picture, scale=_PORTRAIT_SCALE)
            # As high as the picture, or in one line with each other where there is none.
            row = row.row(align=True)
            row.scale_y = _PORTRAIT_SCALE if picture else 1.0
            row.operator("meshrec.choose_person", text=str(person.number), depress=chosen, icon="USER").number = person.number
            row.prop(person, "name", text="")
            row.label(text=f"{100 * person.frames / person.total:.0f} %" if person.total else "", translate=False)
        if len(settings.people) > 1:
            layout.operator("meshrec.choose_person", text="Everybody", depress=settings.person == "ALL", icon="COMMUNITY").number = 0


class RangePanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_range"
    bl_label = "Part of the Clip"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context):
        return context.scene.meshrec.footage_kind != "IMAGE"

    def draw_header(self, context):
        self.layout.prop(context.scene.meshrec, "use_range", text="")

    def draw(self, context):
        layout, settings = self.layout, context.scene.meshrec
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.enabled = not jobs.is_running()
        for end, name in (("IN", "first_frame"), ("OUT", "last_frame")):
            row = layout.row(align=True)
            value = row.row(align=True)
            value.active = settings.use_range
            value.prop(settings, name)
            row.operator("meshrec.set_range", text="", icon="PREV_KEYFRAME" if end == "IN" else "NEXT_KEYFRAME").end = end


class OptionsPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_options"
    bl_label = "Method"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, settings = _prepare_layout(self.layout, context)
        names = ["detector", "method", "quality", "device"]
        if len(settings.bl_rna.properties["quality"].enum_items) < 2:
            names.remove("quality")
        for name in names:
            draw_menu_with_help(layout, settings, name, context)
        if settings.is_calibrated:
            layout.prop(settings, "stretch")
            layout.row().prop(settings, "surface", expand=True)


class BodyPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_body"
    bl_label = "Body"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, settings = _prepare_layout(self.layout, context)
        draw_menu_with_help(layout, settings, "skeleton", context)
        layout.prop(settings, "body", placeholder=translate("Open body"))
        if settings.skeleton == "skel":
            layout.prop(settings, "skel_body", placeholder=translate("Open SKEL body"))


class CleanUpPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_clean_up"
    bl_label = "Clean-Up"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, settings = _prepare_layout(self.layout, context)
        for name in ("smoothing", "contacts", "upright"):
            layout.prop(settings, name)


class ScenePanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_scene"
    bl_label = "Scene"
    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    def draw(self, context):
        layout, settings = _prepare_layout(self.layout, context)
        layout.prop(settings, "match_scene")
        layout.row().prop(settings, "rerun", expand=True)
        layout.operator("meshrec.import_motion", icon="IMPORT")


def _prepare_layout(layout, context):
    """A panel's layout as settings are drawn in it, greyed out while a job runs with them; and the settings."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.enabled = not jobs.is_running()
    return layout, context.scene.meshrec


def draw_footage(layout, settings):
    """The footage: what it looks like, how long it is, and the button that opens another."""
    row = layout.row(align=True)
    row.prop(settings, "source", text="")
    row.operator("meshrec.open_footage", text="", icon="FILEBROWSER")
    if not settings.source:
        layout.operator("meshrec.open_footage", icon="FILE_MOVIE")
        return
    icon = thumbnail_icon(settings.footage_picture, settings.footage_kind == "VIDEO")
    if icon:
        layout.template_icon(icon_value=icon, scale=_THUMBNAIL_SCALE)
    line = layout.row()
    line.alignment = "CENTER"
    line.label(text=settings.footage.summary, translate=False)


def draw_menu_with_help(layout, settings, name, context):
    """A menu, and below it in one line what its choice means."""
    layout.prop(settings, name)
    hint = layout.column()
    hint.active = False
    draw_text(hint, translate(item_description(settings, name)), context)


def _draw_progress(layout, job):
    box = layout.box()
    box.progress(factor=job.fraction, text=job.text)
    box.label(text=job.rate_text or translate("Just begun"), icon="TIME", translate=False)
    row = box.row()
    row.scale_y = 1.5
    row.operator("meshrec.cancel", text="Cancel (Esc)", icon="CANCEL")


def _draw_error(layout, job, context):
    box = layout.box()
    draw_text(box, translate_message(job.error.problem), context, icon="ERROR", alert=True)
    draw_text(box, translate_message(job.error.remedy), context, icon="BLANK1")
    column = box.column(align=True)
    for button in buttons_for(job, bpy.app.online_access):
        drawn = column.operator(button.operator, text=button.text, icon=button.icon)
        for name, value in button.properties.items():
            setattr(drawn, name, value)
    row = box.row(align=True)
    row.operator("meshrec.copy_details", icon="COPYDOWN")
    row.operator("meshrec.dismiss", icon="X")


CLASSES = (MESHREC_PT_presets, MainPanel, RangePanel, PeoplePanel, OptionsPanel, BodyPanel, CleanUpPanel, ScenePanel)
