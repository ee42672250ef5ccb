"""The section People Found: portraits and names, strips over time with thumbnails, the edits of the list, and Solve Again."""

from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.props import IntProperty

from ...core.people_list import PeopleList, joined_ranges
from ..blender_types import HasLayout, OperatorResult, require, set_operator_properties, settings_of
from ..jobs import jobs
from ..layouts import BLOCK, cells_that_fit
from ..sidebar import SidebarTab
from ..translation import translate
from .people_state import images_over_time, people_of, playhead_frame
from .thumbnails import blank_icon, people_icon, portrait_icon

if TYPE_CHECKING:
    from ..properties import FoundPerson, Settings

THUMBNAILS = 8  # of a strip
_THUMBNAIL_SCALE, _PORTRAIT_SCALE = 1.5, 2.0  # heights of an icon
_CELLS, _STRIP_SHARE = 60, 0.95  # of the strip below the thumbnails: cells at most, and its share of the width
_GONE, _HERE = "\u2591", "|"


class PeoplePanel(SidebarTab, bpy.types.Panel):
    bl_idname = "MESHREC_PT_people"
    bl_label = "People Found"
    bl_parent_id = "MESHREC_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(settings_of(context).people) > 0

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context)
        layout.enabled = not jobs.is_running()
        for person in settings.people:
            _draw_person(layout, settings, person)
            _draw_strip(layout, settings, person, context)
        if len(settings.people) > 1:
            everybody = layout.operator("meshrec.choose_person", text="Everybody", depress=settings.person == "ALL", icon="COMMUNITY")
            set_operator_properties(everybody, number=0)
            row = layout.row()
            row.active = settings.person == "ALL"
            row.prop(settings, "include_doubtful")
        _draw_list_buttons(layout, settings)


class OpenPersonMenu(bpy.types.Operator):
    """Edit this person of the list: swap, split, merge, leave out"""

    bl_idname = "meshrec.person_menu"
    bl_label = "Edit Person"
    bl_options: ClassVar = {"INTERNAL"}

    number: IntProperty(name="Person", min=1)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorResult:
        number = self.number

        def draw(menu: HasLayout, context: bpy.types.Context) -> None:
            draw_person_menu(menu.layout, settings_of(context), number)

        title = next((person.name for person in settings_of(context).people if person.number == number), "")
        require(context.window_manager).popup_menu(draw, title=title)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        return {"CANCELLED"}  # there is nothing to do without a window


def draw_person_menu(layout: bpy.types.UILayout, settings: "Settings", number: int) -> None:
    """The edits of one person of the list."""
    people = people_of(settings)
    if people is None or number not in people.numbers:
        return
    column = layout.column()
    _add(column, "meshrec.select_person", "RESTRICT_SELECT_OFF", number=number)
    column.separator()
    _add(column, "meshrec.split_person", "SCULPTMODE_HLT", number=number)
    others = [other for other in settings.people if other.number != number]
    for other in others:
        text = translate("Swap with {name} from Playhead", name=other.name)
        _add(column, "meshrec.swap_people", "UV_SYNC_SELECT", text, number=number, other=other.number)
    column.separator()
    for other in others:
        text = translate("Merge with {name}", name=other.name)
        _add(column, "meshrec.merge_people", "AUTOMERGE_ON", text, number=number, other=other.number)
    column.separator()
    if people.person(number).doubtful:
        _add(column, "meshrec.confirm_person", "CHECKMARK", number=number)
    _add(column, "meshrec.leave_out_person", "X", number=number)


def _add(layout: bpy.types.UILayout, operator: str, icon: str, text: str | None = None, **values: int) -> None:
    button = layout.operator(operator, icon=icon) if text is None else layout.operator(operator, text=text, translate=False, icon=icon)
    set_operator_properties(button, **values)


def _draw_person(layout: bpy.types.UILayout, settings: "Settings", person: "FoundPerson") -> None:
    """A person's portrait, number, name and percentage of frames."""
    is_chosen = settings.person == "ALL" or (settings.person == "ONE" and settings.person_number == person.number)
    is_chosen = is_chosen or (settings.person == "LARGEST" and person.number == 1)
    row = layout.row(align=True)
    portrait = portrait_icon(person)
    if portrait:
        row.template_icon(icon_value=portrait, scale=_PORTRAIT_SCALE)
    row = row.row(align=True)
    row.scale_y = _PORTRAIT_SCALE if portrait else 1.0
    button = row.operator("meshrec.choose_person", text=str(person.number), depress=is_chosen, icon="USER")
    set_operator_properties(button, number=person.number)
    row.prop(person, "name", text="")
    if not settings.people_text:
        row.label(text=f"{100 * person.frames / person.total:.0f} %" if person.total else "", translate=False)
    else:
        set_operator_properties(row.operator("meshrec.select_person", text="", icon="RESTRICT_SELECT_OFF"), number=person.number)
        set_operator_properties(row.operator("meshrec.person_menu", text="", icon="DOWNARROW_HLT"), number=person.number)


def _draw_strip(layout: bpy.types.UILayout, settings: "Settings", person: "FoundPerson", context: bpy.types.Context) -> None:
    """Where a person is in the clip: thumbnails along its time, and below them a line with the playhead; nothing without a list."""
    people = people_of(settings)
    if people is None or person.number not in people.numbers:
        return
    column = layout.column(align=True)
    shown = images_over_time(settings, people, person.number, THUMBNAILS)
    if any(index is not None for index in shown):
        row = column.row(align=True)
        for index in shown:
            row.template_icon(icon_value=blank_icon() if index is None else people_icon(settings, index), scale=_THUMBNAIL_SCALE)
    strip = strip_text(people, person.number, playhead_frame(context), cells_that_fit(context, _STRIP_SHARE, _CELLS))
    column.label(text=f"{strip} {100 * people.seen_share(person.number):.0f} %", translate=False)
    listed = people.person(person.number)
    if listed.doubtful:
        column.label(text=translate("Doubtful: {why}", why=translate(listed.doubtful)), icon="ERROR", translate=False)


def strip_text(people: PeopleList, number: int, frame: int, count: int) -> str:
    """A person's presence over the clip as a line of text of `count` cells, with the playhead at a frame of the footage."""
    marks = [BLOCK if share > 0.5 else _GONE for share in people.seen_cells(number, count)]
    place = round((frame - people.footage.first) / max(1, people.footage.frames) * count)
    marks.insert(min(max(place, 0), count), _HERE)
    return "".join(marks)


def _draw_list_buttons(layout: bpy.types.UILayout, settings: "Settings") -> None:
    """Below all people: tracks that nobody has, the list as a file, and Solve Again where the list has changed."""
    people = people_of(settings)
    if people is None:
        return
    for track in free_tracks(people):
        text = translate("Take In Track {track}", track=track)
        set_operator_properties(layout.operator("meshrec.take_in_track", text=text, icon="ADD", translate=False), track=track)
    row = layout.row(align=True)
    row.operator("meshrec.save_people", text="Save List", icon="EXPORT")
    row.operator("meshrec.load_people", text="Open List", icon="IMPORT")
    if settings.people_text != settings.people_solved:
        button = layout.row()
        button.scale_y = 1.3
        button.operator("meshrec.solve_people", icon="FILE_REFRESH")


def free_tracks(people: PeopleList) -> list[int]:
    """The numbers of the tracks of which nobody has a frame."""
    taken = {stretch.track for person in people.people for stretch in person.stretches}
    return [track.number for track in people.tracks if track.number not in taken and joined_ranges(track.seen)]


CLASSES = (OpenPersonMenu, PeoplePanel)
