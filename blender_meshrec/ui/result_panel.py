"""The Result section: the quality of the selected person's motion, its takes, and the buttons that show and correct it."""

import bpy
import numpy as np
from bpy.props import FloatProperty

from ..core.messages import Message, messages_from_text
from ..scene.body_opacity import body_opacity, set_body_opacity
from ..scene.confidence import is_confidence_shown
from ..scene.frame_states import FrameStates, State, frame_states
from ..scene.takes import takes_of
from .blender_types import require, scene_of
from .layouts import draw_text
from .result_view_operators import PROBLEM_PHRASES
from .selection import character_armature, report_of, result_armature
from .sidebar import SidebarTab
from .take_operators import draw_takes
from .translation import translate, translate_message

_WARNING_WORDS = ("poor", "missing", "least sure", "trembles")  # of the English sentences
_CELLS = 28  # of the strip
_MARKS = {State.SEEN: "\u2588", State.DOUBTFUL: "\u2592", State.FILLED_IN: "\u2591"}
_HERE = "|"


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
        _draw_frames(layout, armature_object, scene_of(context))
        _draw_views(layout, armature_object)
        draw_takes(layout, armature_object)
        column = layout.column(align=True)
        column.operator("meshrec.solve_again", icon="FILE_REFRESH")
        if report_of(armature_object) is not None:
            column.operator("meshrec.copy_report", icon="COPYDOWN")


class TakesPanel(SidebarTab, bpy.types.Panel):
    """The takes of an artist's character; those of a person are in the section Result."""

    bl_idname = "MESHREC_PT_takes"
    bl_label = "Takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature_object = character_armature(context)
        return armature_object is not None and result_armature(context) is None and len(takes_of(armature_object)) > 1

    def draw(self, context: bpy.types.Context) -> None:
        draw_takes(self.layout, require(character_armature(context)))


def strip_text(states: FrameStates, frame: float) -> str:
    """A take as a line of text: seen, doubtful or filled in, and where a frame of the timeline is. A cell shows its worst state."""
    parts = np.array_split(states.states, min(_CELLS, len(states.states)))
    marks = [_MARKS[State(int(part.max()))] for part in parts]
    share = states.row_at(frame) / len(states.states)
    marks.insert(min(int(share * len(marks)), len(marks)), _HERE)
    return "".join(marks)


def _draw_frames(layout: bpy.types.UILayout, armature_object: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """The strip of the take's frames, what the current one is, and the buttons that go to problems."""
    states = frame_states(armature_object)
    if states is None:
        return
    box = layout.box().column(align=True)
    box.label(text=strip_text(states, scene.frame_current), translate=False)
    row = states.row_at(scene.frame_current)
    state = State(int(states.states[row]))
    what = translate(PROBLEM_PHRASES.get(state, "Seen"))
    box.label(text=translate("Frame {frame}: {what}", frame=scene.frame_current, what=what), translate=False)
    shares = {name: round(100 * states.share(state)) for name, state in (("doubtful", State.DOUBTFUL), ("filled", State.FILLED_IN))}
    box.label(text=translate("Doubtful {doubtful} %, filled in {filled} %", **shares), translate=False)
    buttons = box.row(align=True)
    buttons.operator("meshrec.previous_problem", text="Previous", icon="PREV_KEYFRAME")
    buttons.operator("meshrec.next_problem", text="Next", icon="NEXT_KEYFRAME")
    buttons.operator("meshrec.mark_problems", text="", icon="MARKER_HLT")


def _draw_views(layout: bpy.types.UILayout, armature_object: bpy.types.Object) -> None:
    column = layout.column(align=True)
    column.operator("meshrec.view_camera", icon="VIEW_CAMERA")
    column.operator("meshrec.frame_person", icon="ZOOM_SELECTED")
    column.operator("meshrec.toggle_confidence", icon="COLOR", depress=is_confidence_shown(armature_object))
    if hasattr(armature_object, "meshrec_opacity"):
        column.prop(armature_object, "meshrec_opacity", slider=True)


def _is_warning(sentence: str) -> bool:
    """Whether a sentence is to be marked: the reasons of a verdict that is not good, and poor numbers."""
    if isinstance(sentence, Message) and sentence.name.startswith("verdict-"):
        return sentence.name != "verdict-good"
    return any(word in sentence.lower() for word in _WARNING_WORDS)


def register_opacity() -> None:
    """Add the opacity of a person's body to objects; it is read from the materials and stored there."""
    bpy.types.Object.meshrec_opacity = FloatProperty(
        name="Body Opacity",
        description="How opaque the body is drawn, so that the footage behind it or the bones inside it show",
        min=0.0,
        max=1.0,
        get=body_opacity,
        set=set_body_opacity,
    )


CLASSES = (ResultPanel, TakesPanel)
