"""The Contacts section: a strip of each part's contacts over the clip, with switches at the current frame, and Plant Again."""

from typing import ClassVar

import bpy
import numpy as np

from ...core.array_types import BoolArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.messages import title_of
from ...scene.corrections.contact_channels import read_contacts
from ...scene.corrections.plant_again import animation_range
from ...scene.takes.played_take import timeline_shift
from ..blender_types import require, scene_of, set_operator_properties
from ..layouts import BLOCK, cells_that_fit
from ..result.strip_note import draw_strip_note
from ..sidebar import SidebarTab
from ..translation import translate
from .contact_operators import contact_person

_CELLS = 24  # of a strip, at most
_NAMES_SHARE = 0.42  # of a row's width
_ON, _OFF, _HERE_ON, _HERE_OFF = BLOCK, "\u2591", "\u2593", "|"  # of one width but for the last


def contact_strips(touching: BoolArray, here: float, count: int = 20) -> list[str]:
    """A line of `count` marks for each part, which shows its contacts (F,P) over the clip, and where the current frame is, 0..1 of it."""
    ends = np.arange(count + 1) * len(touching) // count
    touched = np.pad(touching.cumsum(0), ((1, 0), (0, 0)))[ends]
    cells = 2 * np.diff(touched, axis=0) >= np.maximum(np.diff(ends), 1)[:, None]
    current = min(max(int(here * count), 0), count - 1)
    strips = [[_ON if is_on else _OFF for is_on in row] for row in cells.T.tolist()]
    for strip in strips:
        strip[current] = _HERE_ON if strip[current] == _ON else _HERE_OFF
    return ["".join(strip) for strip in strips]


class ContactPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_contacts"
    bl_label = "Contacts"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return contact_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature_object = self.layout, require(contact_person(context))
        if draw_strip_note(layout, armature_object, context):
            return
        frame, (first, last) = scene_of(context).frame_current, animation_range(armature_object)
        cells = cells_that_fit(context, 1 - _NAMES_SHARE, _CELLS)
        sampled = [*np.linspace(first, last, min(last - first + 1, 2 * cells)), frame]
        contacts = read_contacts(armature_object, np.array(sampled) - timeline_shift(armature_object))
        strips = contact_strips(contacts[:-1], (frame - first) / max(last - first, 1), cells)
        column = layout.column(align=True)
        for number, part in enumerate(CONTACT_PARTS):
            row = column.row(align=True)
            split = row.split(factor=_NAMES_SHARE, align=True)
            is_on = bool(contacts[-1, number])
            button = split.operator(
                "meshrec.toggle_contact",
                text=translate(title_of(part)),
                depress=is_on,
                icon="CHECKBOX_HLT" if is_on else "CHECKBOX_DEHLT",
                translate=False,
            )
            set_operator_properties(button, part=part, extent="FROM_HERE")
            split.label(text=strips[number], translate=False)
            whole = row.operator("meshrec.toggle_contact", text="", icon="ARROW_LEFTRIGHT")
            set_operator_properties(whole, part=part, extent="RUN")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("meshrec.plant_again", icon="SNAP_ON")


CLASSES = (ContactPanel,)
