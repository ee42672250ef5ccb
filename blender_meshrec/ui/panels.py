"""The main panel of the MeshRec tab: footage, Reconstruct, progress, notes and errors; and the part of the clip to use."""

import bpy

from ..core.errors import NotSetUpError
from .blender_types import scene_of, set_operator_properties, settings_of
from .jobs import jobs
from .layouts import draw_error, draw_text
from .people.thumbnails import thumbnail_icon
from .presets import MESHREC_PT_presets
from .properties import Settings, planned_changes
from .remedies import buttons_for
from .result.next_step import next_step
from .setup.setup_box import draw_setup
from .sidebar import ReconstructionSection, SidebarTab, align_properties, prepare_settings
from .translation import translate, translate_message

_CHANGED = {
    "matching-rate": "frame rate",
    "matching-range": "frame range",
    "matching-resolution": "resolution",
    "matching-camera": "camera",
}
_THUMBNAIL_SCALE = 5.0  # heights of an icon


class MainPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_main"
    bl_label = "MeshRec"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        MESHREC_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        layout, job = self.layout, jobs.current
        align_properties(layout)
        _draw_input(layout, settings_of(context))
        if job is not None and job.running:
            _draw_progress(layout, job)
            return
        is_setup_drawn = draw_setup(layout, context)
        _draw_change_summary(layout, context)
        button = layout.row()
        button.scale_y = 1.5
        button.operator("meshrec.reconstruct", icon="ARMATURE_DATA")
        _draw_next_step(layout, context)
        if job is None:
            return
        if job.cancelled:
            _draw_cancelled(layout, context)
        elif job.error is None:
            _draw_notes(layout, job, context)
        elif not (is_setup_drawn and isinstance(job.error, NotSetUpError)):
            _draw_failure(layout, job, context)


class RangePanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_range"
    bl_label = "Part of the Clip"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return settings_of(context).footage_kind != "IMAGE"

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.prop(settings_of(context), "use_range", text="")

    def draw(self, context: bpy.types.Context) -> None:
        settings = prepare_settings(self.layout, context)
        _draw_range_end(self.layout, settings, "first_frame", "IN", "PREV_KEYFRAME")
        _draw_range_end(self.layout, settings, "last_frame", "OUT", "NEXT_KEYFRAME")
        self.layout.operator("meshrec.show_footage", icon="IMAGE_REFERENCE")


def _draw_input(layout: bpy.types.UILayout, settings: Settings) -> None:
    """The footage and the choice of person, greyed out while a job runs."""
    column = layout.column()
    column.enabled = not jobs.is_running()
    _draw_footage(column, settings)
    column.prop(settings, "person")
    if settings.person == "ONE":
        column.prop(settings, "person_number")


def _draw_change_summary(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """One line above Reconstruct about what it will change in the scene; the section Scene has the values."""
    changes = planned_changes(scene_of(context), settings_of(context))
    if changes:
        words = ", ".join(translate(_CHANGED[change.name]) for change in changes)
        draw_text(layout, translate("Changes the scene: {what}", what=words), context, icon="SCENE_DATA")


def _draw_footage(layout: bpy.types.UILayout, settings: Settings) -> None:
    """The footage: its path, the button that opens another, its thumbnail and summary."""
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


def _draw_range_end(layout: bpy.types.UILayout, settings: Settings, name: str, end: str, icon: str) -> None:
    """The first or last frame, and the button that sets it to the timeline's current frame."""
    row = layout.row(align=True)
    value = row.row(align=True)
    value.active = settings.use_range
    value.prop(settings, name)
    set_operator_properties(row.operator("meshrec.set_range", text="", icon=icon), end=end)


def _draw_progress(layout: bpy.types.UILayout, job: jobs.Job) -> None:
    box = layout.box()
    box.progress(factor=job.fraction, text=job.text)
    box.label(text=job.rate_text or translate("Just begun"), icon="TIME", translate=False)
    row = box.row()
    row.scale_y = 1.5
    row.operator("meshrec.cancel", text="Cancel", icon="CANCEL")


def _draw_next_step(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What to do next, and a small button for it unless it is Reconstruct, which is above."""
    step = next_step(context)
    if step is None or step.operator == "meshrec.reconstruct":
        return
    row = layout.row()
    draw_text(row.column(), step.sentence, context, icon="FORWARD")
    row.operator(step.operator, text="", icon=step.icon)


def _draw_cancelled(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    box = layout.box()
    draw_text(box, translate("Cancelled: the scene has not changed"), context, icon="CANCEL")
    box.operator("meshrec.dismiss", text="OK")


def _draw_notes(layout: bpy.types.UILayout, job: jobs.Job, context: bpy.types.Context) -> None:
    """The summary of a result, then its notes; nothing if there are none."""
    if not job.notes:
        return
    box = layout.box()
    for number, note in enumerate(job.notes):
        draw_text(box, translate_message(note), context, icon="CHECKMARK" if number == 0 else "INFO")
    box.operator("meshrec.dismiss", text="OK")


def _draw_failure(layout: bpy.types.UILayout, job: jobs.Job, context: bpy.types.Context) -> None:
    """The error of a job and the buttons for it."""
    if job.error is None:
        return
    box = layout.box()
    draw_error(box, job.error, context)
    column = box.column(align=True)
    for button in buttons_for(job, bpy.app.online_access):
        set_operator_properties(column.operator(button.operator, text=button.text, icon=button.icon), **button.properties)
    row = box.row(align=True)
    row.operator("meshrec.copy_details", icon="COPYDOWN")
    row.operator("meshrec.dismiss", icon="X")


CLASSES = (MESHREC_PT_presets, MainPanel, RangePanel)
