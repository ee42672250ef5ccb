"""The MeshRec tab of the 3D view's sidebar: what its panels share."""

from typing import ClassVar

import bpy

from .blender_types import HasLayout, settings_of
from .jobs import jobs
from .layouts import align_properties
from .properties import Settings

TAB = "MeshRec"


class SidebarTab(HasLayout):
    """Puts a panel into the MeshRec tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = TAB


class ReconstructionSection(SidebarTab):
    """Puts a panel below the main panel; it is closed at first."""

    bl_parent_id = "MESHREC_PT_main"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}


def prepare_settings(layout: bpy.types.UILayout, context: bpy.types.Context) -> Settings:
    """Prepare a layout for reconstruction settings, greyed out while a job runs; returns the settings."""
    align_properties(layout)
    layout.enabled = not jobs.is_running()
    return settings_of(context)
