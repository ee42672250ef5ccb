"""The Correct section: bad ranges and pins of the selected person, and Solve Again."""

from typing import ClassVar

import bpy

from ...core.errors import MeshRecError
from ...core.messages import title_of
from ...scene.cameras.footage_clock import footage_clock
from ...scene.corrections.corrections import get_corrections
from ..blender_types import require, set_operator_properties
from ..result.strip_note import draw_strip_note
from ..selection import result_armature
from ..sidebar import SidebarTab
from ..translation import translate
from .correction_operators import PART_ITEMS, correctable_person

_PART_LABELS = {identifier: label for identifier, label, _description in PART_ITEMS}
_MAX_ROWS = 12


class CorrectionPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_corrections"
    bl_label = "Correct"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return correctable_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, person = self.layout, require(result_armature(context))
        if draw_strip_note(layout, person, context):
            return
        column = layout.column(align=True)
        column.operator("meshrec.drag_joint", icon="CURSOR")
        column.operator("meshrec.pin_pose", icon="PINNED")
        column.operator("meshrec.mark_bad", icon="CANCEL")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("meshrec.solve_again", icon="FILE_REFRESH")
        _draw_corrections(layout, person)  # last: a new row moves no button


def _draw_corrections(layout: bpy.types.UILayout, person: bpy.types.Object) -> None:
    """A row for each bad range and each pin, with a button that takes it back."""
    corrections = get_corrections(person)
    if not corrections.bad and not corrections.pins:
        return
    try:
        clock = footage_clock(person)
    except MeshRecError:
        return
    column = layout.column(align=True)
    for index, bad in enumerate(corrections.bad[:_MAX_ROWS]):
        frames = clock.timeline_frame(bad.first), clock.timeline_frame(bad.last)
        text = translate("{part}: {first:.0f} to {last:.0f}", part=translate(_PART_LABELS[bad.part]), first=frames[0], last=frames[1])
        _draw_row(column, text, "CANCEL", "BAD", index)
    for index, pin in enumerate(corrections.pins[:_MAX_ROWS]):
        joint = translate(title_of(pin.joint))
        text = translate("{joint}: frame {frame:.0f}", joint=joint, frame=clock.timeline_frame(pin.frame))
        _draw_row(column, text, "PINNED", "PIN", index)
    hidden = max(len(corrections.bad) - _MAX_ROWS, 0) + max(len(corrections.pins) - _MAX_ROWS, 0)
    if hidden:
        column.label(text=translate("{count} more", count=hidden), translate=False)
    everything = column.operator("meshrec.remove_correction", text="Remove All", icon="TRASH")
    set_operator_properties(everything, kind="ALL")


def _draw_row(layout: bpy.types.UILayout, text: str, icon: str, kind: str, index: int) -> None:
    row = layout.row(align=True)
    row.label(text=text, icon=icon, translate=False)
    set_operator_properties(row.operator("meshrec.remove_correction", text="", icon="X"), kind=kind, index=index)


CLASSES = (CorrectionPanel,)
