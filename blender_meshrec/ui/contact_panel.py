"""The Contacts section: a strip of each part's contacts over the clip, with switches at the current frame, and Plant Again."""

from typing import ClassVar

import bpy
import numpy as np

from ..core.body_contacts import CONTACT_PARTS
from ..scene.contact_channels import read_contacts
from ..scene.plant_again import animation_range
from .blender_types import require, scene_of, set_operator_properties
from .contact_operators import contact_person, part_label
from .sidebar import SidebarTab
from .translation import translate

_CELLS = 20  # of a strip
_ON, _OFF, _HERE_ON, _HERE_OFF = "\u2588", "\u00b7", "\u2593", "|"


def contact_strip(touching: np.ndarray, here: float) -> str:
    """A line of text that shows contacts (F,) over the clip, and where the current frame is, 0..1 of it."""
    cells = [bool(part.mean() >= 0.5) if len(part) else False for part in np.array_split(touching, _CELLS)]
    current = min(max(int(here * _CELLS), 0), _CELLS - 1)
    marks = [(_HERE_ON if on else _HERE_OFF) if k == current else (_ON if on else _OFF) for k, on in enumerate(cells)]
    return "".join(marks)


class ContactPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_contacts"
    bl_label = "Contacts"
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return contact_person(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature_object = self.layout, require(contact_person(context))
        frame, (first, last) = scene_of(context).frame_current, animation_range(armature_object)
        sampled = [*np.linspace(first, last, min(last - first + 1, 2 * _CELLS)), frame]
        contacts = read_contacts(armature_object, sampled)
        column = layout.column(align=True)
        for number, part in enumerate(CONTACT_PARTS):
            row = column.row(align=True)
            split = row.split(factor=0.42, align=True)
            is_on = bool(contacts[-1, number])
            button = split.operator(
                "meshrec.toggle_contact",
                text=translate(part_label(part)),
                depress=is_on,
                icon="CHECKBOX_HLT" if is_on else "CHECKBOX_DEHLT",
                translate=False,
            )
            set_operator_properties(button, part=part, extent="FROM_HERE")
            here = (frame - first) / max(last - first, 1)
            split.label(text=contact_strip(contacts[:-1, number], here), translate=False)
            whole = row.operator("meshrec.toggle_contact", text="", icon="ARROW_LEFTRIGHT")
            set_operator_properties(whole, part=part, extent="RUN")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("meshrec.plant_again", icon="SNAP_ON")


CLASSES = (ContactPanel,)
