"""What is set once for all scenes."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ..bridge.backend_location import as_backend, environment_home, keep_environments_in
from ..core.files.user_folders import cache_folder
from . import setup_state
from .backend_box import draw_backend

ADDON = __package__.rpartition(".")[0]
_DEVICES = (
    ("auto", "Automatic", "What this computer has"),
    ("cpu", "CPU", "The processor: works everywhere, and needs the least disk"),
    ("cuda", "NVIDIA", "An NVIDIA graphics card, on Linux"),
    ("mps", "Apple", "The graphics processor of an Apple computer"),
)


def _changed(self, context):
    keep_home(context)
    setup_state.look_again()


class Preferences(bpy.types.AddonPreferences):
    """MeshRec's page in Blender's preferences."""

    bl_idname = ADDON

    backend_python: StringProperty(
        name="Python",
        description="Python 3.11, 3.12 or 3.13 to make the backend's environment with, or the Python of an environment that has all it "
        "needs; empty for the one MeshRec finds",
        subtype="FILE_PATH",
        update=_changed,
    )
    device: EnumProperty(
        name="Device", description="What the backend is installed to compute on", items=_DEVICES, default="auto", update=_changed
    )
    backend_home: StringProperty(
        name="Backend Folder",
        description="Where the backend is installed, 1.5 to 8 GB; empty for this extension's own folder, which goes with the extension",
        subtype="DIR_PATH",
        update=_changed,
    )
    bundle: StringProperty(
        name="Offline Bundle",
        description="A folder with the backend's packages, for computers without a network; empty to download them",
        subtype="DIR_PATH",
    )
    cache: StringProperty(
        name="Cache",
        description="Folder that keeps what was seen in footage, so that a second run need not look again; empty for the default",
        subtype="DIR_PATH",
    )

    def draw(self, context):
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        draw_backend(self.layout, context, self)
        self.layout.prop(self, "cache")


def preferences_of(context):
    """MeshRec's Preferences; None where the add-on runs without any, as in scripts that register it themselves."""
    addon = context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def backend_python(context):
    """The Python that the user chose for the backend, or None: a bare one only makes environments."""
    return as_backend(_path(context, "backend_python"))


def cache(context):
    """The folder that keeps what was seen in footage."""
    return _path(context, "cache") or str(cache_folder())


def plan_from(context, anew=False):
    """The Plan of an installation, as the preferences have it."""
    from ..bridge.installation import Plan

    preferences, bundle = preferences_of(context), _path(context, "bundle")
    return Plan(
        home=environment_home(),
        python=_path(context, "backend_python"),
        device=preferences.device if preferences else "auto",
        bundle=Path(bundle) if bundle else None,
        anew=anew,
    )


def keep_home(context):
    """Have the backend kept in the folder of the preferences, or in the one that Blender keeps for this extension."""
    keep_environments_in(_path(context, "backend_home") or _extension_folder())


def _extension_folder():
    """Upgrades leave it alone; removing the extension removes it. None where this is no extension."""
    try:
        return bpy.utils.extension_path_user(ADDON, create=False)
    except ValueError:
        return None


def _path(context, name):
    preferences = preferences_of(context)
    chosen = getattr(preferences, name) if preferences else ""
    return bpy.path.abspath(chosen) if chosen else None


CLASSES = (Preferences,)
