"""The Result section: how good the selected person's motion is, in plain words."""

import bpy

from ..core.messages import messages_from_text
from ..scene.confidence import is_coloured_by_confidence
from .choice_operators import report_text, result_rig
from .panels import SidebarTab
from .text import draw_text
from .translation import translate_message

_WARNING_WORDS = ("poor", "missing", "least sure")


class ResultPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context):
        return result_rig(context) is not None

    def draw(self, context):
        layout, rig = self.layout, result_rig(context)
        layout.label(text=rig.name, icon="ARMATURE_DATA", translate=False)
        for sentence in messages_from_text(rig["quality"]):
            doubtful = any(word in sentence.lower() for word in _WARNING_WORDS)
            draw_text(layout, translate_message(sentence), context, icon="ERROR" if doubtful else "DOT")
        column = layout.column(align=True)
        column.operator("meshrec.toggle_confidence", icon="COLOR", depress=is_coloured_by_confidence(rig))
        if report_text(rig) is not None:
            column.operator("meshrec.copy_report", icon="COPYDOWN")


CLASSES = (ResultPanel,)
