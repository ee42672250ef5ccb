"""Redraws the interface while background work is running; without such work no timer runs."""

import bpy

from .blender_types import require
from .setup import setup_state

_INTERVAL_SECONDS = 0.2  # s
# The regions that show an installation. The 3D view itself is not redrawn: a heavy scene would slow Blender down.
_REGIONS = {"PREFERENCES": "WINDOW", "VIEW_3D": "UI"}


def start_redrawing() -> None:
    """Redraw the preferences and the 3D views' sidebars at intervals until the background work ends."""
    if not bpy.app.timers.is_registered(redraw):
        bpy.app.timers.register(redraw, first_interval=_INTERVAL_SECONDS, persistent=True)


def redraw() -> float | None:
    """Redraw once; returns the seconds until the next redraw, or None if no background work is running."""
    for window in require(bpy.context.window_manager).windows:
        for area in require(window.screen).areas:
            for region in area.regions:
                if region.type == _REGIONS.get(area.type):
                    region.tag_redraw()
    return _INTERVAL_SECONDS if setup_state.is_busy() else None


def redraw_views(context: bpy.types.Context) -> None:
    """Redraw the 3D views and the editors of time, which show the overlays of results."""
    for window in require(context.window_manager).windows:
        for area in require(window.screen).areas:
            if area.type in ("VIEW_3D", "DOPESHEET_EDITOR", "GRAPH_EDITOR"):
                area.tag_redraw()


def stop_redrawing() -> None:
    """Remove the timer if it is registered."""
    if bpy.app.timers.is_registered(redraw):
        bpy.app.timers.unregister(redraw)
