"""The Result section: the verdict on the selected person's motion, its frames and views; below it the quality in words, and the takes."""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, NamedTuple

import bpy
import numpy as np
from bpy.props import FloatProperty

from ...core.messages import Message, messages_from_text
from ...scene.cameras.checkerboard_floor import find_floor
from ...scene.person.body_opacity import body_opacity, set_body_opacity
from ...scene.person.confidence import is_confidence_shown
from ...scene.takes.frame_states import FrameStates, State, frame_states
from ...scene.takes.takes import takes_of
from ..blender_types import require, scene_of
from ..layouts import BLOCK, cells_that_fit, draw_text
from ..selection import character_armature, report_of, result_armature
from ..sidebar import SidebarTab
from ..translation import translate, translate_message
from .result_view_operators import PROBLEM_PHRASES
from .strip_note import draw_strip_note
from .take_operators import draw_takes

_WARNING_WORDS = ("poor", "missing", "least sure", "trembles")  # of the English sentences
_CELLS = 60  # of the strip, at most
_MARKS = {State.SEEN: BLOCK, State.DOUBTFUL: "\u2592", State.FILLED_IN: "\u2591"}
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
        _draw_sentences(layout, sentences_of(armature_object).verdict, context)
        if not draw_strip_note(layout, armature_object, context):
            _draw_frames(layout, armature_object, context)
        _draw_views(layout, armature_object)


class _ResultSection(SidebarTab):
    """Puts a panel below the section Result; it is closed at first, so that the sections below Result are in view."""

    bl_parent_id = ResultPanel.bl_idname
    bl_options: ClassVar = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return result_armature(context) is not None


class DetailsPanel(_ResultSection, bpy.types.Panel):
    """The numbers of a result in words; a sign in its heading says that one of them is poor."""

    bl_idname = "MESHREC_PT_details"
    bl_label = "Details"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        if sentences_of(require(result_armature(context))).has_warning:
            self.layout.label(text="", icon="ERROR")

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature_object = self.layout, require(result_armature(context))
        _draw_sentences(layout, sentences_of(armature_object).details, context)
        if report_of(armature_object) is not None:
            layout.operator("meshrec.copy_report", icon="COPYDOWN")


class ResultTakesPanel(_ResultSection, bpy.types.Panel):
    bl_idname = "MESHREC_PT_result_takes"
    bl_label = "Takes"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature_object = result_armature(context)
        return armature_object is not None and len(takes_of(armature_object)) > 1

    def draw(self, context: bpy.types.Context) -> None:
        draw_takes(self.layout, require(result_armature(context)))


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


class Sentences(NamedTuple):
    """What is said of a result's quality: the verdict with its reasons, and the numbers; and whether one of the numbers is poor."""

    verdict: tuple[str, ...]
    details: tuple[str, ...]
    has_warning: bool


@lru_cache(maxsize=16)  # panels are drawn often
def _read_sentences(text: str) -> Sentences:
    sentences = messages_from_text(text)
    details = tuple(sentence for sentence in sentences if not is_of_verdict(sentence))
    return Sentences(tuple(filter(is_of_verdict, sentences)), details, any(map(_is_warning, details)))


def sentences_of(armature_object: bpy.types.Object) -> Sentences:
    """The Sentences that a result stores."""
    return _read_sentences(armature_object.get("quality_messages", armature_object["quality"]))


def _draw_sentences(layout: bpy.types.UILayout, sentences: Sequence[str], context: bpy.types.Context) -> None:
    for sentence in sentences:
        draw_text(layout, translate_message(sentence), context, icon="ERROR" if _is_warning(sentence) else "DOT")


def strip_text(states: FrameStates, frame: float, count: int = 28) -> str:
    """A take as a line of `count` cells of text, each with its worst state: seen, doubtful or filled in; and where a frame is."""
    count = min(count, len(states.states))
    worst = np.maximum.reduceat(states.states, np.arange(count) * len(states.states) // count)
    marks = [_MARKS[State(state)] for state in worst.tolist()]
    share = states.row_at(frame) / len(states.states)
    marks.insert(min(int(share * len(marks)), len(marks)), _HERE)
    return "".join(marks)


def _draw_frames(layout: bpy.types.UILayout, armature_object: bpy.types.Object, context: bpy.types.Context) -> None:
    """The strip of the take's frames, what the current one is, and the buttons that go to problems."""
    states, scene = frame_states(armature_object), scene_of(context)
    if states is None:
        return
    box = layout.box().column(align=True)
    box.label(text=strip_text(states, scene.frame_current, cells_that_fit(context, 1.0, _CELLS)), translate=False)
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
    row = column.row(align=True)
    row.operator("meshrec.view_camera", icon="VIEW_CAMERA")
    row.operator("meshrec.frame_person", text="", icon="ZOOM_SELECTED")
    is_floor_shown = find_floor(armature_object) is not None
    row.operator("meshrec.checkerboard_floor", text="", icon="MESH_GRID", depress=is_floor_shown)
    row.operator("meshrec.toggle_confidence", text="", icon="COLOR", depress=is_confidence_shown(armature_object))
    if hasattr(armature_object, "meshrec_opacity"):
        column.prop(armature_object, "meshrec_opacity", slider=True)


def is_of_verdict(sentence: str) -> bool:
    """Whether a sentence is the verdict, or a reason of it."""
    return isinstance(sentence, Message) and sentence.name.startswith("verdict-")


def _is_warning(sentence: str) -> bool:
    """Whether a sentence is to be marked: the reasons of a verdict that is not good, and poor numbers."""
    if isinstance(sentence, Message) and is_of_verdict(sentence):
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


CLASSES = (ResultPanel, DetailsPanel, ResultTakesPanel, TakesPanel)
