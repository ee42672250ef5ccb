"""Entries in Blender's menus, which its search (F3) also finds, and handlers of files dropped into the 3D view."""

import bpy

from .blender_types import HasLayout, require
from .footage.footage import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from .operators import ImportMotion
from .result.export_operators import ExportCharacter


class _DropInto3DView:
    """Accepts files that are dropped into a 3D view."""

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


class DroppedFootage(_DropInto3DView, bpy.types.FileHandler):
    bl_idname = "MESHREC_FH_footage"
    bl_label = "Footage for MeshRec"
    bl_import_operator = "meshrec.drop_footage"
    bl_file_extensions = ";".join((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))


class DroppedMotion(_DropInto3DView, bpy.types.FileHandler):
    bl_idname = "MESHREC_FH_motion"
    bl_label = "Motion for MeshRec"
    bl_import_operator = "meshrec.import_motion"
    bl_file_extensions = ".npz"


class MeshRecMenu(HasLayout, bpy.types.Menu):
    bl_idname = "MESHREC_MT_meshrec"
    bl_label = "MeshRec"

    def draw(self, context: bpy.types.Context) -> None:
        for names in (
            ("open_footage", "reconstruct", "cancel"),
            ("retarget", "map_bones", "retarget_preview"),
            ("next_problem", "previous_problem", "mark_problems"),
            ("view_camera", "frame_person", "toggle_confidence"),
            ("solve_again", "delete_other_takes"),
        ):
            for name in names:
                self.layout.operator(f"meshrec.{name}")
            self.layout.separator()
        self.layout.operator(ImportMotion.bl_idname)
        self.layout.operator(ExportCharacter.bl_idname)


def _draw_import(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    require(self.layout).operator(ImportMotion.bl_idname, text="MeshRec Motion (.npz)")


def _draw_export(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    require(self.layout).operator(ExportCharacter.bl_idname, text="MeshRec Character (.fbx/.glb/.usdc/.bvh/.npz)")


def _draw_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    layout = require(self.layout)
    layout.separator()
    layout.menu(MeshRecMenu.bl_idname)


_MENU_ENTRIES = (
    ("TOPBAR_MT_file_import", _draw_import),
    ("TOPBAR_MT_file_export", _draw_export),
    ("VIEW3D_MT_object", _draw_menu),
    ("VIEW3D_MT_pose", _draw_menu),
)


def add_menu_entries() -> None:
    """Add MeshRec to Blender's own menus."""
    for menu, draw in _MENU_ENTRIES:
        getattr(bpy.types, menu).append(draw)


def remove_menu_entries() -> None:
    """Remove MeshRec from Blender's own menus."""
    for menu, draw in _MENU_ENTRIES:
        getattr(bpy.types, menu).remove(draw)


CLASSES = (DroppedFootage, DroppedMotion, MeshRecMenu)
