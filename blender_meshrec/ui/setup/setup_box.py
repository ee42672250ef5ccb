"""The box in the sidebar that installs the backend, shown while the backend is missing."""

import bpy

from ..layouts import draw_error, draw_text
from ..redraw import start_redrawing
from ..translation import translate, translate_error
from . import setup_state
from .backend_box import describe_size, draw_installation, draw_offline_notice, is_download_blocked
from .preferences import Preferences, get_preferences
from .setup_state import EnvironmentProbe


def draw_setup(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """Draw the box if the backend is missing or being installed; True if it was drawn."""
    installation = setup_state.installation
    if installation is not None and installation.running:
        box = layout.box()
        box.label(text="Installing the backend", icon="IMPORT")
        draw_installation(box, installation)
        return True
    preferences = get_preferences(context)
    python = bpy.path.abspath(preferences.backend_python) if preferences else ""
    probe = setup_state.start_probe(python, preferences.device if preferences else "auto")
    if probe.running:
        start_redrawing()
        return False
    if probe.backend is not None:
        return False
    box = layout.box()
    _draw_reason(box, context, probe)
    _draw_buttons(box, context, preferences, probe)
    return True


def _draw_reason(box: bpy.types.UILayout, context: bpy.types.Context, probe: EnvironmentProbe) -> None:
    """Why the backend is missing: the last installation's error, what prevents an installation, or that there was none."""
    error = setup_state.installation_error()
    if error is not None:
        draw_error(box, error, context)
    elif probe.error is not None:
        draw_text(box, translate_error(probe.error), context, icon="ERROR", alert=True)
    else:
        sentence = translate("The backend, the program that analyses footage, has to be installed once.")
        draw_text(box, sentence, context, icon="INFO")


def _draw_buttons(box: bpy.types.UILayout, context: bpy.types.Context, preferences: Preferences | None, probe: EnvironmentProbe) -> None:
    is_blocked = is_download_blocked(preferences)
    if is_blocked:
        draw_offline_notice(box, translate("Its packages are downloaded, and Blender's online access is off."), context)
    size = describe_size(probe.device, preferences.bundle if preferences else "")
    if size:
        draw_text(box, size, context, icon="DISK_DRIVE")
    row = box.row()
    row.enabled = not is_blocked
    row.scale_y = 1.5
    row.operator("meshrec.install_backend", text="Resume Installation" if probe.is_partial else "Install Backend", icon="IMPORT")
    box.operator("meshrec.open_preferences", icon="PREFERENCES")
