"""The add-on's preferences, which all scenes share."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import bpy
from bpy.props import EnumProperty, StringProperty

from ...bridge.backend_location import chosen_backend, environment_home, set_environment_home
from ...core.files.user_folders import cache_folder
from ..blender_types import HasLayout, require
from ..layouts import align_properties
from . import setup_state
from .backend_box import draw_backend

if TYPE_CHECKING:
    from ...bridge.installation import InstallationPlan

ADDON = require(__package__).removesuffix(".ui.setup")
_DEVICE_ITEMS = (
    ("auto", "Automatic", "The fastest hardware that this computer has"),
    ("cpu", "CPU", "The processor: works everywhere, and needs the least disk"),
    ("cuda", "NVIDIA", "An NVIDIA graphics card, on Linux"),
    ("mps", "Apple", "The graphics processor of an Apple computer"),
)


def _on_change(preferences: "Preferences", context: bpy.types.Context) -> None:
    apply_backend_home(context)
    setup_state.discard_probe()


class Preferences(HasLayout, bpy.types.AddonPreferences):
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
        name="Device", description="The hardware that the backend is installed for", items=_DEVICE_ITEMS, default="auto", update=_on_change
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
        description="Folder of the detections in footage, which later runs reuse; empty for the default",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        align_properties(self.layout)
        draw_backend(self.layout, context, self)
        self.layout.prop(self, "cache")


def get_preferences(context: bpy.types.Context) -> Preferences | None:
    """MeshRec's preferences; None if it was not enabled as an add-on but registered by a script."""
    addon = require(context.preferences).addons.get(ADDON)
    return cast(Preferences, addon.preferences) if addon else None


def get_backend_python(context: bpy.types.Context) -> str | None:
    """The Python that the user chose to run the backend; None if none was chosen, or one without the packages that it needs."""
    return chosen_backend(_get_path(context, "backend_python"))


def get_cache_folder(context: bpy.types.Context) -> str:
    """The folder of the observations cached for each piece of footage."""
    return _get_path(context, "cache") or str(cache_folder())


def build_installation_plan(context: bpy.types.Context, anew: bool = False) -> "InstallationPlan":
    """The InstallationPlan for the choices in the preferences."""
    from ...bridge.installation import InstallationPlan

    preferences, bundle = get_preferences(context), _get_path(context, "bundle")
    return InstallationPlan(
        home=environment_home(),
        python=_get_path(context, "backend_python"),
        device=preferences.device if preferences else "auto",
        bundle=Path(bundle) if bundle else None,
        anew=anew,
    )


def apply_backend_home(context: bpy.types.Context) -> None:
    """Set the folder of the backend's environments: that of the preferences, else Blender's folder for this extension."""
    set_environment_home(_get_path(context, "backend_home") or _extension_folder())


def _extension_folder() -> str | None:
    """The folder that Blender keeps over upgrades and deletes with the extension; None if this is not installed as an extension."""
    try:
        return bpy.utils.extension_path_user(ADDON, create=False)
    except ValueError:
        return None


def _get_path(context: bpy.types.Context, name: str) -> str | None:
    preferences = get_preferences(context)
    chosen = getattr(preferences, name) if preferences else ""
    return bpy.path.abspath(chosen) if chosen else None


CLASSES = (Preferences,)
