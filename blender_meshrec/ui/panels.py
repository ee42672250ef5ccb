"""The panels of the MeshRec tab from footage to people."""

import bpy

from ..core.errors import NotSetUpError
from ..core.skeleton_choice import SKEL_METHODS
from .blender_types import scene_of, set_operator_properties, settings_of
from .jobs import jobs
from .layouts import draw_error, draw_text
from .people.people_panel import draw_list_buttons, draw_strip
from .people.thumbnails import portrait_icon, thumbnail_icon
from .presets import MESHREC_PT_presets
from .properties import FoundPerson, Settings, item_description, planned_changes
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
_THUMBNAIL_SCALE, _PORTRAIT_SCALE = 5.0, 2.0  # heights of an icon


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


class PeoplePanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_people"
    bl_label = "People Found"
    bl_parent_id = "MESHREC_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(settings_of(context).people) > 0

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context)
        layout.enabled = not jobs.is_running()
        for person in settings.people:
            _draw_person(layout, settings, person)
            draw_strip(layout, settings, person, context)
        if len(settings.people) > 1:
            everybody = layout.operator("meshrec.choose_person", text="Everybody", depress=settings.person == "ALL", icon="COMMUNITY")
            set_operator_properties(everybody, number=0)
            row = layout.row()
            row.active = settings.person == "ALL"
            row.prop(settings, "include_doubtful")
        draw_list_buttons(layout, settings)


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


class OptionsPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_options"
    bl_label = "Method"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        for name in ("quality", "detector", "method", "refine", "device"):
            draw_menu_with_help(layout, settings, name, context)
        if settings.is_calibrated:
            layout.prop(settings, "stretch")
            layout.row().prop(settings, "surface", expand=True)


class BodyPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_body"
    bl_label = "Body"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        row = layout.column()
        row.active = not settings.method_gives_skel
        draw_menu_with_help(row, settings, "skeleton", context)
        layout.prop(settings, "body", placeholder=translate("Open body"))
        if settings.skeleton == "skel" or settings.method in SKEL_METHODS:
            layout.prop(settings, "skel_body", placeholder=translate("Open SKEL body"))
        layout.prop(settings, "height")
        row = layout.row()
        row.active = not settings.height
        row.prop(settings, "betas", placeholder=translate("From the footage"))
        row = layout.row()
        row.active = not settings.body and not settings.betas
        row.prop(settings, "start_shape")
        layout.prop(settings, "pose_shapes")
        row = layout.row(heading="Texture")
        row.prop(settings, "texture", text="")
        size = row.row()
        size.active = settings.texture
        size.prop(settings, "texture_size", text="")


class CameraPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_camera"
    bl_label = "Camera"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        layout.prop(settings, "focal", placeholder=translate("From the footage"))
        row = layout.row()
        row.active = bool(settings.focal) and not settings.focal.strip().lower().endswith("px")
        row.prop(settings, "sensor")


class CleanUpPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_clean_up"
    bl_label = "Clean-Up"

    def draw(self, context: bpy.types.Context) -> None:
        settings = prepare_settings(self.layout, context)
        for name in ("smoothing", "contacts", "keep_touch", "upright", "capture_fps"):
            self.layout.prop(settings, name)


class ScenePanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_scene"
    bl_label = "Scene"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        layout.prop(settings, "match_scene")
        rate = layout.column()
        rate.active = settings.match_scene
        rate.prop(settings, "frame_rate")
        _draw_changes(layout, context, settings)
        layout.prop(settings, "whole_frames")
        start = layout.row(heading="Start Frame")
        start.prop(settings, "use_start_frame", text="")
        value = start.row()
        value.active = settings.use_start_frame
        value.prop(settings, "start_frame", text="")
        layout.row().prop(settings, "rerun", expand=True)
        layout.operator("meshrec.import_motion", icon="IMPORT")


def draw_menu_with_help(layout: bpy.types.UILayout, settings: Settings, name: str, context: bpy.types.Context) -> None:
    """Draw a menu, and below it the description of the chosen item."""
    layout.prop(settings, name)
    hint = layout.column()
    hint.active = False
    draw_text(hint, translate(item_description(settings, name)), context)


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


def _draw_changes(layout: bpy.types.UILayout, context: bpy.types.Context, settings: Settings) -> None:
    """What matching will change in the scene, before it does."""
    for change in planned_changes(scene_of(context), settings):
        draw_text(layout, translate_message(change), context, icon="DOT")


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


def _draw_person(layout: bpy.types.UILayout, settings: Settings, person: FoundPerson) -> None:
    """A person's portrait, number, name and percentage of frames."""
    is_chosen = settings.person == "ALL" or (settings.person == "ONE" and settings.person_number == person.number)
    is_chosen = is_chosen or (settings.person == "LARGEST" and person.number == 1)
    row = layout.row(align=True)
    portrait = portrait_icon(person)
    if portrait:
        row.template_icon(icon_value=portrait, scale=_PORTRAIT_SCALE)
    row = row.row(align=True)
    row.scale_y = _PORTRAIT_SCALE if portrait else 1.0
    button = row.operator("meshrec.choose_person", text=str(person.number), depress=is_chosen, icon="USER")
    set_operator_properties(button, number=person.number)
    row.prop(person, "name", text="")
    if not settings.people_text:
        row.label(text=f"{100 * person.frames / person.total:.0f} %" if person.total else "", translate=False)
    else:
        set_operator_properties(row.operator("meshrec.select_person", text="", icon="RESTRICT_SELECT_OFF"), number=person.number)
        set_operator_properties(row.operator("meshrec.person_menu", text="", icon="DOWNARROW_HLT"), number=person.number)


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


CLASSES = (MESHREC_PT_presets, MainPanel, RangePanel, PeoplePanel, OptionsPanel, BodyPanel, CameraPanel, CleanUpPanel, ScenePanel)
