"""Sentences in Blender's layouts, which do not break lines by themselves."""

import blf

_MARGIN = 95  # px at a scale of 1: the tabs, borders of the region and of boxes, and an icon
_MIN_WIDTH = 80  # px


def draw_text(layout, text, context, icon="NONE", alert=False):
    """A sentence, translated already, in as many lines as the region's width asks for."""
    scale = context.preferences.system.ui_scale or 1.0  # 0 where there is no window
    style = context.preferences.ui_styles[0].widget
    blf.size(0, getattr(style, "points", 11) * scale)
    column = layout.column(align=True)
    column.alert = alert
    for line in wrap_text(text, max(_MIN_WIDTH, context.region.width / scale - _MARGIN) * scale, lambda words: blf.dimensions(0, words)[0]):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def wrap_text(text, width, measure):
    """Break a text into lines that `measure` as `width` at most: between words, and inside one that is longer, such as a path."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if measure(longer) <= width:
            lines[-1] = longer
            continue
        lines.append(word)
        while measure(lines[-1]) > width and len(lines[-1]) > 1:
            fits = next(length for length in range(len(lines[-1]) - 1, 0, -1) if length == 1 or measure(lines[-1][:length]) <= width)
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    return [line for line in lines if line] or [""]
