"""The list of people of the scene's footage, as the settings store it: its text, and thumbnails of its tracks."""

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import bpy
import numpy as np

from ...bridge.messages import Result
from ...core.array_types import ImageArray, IntArray
from ...core.errors import InputError
from ...core.files.people_file import people_from_text, people_to_text
from ...core.people_edits import is_name, name_person
from ...core.people_list import PeopleList, default_person_name
from ...scene.cameras.footage_preview import footage_frame_at
from ...scene.motion.keyframes import scene_fps
from ..blender_types import scene_of, settings_of
from ..translation import translate
from .thumbnails import PEOPLE_IMAGES, PEOPLE_PLACES, store_portrait, stored_form, stored_pixels

if TYPE_CHECKING:
    from ..properties import Settings


@lru_cache(maxsize=8)
def _parsed(text: str) -> PeopleList | None:
    try:
        return people_from_text(text) if text else None
    except InputError:  # of a later version
        return None


def people_of(settings: "Settings") -> PeopleList | None:
    """The list of the people of the footage; None before it is known."""
    return _parsed(settings.people_text)


def missing_footage(settings: "Settings") -> str:
    """Asks for footage where there is none, for the `poll` of operators that need it; "" if there is some."""
    return "" if settings.source else translate("Choose footage first")


def missing_people(settings: "Settings") -> str:
    """Asks for a reconstruction before the people are known, for the `poll` of operators on their list; "" if they are known."""
    return "" if people_of(settings) is not None else translate("Reconstruct the clip first")


def take_over_people(settings: "Settings", result: Result) -> None:
    """Store the list of people that a result was made with, and the thumbnails of its tracks."""
    settings.people_text = settings.people_solved = result.people_text
    _forget_thumbnails(settings)
    if result.thumbnails is not None and result.thumbnail_places is not None and len(result.thumbnails):
        store_thumbnails(settings, result.thumbnails, result.thumbnail_places)


def forget_people(settings: "Settings") -> None:
    """Forget the list: the footage is another one."""
    settings.people_text = settings.people_solved = ""
    settings.people_edited = False
    _forget_thumbnails(settings)


def edit_people(settings: "Settings", people: PeopleList) -> None:
    """Store a list that the user has changed, and show its people: those who stay keep name and portrait."""
    settings.people_text, settings.people_edited = people_to_text(people), True
    for index in reversed(range(len(settings.people))):
        if settings.people[index].number not in people.numbers:
            settings.people.remove(index)
    for person in people.people:
        shown = next((entry for entry in settings.people if entry.number == person.number), None)
        if shown is None:
            shown = settings.people.add()
            shown.number = person.number
            store_portrait(shown, _first_image(settings, people, person.number))
        name = person.name or default_person_name(person.number)
        if shown.name != name:
            shown.name = name
        shown.frames = sum(last + 1 - first for first, last in people.seen_ranges(person.number))
        shown.total = people.footage.frames
    for index, number in enumerate(people.numbers):
        place = next(k for k, entry in enumerate(settings.people) if entry.number == number)
        if place != index:
            settings.people.move(place, index)


def name_listed_person(settings: "Settings", number: int, name: str) -> None:
    """Give a person of the list the name that the panel shows; "" and the name that nobody gave are none."""
    people, given = people_of(settings), "" if name == default_person_name(number) else name.strip()
    if people is None or number not in people.numbers or people.name_of(number) == given or not is_name(given):
        return
    is_solved = settings.people_text == settings.people_solved
    settings.people_text, settings.people_edited = people_to_text(name_person(people, number, given)), True
    if is_solved:  # a name needs no new solve: the scene has it already
        settings.people_solved = settings.people_text


def playhead_frame(context: bpy.types.Context) -> int:
    """The frame of the footage, counted from 0, at the playhead."""
    scene, settings = scene_of(context), settings_of(context)
    return footage_frame_at(scene, settings.path, (settings.footage_fps, scene_fps(scene)), settings.first_key) - 1


# --- thumbnails -------------------------------------------------------------------------------------------------------


def store_thumbnails(settings: "Settings", images: ImageArray, places: IntArray) -> None:
    """Store thumbnails (N,S,S,3) uint8 RGB, and the track and frame (N,2) of each, so that the .blend contains them."""
    settings[PEOPLE_IMAGES], settings.people_images_key = stored_form(images)
    settings[PEOPLE_PLACES] = places.ravel().tolist()


def _forget_thumbnails(settings: "Settings") -> None:
    settings.people_images_key = ""
    for name in (PEOPLE_IMAGES, PEOPLE_PLACES):
        if name in settings:
            del settings[name]


def images_over_time(settings: "Settings", people: PeopleList, number: int, count: int) -> list[int | None]:
    """For each of `count` equal cells of the footage the thumbnail of a person that is nearest to its middle, an index; None for none."""
    places = np.array(settings.get(PEOPLE_PLACES, ()), int).reshape(-1, 2)
    edges = np.linspace(people.footage.first, people.footage.end, count + 1)
    theirs = _theirs(people, number, places)
    found: list[int | None] = []
    for begin, end in pairwise(edges):
        inside = theirs[(places[theirs, 1] >= begin) & (places[theirs, 1] < end)]
        nearest = np.abs(places[inside, 1] - (begin + end) / 2).argmin() if len(inside) else None
        found.append(None if nearest is None else int(inside[nearest]))
    return found


def _theirs(people: PeopleList, number: int, places: IntArray) -> IntArray:
    """The indices of the thumbnails whose track and frame are a person's."""
    is_theirs = np.zeros(len(places), bool)
    for stretch in people.person(number).stretches:
        is_theirs |= (places[:, 0] == stretch.track) & (places[:, 1] >= stretch.first) & (places[:, 1] <= stretch.last)
    return np.flatnonzero(is_theirs)


def _first_image(settings: "Settings", people: PeopleList, number: int) -> ImageArray | None:
    """A thumbnail of a person as a portrait (S,S,3), from the middle of those they have."""
    indices = _theirs(people, number, np.array(settings.get(PEOPLE_PLACES, ()), int).reshape(-1, 2))
    if not len(indices):
        return None
    pixels = np.array(stored_pixels(settings, int(indices[len(indices) // 2])), "<i4").view(np.uint8)
    side = round((len(pixels) // 4) ** 0.5)
    return pixels.reshape(side, side, 4)[::-1, :, :3]
