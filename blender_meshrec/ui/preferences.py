"""What is set once for all scenes."""

from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from ..bridge.backend_location import chosen_backend, environment_home, set_environment_home
from ..core.files.user_folders import cache_folder
from . import setup_state
from .backend_box import draw_backend

ADDON = __package__.rpartition(".")[0]
_DEVICE_ITEMS = (
    ("auto", "Automatic", "What this computer has"),
    ("cpu", "CPU", "The processor: works everywhere, and needs the least disk"),
    ("cuda", "NVIDIA", "An NVIDIA graphics card, on Linux"),
    ("mps", "Apple", "The graphics processor of an Apple computer"),
)


def _on_change(self, context):
    apply_backend_home(context)
    setup_state.discard_probe()


class Preferences(bpy.types.AddonPreferences):
    """MeshRec's page in Blender's preferences."""

    bl_idname = ADDON

    backend_python: StringProperty(
        name="Python",
        description="Python 3.11, 3.12 or 3.13 to make the backend's environment with, or the Python of an environment that has all it "
        "needs; empty for the one MeshRec finds",
        subtype="FILE_PATH",
        update=_on_change,
    )
    device: EnumProperty(
        name="Device", description="What the backend is installed to compute on", items=_DEVICE_ITEMS, default="auto", update=_on_change
    )
    backend_home: StringProperty(
        name="Backend Folder",
        description="Where the backend is installed, 1.5 to 8 GB; empty for this extension's own folder, which goes with the extension",
        subtype="DIR_PATH",
        update=_on_change,
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


def get_preferences(context):
    """MeshRec's Preferences; None where the add-on runs without any, as in scripts that register it themselves."""
    addon = context.preferences.addons.get(ADDON)
    return addon.preferences if addon else None


def get_backend_python(context):
    """The Python that the user chose for the backend, or None: a bare one only makes environments."""
    return chosen_backend(_get_path(context, "backend_python"))


def get_cache_folder(context):
    """The folder that keeps what was seen in footage."""
    return _get_path(context, "cache") or str(cache_folder())


def build_installation_plan(context, anew=False):
    """The InstallationPlan of an installation, as the preferences have it."""
    from ..bridge.installation import InstallationPlan

    preferences, bundle = get_preferences(context), _get_path(context, "bundle")
    return InstallationPlan(
        home=environment_home(),
        python=_get_path(context, "backend_python"),
        device=preferences.device if preferences else "auto",
        bundle=Path(bundle) if bundle else None,
        anew=anew,
    )


def apply_backend_home(context):
    """Have the backend kept in the folder of the preferences, or in the one that Blender keeps for this extension."""
    set_environment_home(_get_path(context, "backend_home") or _extension_folder())


def _extension_folder():
    """Upgrades leave it alone; removing the extension removes it. None where this is no extension."""
    try:
        return bpy.utils.extension_path_user(ADDON, create=False)
    except ValueError:
        return None


def _get_path(context, name):
    preferences = get_preferences(context)
    chosen = getattr(preferences, name) if preferences else ""
    return bpy.path.abspath(chosen) if chosen else None


CLASSES = (Preferences,)
