"""Drawing in Blender's layouts: properties in columns, wrapped text and errors."""

from collections.abc import Callable
from functools import lru_cache

import blf
import bpy

from ..core.errors import MeshRecError
from .blender_types import require
from .translation import translate_message

_MARGIN = 95  # px at a scale of 1: tabs, borders of the region and of boxes, and an icon
_MIN_WIDTH = 80  # px
_SHOWN_TEXTS = 256  # texts whose lines are kept: more than all panels together show
_WIDE = 420  # px at a scale of 1; the sidebar is 220 px wide at first
BLOCK, _MIN_CELLS = "\u2588", 8  # of a strip of text


def align_properties(layout: bpy.types.UILayout) -> None:
    """Draw properties with their names in a column of its own and without the dots for keyframes."""
    layout.use_property_split = True
    layout.use_property_decorate = False


def set_text_size(context: bpy.types.Context) -> float:
    """Measure text in the size of the interface from now on; returns the interface's scale."""
    preferences = require(context.preferences)
    scale = preferences.system.ui_scale or 1.0  # 0 without a window
    blf.size(0, getattr(preferences.ui_styles[0].widget, "points", 11) * scale)
    return scale


def draw_text(layout: bpy.types.UILayout, text: str, context: bpy.types.Context, icon: str = "NONE", alert: bool = False) -> None:
    """Draw a translated text, wrapped to the width of the region; the first line has the icon."""
    scale = set_text_size(context)
    column = layout.column(align=True)
    column.alert = alert
    width = max(_MIN_WIDTH, require(context.region).width / scale - _MARGIN) * scale
    for line in _kept_lines(text, width, _text_width(text)):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def is_wide(context: bpy.types.Context) -> bool:
    """Whether the region has room for three columns of names beside one another; without a window it has."""
    return context.region is None or context.region.width / set_text_size(context) >= _WIDE


def cells_that_fit(context: bpy.types.Context, share: float, most: int) -> int:
    """How many blocks of a strip of text fit into a share of the region's width, at most `most`."""
    scale = set_text_size(context)
    block = blf.dimensions(0, BLOCK)[0]
    width = max(_MIN_WIDTH, share * (require(context.region).width / scale - _MARGIN)) * scale
    return most if block <= 0 else max(_MIN_CELLS, min(most, int(width / block)))


def draw_error(layout: bpy.types.UILayout, error: MeshRecError, context: bpy.types.Context) -> None:
    """Draw what is wrong, and below it the remedy."""
    draw_text(layout, translate_message(error.problem), context, icon="ERROR", alert=True)
    draw_text(layout, translate_message(error.remedy), context, icon="BLANK1")


@lru_cache(_SHOWN_TEXTS)
def _kept_lines(text: str, width: float, width_in_one_line: float) -> tuple[str, ...]:
    """The lines of a text, kept until its font or its size, and so `width_in_one_line`, changes."""
    return tuple(wrap_text(text, width, _text_width))


def wrap_text(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a text into lines of at most `width`: between words, and within a word that is longer, such as a path.

    measure: returns the width of a text.
    """
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


def _text_width(text: str) -> float:
    return blf.dimensions(0, text)[0]
