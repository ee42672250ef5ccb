"""The sections of the MeshRec tab that hold a reconstruction's settings: method, body, camera, clean-up and scene."""

import bpy

from ..core.skeleton_choice import SKEL_METHODS
from .blender_types import scene_of
from .layouts import draw_text
from .properties import Settings, item_description, planned_changes
from .sidebar import ReconstructionSection, SidebarTab, prepare_settings
from .translation import translate, translate_message


class OptionsPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_options"
    bl_label = "Method"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        for name in ("quality", "detector", "method", "refine", "device"):
            _draw_menu_with_help(layout, settings, name, context)
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
        _draw_menu_with_help(row, settings, "skeleton", context)
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
        _draw_switched(layout, settings, "Texture", "texture", "texture_size")


class CameraPanel(ReconstructionSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_camera"
    bl_label = "Camera"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        layout.prop(settings, "focal", placeholder=translate("From the footage"))
        row = layout.row()
        row.active = bool(settings.focal) and not settings.focal.strip().lower().endswith("px")
        row.prop(settings, "sensor")


class SceneCameraPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_scene_camera"
    bl_label = "Camera from Scene"
    bl_parent_id = CameraPanel.bl_idname

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        layout.prop(settings, "scene_camera", text="Camera")
        if settings.scene_camera is not None:
            layout.prop(settings, "camera_frame")
            layout.prop(settings, "floor", placeholder=translate("0 m"))


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
        _draw_switched(layout, settings, "Start Frame", "use_start_frame", "start_frame")
        layout.row().prop(settings, "rerun", expand=True)
        layout.operator("meshrec.import_motion", icon="IMPORT")


def _draw_switched(layout: bpy.types.UILayout, settings: Settings, heading: str, switch: str, value: str) -> None:
    """Draw a checkbox and beside it the value that counts where it is ticked."""
    row = layout.row(heading=heading)
    row.prop(settings, switch, text="")
    beside = row.row()
    beside.active = getattr(settings, switch)
    beside.prop(settings, value, text="")


def _draw_menu_with_help(layout: bpy.types.UILayout, settings: Settings, name: str, context: bpy.types.Context) -> None:
    """Draw a menu, and below it the description of the chosen item."""
    layout.prop(settings, name)
    hint = layout.column()
    hint.active = False
    draw_text(hint, translate(item_description(settings, name)), context)


def _draw_changes(layout: bpy.types.UILayout, context: bpy.types.Context, settings: Settings) -> None:
    """What matching will change in the scene, before it does."""
    for change in planned_changes(scene_of(context), settings):
        draw_text(layout, translate_message(change), context, icon="DOT")


CLASSES = (OptionsPanel, BodyPanel, CameraPanel, SceneCameraPanel, CleanUpPanel, ScenePanel)
