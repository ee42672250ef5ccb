"""The sentence that sections of the tab show where a capture lies in a strip that they cannot read."""

import bpy

from ...core.errors import InputError
from ...scene.takes.played_take import check_strip
from ..layouts import draw_error


def draw_strip_note(layout: bpy.types.UILayout, person: bpy.types.Object, context: bpy.types.Context) -> bool:
    """Draw why the frames of a person's capture are unknown, and what helps, if a strip is why; returns whether it did."""
    try:
        check_strip(person)
    except InputError as error:
        draw_error(layout.box(), error, context)
        return True
    return False
