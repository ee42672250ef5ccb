"""What is set once for all scenes."""

import bpy
from bpy.props import StringProperty

from ..bridge.runtime import cache_folder

ADDON = __package__.rpartition(".")[0]


class Preferences(bpy.types.AddonPreferences):
    """MeshRec's page in Blender's preferences."""

    bl_idname = ADDON

    backend_python: StringProperty(
        name="Backend's Python",
        description="The Python of the environment that MeshRec thinks in; empty for the one it finds itself",
        subtype="FILE_PATH",
    )
    cache: StringProperty(
        name="Cache",
        description="Folder that keeps what was seen in footage, so that a second run need not look again; empty for the default",
        subtype="DIR_PATH",
    )

    def draw(self, context):
        self.layout.prop(self, "backend_python")
        self.layout.prop(self, "cache")


def backend_python(context):
    """The Python the user chose for the backend, or None."""
    return _path(context, "backend_python")


def cache(context):
    """The folder that keeps what was seen in footage."""
    return _path(context, "cache") or str(cache_folder())


def _path(context, name):
    addon = context.preferences.addons.get(ADDON)
    chosen = getattr(addon.preferences, name) if addon else ""
    return bpy.path.abspath(chosen) if chosen else None


CLASSES = (Preferences,)
