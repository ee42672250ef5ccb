"""Sentences in Blender's layouts, which do not break lines by themselves."""

import textwrap

_CHARACTER = 7.0  # px of one, at a scale of 1
_MARGIN = 6  # characters


def draw_text(layout, text, context, icon="NONE", alert=False):
    """A sentence in as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    width = context.region.width / (_CHARACTER * scale) - _MARGIN
    column = layout.column(align=True)
    column.alert = alert
    for line in textwrap.wrap(text, max(16, int(width))):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"
