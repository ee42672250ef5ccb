"""The file of the people of a clip: JSON that says who is where, which a reconstruction writes and reads, and people may edit.

{"meshrec_people": 1,
 "footage": {"name": "clip.mp4", "digest": "...", "size": [1280, 720], "first": 0, "frames": 300},
 "people": [{"person": 1, "name": "Anna", "seen": 0.98, "stretches": [{"first": 0, "last": 299, "track": 1}]},
            {"person": 2, "seen": 0.4, "stretches": [{"first": 12, "last": 131, "track": 2}], "doubtful": "It does not move."}],
 "tracks": [{"track": 1, "seen": [[0, 299]], "boxes": [[0, 0.1, 0.2, 0.3, 0.9], [15, 0.1, 0.2, 0.3, 0.9]]}]}

Frames are those of the footage, counted from 0; `last` is included. `seen` of a person is for people to read.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InputError
from ..messages import Message
from ..people_edits import is_name
from ..people_list import ListedFootage, ListedPerson, ListedTrack, PeopleList, Stretch, TrackBox, joined_stretches
from .input_file import parse_json, read_json
from .output_file import atomic_write

FORMAT = 1
SUFFIX = ".people.json"
_MAX_BYTES, _MAX_FRAME, _MAX_SIDE = 1 << 26, 10**9, 1e6
_OBJECT = Message("people-field-object", "an object in braces")
_LIST = Message("people-field-list", "a list in brackets")
_TEXT = Message("people-field-text", "a text in quotes")
_NAME = Message("people-field-name", "a name of at most 60 characters that can be shown")
_NUMBER = Message("people-field-number", "a whole number from 1")
_FRAME = Message("people-field-frame", "a frame, a whole number from 0")
_RANGE = Message("people-field-range", "two frames, the first and the last, which is not before the first")
_LAST = Message("people-field-last", "a frame that is not before the first of this stretch")
_BOX = Message("people-field-box", "a frame and the four sides of a box")
_SIZE = Message("people-field-size", "two whole numbers from 1, width and height")
_OTHER_NUMBER = Message("people-field-other-number", "another number: two have this one")
_KNOWN_TRACK = Message("people-field-known-track", "the number of one of the tracks of the list")
_STRETCHES = Message("people-field-stretches", "a list of one stretch or more")


def write_people(path: str | Path, people: PeopleList) -> None:
    """Write a list of people, whole or not at all. Raises OutputError: the file cannot be written."""
    with atomic_write(path) as temporary:
        temporary.write_text(people_to_text(people), encoding="utf-8")


def people_to_text(people: PeopleList) -> str:
    """The content of a file of people: a line for each person and track."""
    footage = people.footage
    described = {
        "name": footage.name,
        "digest": footage.digest,
        "size": list(footage.size),
        "first": footage.first,
        "frames": footage.frames,
    }
    lines = [
        f'{{"meshrec_people": {FORMAT},',
        f' "footage": {_to_text(described)},',
        f' "people": [{_lines(_person_to_dict(people, person) for person in people.people)}],',
        f' "tracks": [{_lines(map(_track_to_dict, people.tracks))}]}}',
    ]
    return "\n".join(lines) + "\n"


def read_people(path: str | Path) -> PeopleList:
    """Read a list of people.

    Raises:
        InputError: there is no such file, it is no list of people, or one of its fields is wrong, which the error names.
    """
    try:
        content = read_json(path, _MAX_BYTES)
    except FileNotFoundError as error:
        raise InputError("people-file-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, OSError) as error:
        raise _unreadable(str(path)) from error
    return _Reader(str(path)).read(content)


def people_from_text(text: str, name: str = "The list of people") -> PeopleList:
    """The inverse of `people_to_text`; name: what errors call the list. Raises InputError, as `read_people`."""
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _unreadable(name) from error
    return _Reader(name).read(content)


def is_people_file(path: str | Path) -> bool:
    """Whether a path is that of a list of people, by its suffix; footage has none such."""
    return Path(path).suffix.lower() == ".json" and not Path(path).is_dir()


def _unreadable(name: str) -> InputError:
    return InputError(
        "people-file-unreadable",
        "{name} is no list of people.",
        "Choose a file such as clip.people.json that MeshRec has written.",
        name=name,
    )


def _to_text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def _lines(entries: Iterable[Any]) -> str:
    return ",\n  ".join(map(_to_text, entries))


def _person_to_dict(people: PeopleList, person: ListedPerson) -> dict[str, Any]:
    content: dict[str, Any] = {"person": person.number}
    if person.name:
        content["name"] = person.name
    content["seen"] = round(people.seen_share(person.number), 3)
    content["stretches"] = [{"first": s.first, "last": s.last, "track": s.track} for s in person.stretches]
    if person.doubtful:
        content["doubtful"] = person.doubtful
    return content


def _track_to_dict(track: ListedTrack) -> dict[str, Any]:
    return {"track": track.number, "seen": [list(seen) for seen in track.seen], "boxes": [list(box) for box in track.boxes]}


class _Reader:
    """Reads the content of a file, and names the field of the first mistake. name: of the file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, content: Any) -> PeopleList:
        """The list of people. Raises InputError."""
        if not isinstance(content, dict) or "meshrec_people" not in content:
            raise _unreadable(self._name)
        if content["meshrec_people"] != FORMAT:
            raise InputError(
                "people-file-of-other-version",
                "{name} is a list of people of another version of this software.",
                "Update the software, or have the list written anew.",
                name=self._name,
            )
        footage = self._footage(self._object(content, "footage"))
        tracks = tuple(self._track(entry, f"tracks[{k}]") for k, entry in enumerate(self._list(content, "tracks")))
        self._check_numbers([track.number for track in tracks], "tracks", "track")
        known = {track.number for track in tracks}
        people = [self._person(entry, f"people[{k}]", known) for k, entry in enumerate(self._list(content, "people"))]
        self._check_numbers([person.number for person in people], "people", "person")
        self._check_shares(people)
        return PeopleList(footage, (), tracks).with_people(people)

    def _footage(self, content: dict[str, Any]) -> ListedFootage:
        size = self._field(content, "footage.size", _SIZE, lambda value: _are_wholes(value, 2, 1))
        return ListedFootage(
            self._field(content, "footage.name", _TEXT, _is_text),
            self._field(content, "footage.digest", _TEXT, _is_text, ""),
            (size[0], size[1]),
            self._field(content, "footage.frames", _NUMBER, lambda value: _is_whole(value, 1)),
            self._field(content, "footage.first", _FRAME, _is_whole, 0),
        )

    def _person(self, content: Any, place: str, known: set[int]) -> ListedPerson:
        self._require(isinstance(content, dict), place, content, _OBJECT)
        number = self._field(content, f"{place}.person", _NUMBER, lambda value: _is_whole(value, 1))
        name = self._field(content, f"{place}.name", _NAME, lambda value: _is_text(value) and is_name(value.strip()), "").strip()
        entries = self._field(content, f"{place}.stretches", _STRETCHES, lambda value: isinstance(value, list) and bool(value))
        stretches = [self._stretch(entry, f"{place}.stretches[{k}]", known) for k, entry in enumerate(entries)]
        return ListedPerson(number, joined_stretches(stretches), name, self._field(content, f"{place}.doubtful", _TEXT, _is_text, ""))

    def _stretch(self, content: Any, place: str, known: set[int]) -> Stretch:
        self._require(isinstance(content, dict), place, content, _OBJECT)
        first = self._field(content, f"{place}.first", _FRAME, _is_whole)
        last = self._field(content, f"{place}.last", _LAST, lambda value: _is_whole(value, first))
        return Stretch(first, last, self._field(content, f"{place}.track", _KNOWN_TRACK, lambda value: _is_whole(value) and value in known))

    def _track(self, content: Any, place: str) -> ListedTrack:
        self._require(isinstance(content, dict), place, content, _OBJECT)
        number = self._field(content, f"{place}.track", _NUMBER, lambda value: _is_whole(value, 1))
        seen = self._field(content, f"{place}.seen", _LIST, lambda value: isinstance(value, list))
        for k, entry in enumerate(seen):
            self._require(_are_wholes(entry, 2) and entry[0] <= entry[1], f"{place}.seen[{k}]", entry, _RANGE)
        boxes = self._field(content, f"{place}.boxes", _LIST, lambda value: isinstance(value, list), [])
        for k, entry in enumerate(boxes):
            self._require(_is_box(entry), f"{place}.boxes[{k}]", entry, _BOX)
        ranges = sorted((first, last) for first, last in seen)
        sides: list[TrackBox] = sorted((frame, float(a), float(b), float(c), float(d)) for frame, a, b, c, d in boxes)
        return ListedTrack(number, tuple(ranges), tuple(sides))

    def _check_numbers(self, numbers: list[int], group: str, key: str) -> None:
        for k, number in enumerate(numbers):
            self._require(number not in numbers[:k], f"{group}[{k}].{key}", number, _OTHER_NUMBER)

    def _check_shares(self, people: list[ListedPerson]) -> None:
        """Refuse frames of a track that belong to two people."""
        taken: list[tuple[Stretch, int]] = []
        for k, person in enumerate(people):
            for stretch in person.stretches:
                owner = next((number for other, number in taken if _overlap(stretch, other)), None)
                if owner is not None:
                    raise InputError(
                        "people-stretch-taken",
                        "In {name}, {field} gives person {number} frames {first} to {last} of track {track}, which person {owner} has too.",
                        "Give each frame of a track to one person.",
                        name=self._name,
                        field=f"people[{k}].stretches",
                        number=person.number,
                        first=stretch.first,
                        last=stretch.last,
                        track=stretch.track,
                        owner=owner,
                    )
            taken += [(stretch, person.number) for stretch in person.stretches]

    def _object(self, content: dict[str, Any], place: str) -> dict[str, Any]:
        return self._field(content, place, _OBJECT, lambda value: isinstance(value, dict))

    def _list(self, content: dict[str, Any], place: str) -> list[Any]:
        return self._field(content, place, _LIST, lambda value: isinstance(value, list))

    def _field(self, content: dict[str, Any], place: str, expected: Message, is_right: Callable[[Any], bool], default: Any = None) -> Any:
        """The value of an object's field, whose key ends `place`; where it is missing, `default`, or an error if that is None."""
        key = place.rpartition(".")[2]
        if key not in content:
            if default is not None:
                return default
            raise InputError(
                "people-field-missing", "{name} lacks {field}.", "Give it {expected}.", name=self._name, field=place, expected=expected
            )
        self._require(is_right(content[key]), place, content[key], expected)
        return content[key]

    def _require(self, is_right: bool, place: str, value: Any, expected: Message) -> None:
        if not is_right:
            self._refuse(place, value, expected)

    def _refuse(self, place: str, value: Any, expected: Message) -> NoReturn:
        shown = _to_text(value)
        raise InputError(
            "people-field-wrong",
            "{name} gives {field} the value {value}, which it cannot have.",
            "Give it {expected}.",
            name=self._name,
            field=place,
            value=shown if len(shown) <= 80 else f"{shown[:77]}...",
            expected=expected,
        )


def _overlap(stretch: Stretch, other: Stretch) -> bool:
    return stretch.track == other.track and stretch.first <= other.last and other.first <= stretch.last


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MAX_FRAME


def _are_wholes(value: Any, count: int, least: int = 0) -> bool:
    return isinstance(value, list) and len(value) == count and all(_is_whole(item, least) for item in value)


def _is_box(value: Any) -> bool:
    """Whether a value is a frame and four numbers."""
    if not isinstance(value, list) or len(value) != 5 or not _is_whole(value[0]):
        return False
    return all(isinstance(side, int | float) and not isinstance(side, bool) and abs(side) < _MAX_SIDE for side in value[1:])
