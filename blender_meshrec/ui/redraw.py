"""Keeps Blender's windows up to date while something goes on in the background; an idle add-on has no timer."""

import bpy

from . import setup_state

_INTERVAL_SECONDS = 0.2  # s
# What shows an installation. Not the 3D view itself: drawing a heavy scene again and again would make Blender slow.
_REGIONS = {"PREFERENCES": "WINDOW", "VIEW_3D": "UI"}


def start_redrawing():
    """Redraw the preferences and the 3D views' sidebars until nothing goes on any more."""
    if not bpy.app.timers.is_registered(redraw):
        bpy.app.timers.register(redraw, first_interval=_INTERVAL_SECONDS, persistent=True)


def redraw():
    """Redraw once; gives the seconds to the next time, or None where there is none."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == _REGIONS.get(area.type):
                    region.tag_redraw()
    return _INTERVAL_SECONDS if setup_state.is_busy() else None


def stop_redrawing():
    """Remove the timer, if there is one."""
    if bpy.app.timers.is_registered(redraw):
        bpy.app.timers.unregister(redraw)
