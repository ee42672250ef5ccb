"""A running job in Blender's status bar, which is visible in every workspace. It is drawn beside what Blender shows there."""

from typing import Any

import bpy

from ..blender_types import require
from ..translation import translate
from . import jobs
from .progress_rate import format_duration

_WIDTH = 14.0  # units of a button's height
_is_shown = False


def show() -> None:
    """Begin to draw the running job."""
    global _is_shown
    if not _is_shown:
        bpy.types.STATUSBAR_HT_header.append(_draw)
        _is_shown = True
    redraw_status_bar()


def hide() -> None:
    """Leave the status bar as it was found."""
    global _is_shown
    if _is_shown:
        bpy.types.STATUSBAR_HT_header.remove(_draw)
        _is_shown = False
    redraw_status_bar()


def redraw_status_bar() -> None:
    """Redraw the status bars of all windows, to which Python has no other access: they follow the names of view layers."""
    key: Any = (bpy.types.ViewLayer, "name")  # of every view layer; the stub knows no types here
    bpy.msgbus.publish_rna(key=key)


def _draw(self: bpy.types.Header, context: bpy.types.Context) -> None:
    job = jobs.current
    if job is None or not job.running:
        return
    row = require(self.layout).row(align=True)
    bar = row.row()
    bar.ui_units_x = _WIDTH
    bar.progress(factor=job.fraction, text=f"MeshRec: {job.text}")
    row.operator("meshrec.cancel", text="", icon="CANCEL")
    left = job.overall.seconds_left
    if left is not None:
        row.label(text=translate("{time} left", time=format_duration(left)), translate=False)
