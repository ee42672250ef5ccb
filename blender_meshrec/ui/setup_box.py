"""Setting the backend up from the sidebar: the same buttons as in the preferences, where they are needed."""

import bpy

from ..core.errors import CancelledError
from . import setup_state
from .preferences import get_preferences
from .redraw import start_redrawing
from .text import draw_text
from .translation import translate, translate_error, translate_message


def draw_setup(layout, context):
    """Draw what is missing and the button that mends it; True where there was something to draw."""
    installation = setup_state.installation
    if installation is not None and installation.running:
        box = layout.box()
        box.label(text="Installing the backend", icon="IMPORT")
        box.progress(factor=installation.fraction, text=translate_message(installation.text))
        box.operator("meshrec.cancel_install", icon="CANCEL")
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
    failed = installation is not None and installation.error is not None and not isinstance(installation.error, CancelledError)
    if failed:
        draw_text(box, translate_message(installation.error.problem), context, icon="ERROR", alert=True)
        draw_text(box, translate_message(installation.error.remedy), context, icon="BLANK1")
    elif probe.error is not None:
        draw_text(box, translate_error(probe.error), context, icon="ERROR", alert=True)
    else:
        draw_text(box, translate("One step is left: the backend, which does the reconstructing, has to be installed once."), context, icon="INFO")
    offline = not bpy.app.online_access and not (preferences and preferences.bundle)
    if offline:
        draw_text(box, translate("Its packages are downloaded, and Blender's online access is off."), context, icon="INTERNET_OFFLINE")
        box.operator("meshrec.allow_online", icon="INTERNET")
    row = box.row()
    row.enabled = not offline
    row.scale_y = 1.5
    row.operator("meshrec.install_backend", text="Go On Installing" if probe.is_partial else "Install Backend", icon="IMPORT")
    box.operator("meshrec.open_preferences", icon="PREFERENCES")
    return True
