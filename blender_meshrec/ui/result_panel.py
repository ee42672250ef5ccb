"""The Result section: how good the selected person's motion is, in plain words."""

import bpy

from ..scene.confidence import is_coloured
from .choice_operators import report_of, result_rig
from .panels import Tab
from .text import draw_text
from .translation import translated

_WARNING = ("poor", "missing", "least sure")


class ResultPanel(Tab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context):
        return result_rig(context) is not None

    def draw(self, context):
        layout, rig = self.layout, result_rig(context)
        layout.label(text=rig.name, icon="ARMATURE_DATA", translate=False)
        for sentence in rig["quality"].split("\n"):
            doubtful = any(word in sentence.lower() for word in _WARNING)
            draw_text(layout, translated(sentence), context, icon="ERROR" if doubtful else "DOT")
        column = layout.column(align=True)
        column.operator("meshrec.toggle_confidence", icon="COLOR", depress=is_coloured(rig))
        if report_of(rig) is not None:
            column.operator("meshrec.copy_report", icon="COPYDOWN")


CLASSES = (ResultPanel,)
