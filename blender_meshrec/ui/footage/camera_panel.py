"""The part of the panel Camera where the artist's own camera is chosen."""

import bpy

from ..sidebar import SidebarTab, prepare_settings
from ..translation import translate


class SceneCameraPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_scene_camera"
    bl_label = "Camera from Scene"
    bl_parent_id = "MESHREC_PT_camera"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, prepare_settings(self.layout, context)
        layout.prop(settings, "scene_camera", text="Camera")
        if settings.scene_camera is not None:
            layout.prop(settings, "camera_frame")
            layout.prop(settings, "floor", placeholder=translate("0 m"))


CLASSES = (SceneCameraPanel,)
