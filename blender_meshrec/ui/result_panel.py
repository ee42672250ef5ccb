"""The Result section: the quality of the selected person's motion, in sentences."""

import bpy

from ..core.messages import Message, messages_from_text
from ..scene.confidence import is_coloured_by_confidence
from .blender_types import require
from .layouts import draw_text
from .selection import report_of, result_armature
from .sidebar import SidebarTab
from .translation import translate_message

_WARNING_WORDS = ("poor", "missing", "least sure")  # of the English sentences


class ResultPanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_result"
    bl_label = "Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return result_armature(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature_object = self.layout, require(result_armature(context))
        layout.label(text=armature_object.name, icon="ARMATURE_DATA", translate=False)
        for sentence in messages_from_text(armature_object.get("quality_messages", armature_object["quality"])):
            is_warning = _is_warning(sentence)
            draw_text(layout, translate_message(sentence), context, icon="ERROR" if is_warning else "DOT")
        column = layout.column(align=True)
        column.operator("meshrec.toggle_confidence", icon="COLOR", depress=is_coloured_by_confidence(armature_object))
        column.operator("meshrec.solve_again", icon="FILE_REFRESH")
        if report_of(armature_object) is not None:
            column.operator("meshrec.copy_report", icon="COPYDOWN")


def _is_warning(sentence: str) -> bool:
    """Whether a sentence is to be marked: the reasons of a verdict that is not good, and poor numbers."""
    if isinstance(sentence, Message) and sentence.name.startswith("verdict-"):
        return sentence.name != "verdict-good"
    return any(word in sentence.lower() for word in _WARNING_WORDS)


CLASSES = (ResultPanel,)
