"""Keeps Blender's windows up to date while something goes on in the background; an idle add-on has no timer."""

import bpy

from . import setup_state

_INTERVAL = 0.1  # s


def watch():
    """Redraw the preferences and the 3D views until nothing goes on any more."""
    if not bpy.app.timers.is_registered(redraw):
        bpy.app.timers.register(redraw, first_interval=_INTERVAL, persistent=True)


def redraw():
    """Redraw once; gives the seconds to the next time, or None where there is none."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"PREFERENCES", "VIEW_3D"}:
                area.tag_redraw()
    return _INTERVAL if setup_state.busy() else None


def stop():
    """Remove the timer, if there is one."""
    if bpy.app.timers.is_registered(redraw):
        bpy.app.timers.unregister(redraw)
