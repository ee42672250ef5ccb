"""File > Import, File > Export, the 3D view's menus, where Blender's search (F3) looks, and what is dropped into the 3D view."""

import bpy

from .export_operators import ExportCharacter
from .footage import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from .operators import ImportMotion


class DroppedFootage(bpy.types.FileHandler):
    bl_idname = "MESHREC_FH_footage"
    bl_label = "Footage for MeshRec"
    bl_import_operator = "meshrec.drop_footage"
    bl_file_extensions = ";".join((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))

    @classmethod
    def poll_drop(cls, context):
        return _is_3d_view(context)


class DroppedMotion(bpy.types.FileHandler):
    bl_idname = "MESHREC_FH_motion"
    bl_label = "Motion for MeshRec"
    bl_import_operator = "meshrec.import_motion"
    bl_file_extensions = ".npz"

    @classmethod
    def poll_drop(cls, context):
        return _is_3d_view(context)


class MeshRecMenu(bpy.types.Menu):
    bl_idname = "MESHREC_MT_meshrec"
    bl_label = "MeshRec"

    def draw(self, context):
        layout = self.layout
        for entries in (("open_footage", "reconstruct", "cancel"), ("retarget", "map_bones", "retarget_preview"), ("toggle_confidence",)):
            for name in entries:
                layout.operator(f"meshrec.{name}")
            layout.separator()
        layout.operator(ImportMotion.bl_idname)
        layout.operator(ExportCharacter.bl_idname)


def _is_3d_view(context):
    return context.area is not None and context.area.type == "VIEW_3D"


def _draw_import(self, context):
    self.layout.operator(ImportMotion.bl_idname, text="MeshRec Motion (.npz)")


def _draw_export(self, context):
    self.layout.operator(ExportCharacter.bl_idname, text="MeshRec Character (.fbx/.glb/.usdc/.bvh/.npz)")


def _draw_menu(self, context):
    self.layout.separator()
    self.layout.menu(MeshRecMenu.bl_idname)


_MENU_ENTRIES = (
    ("TOPBAR_MT_file_import", _draw_import),
    ("TOPBAR_MT_file_export", _draw_export),
    ("VIEW3D_MT_object", _draw_menu),
    ("VIEW3D_MT_pose", _draw_menu),
)


def add_menu_entries():
    """Put MeshRec into Blender's own menus."""
    for menu, draw in _MENU_ENTRIES:
        getattr(bpy.types, menu).append(draw)


def remove_menu_entries():
    """Take it out of them again."""
    for menu, draw in _MENU_ENTRIES:
        getattr(bpy.types, menu).remove(draw)


CLASSES = (DroppedFootage, DroppedMotion, MeshRecMenu)
