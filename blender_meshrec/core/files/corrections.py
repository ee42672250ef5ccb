"""The file of an artist's corrections: JSON beside the result, which a new reconstruction reads.

{"meshrec_corrections": 1, "footage": "clip.mp4", "people": [{"person": 1, "bad": [{"first": 40, "last": 60, "part": "left_arm"}],
"pins": [{"frame": 50, "joint": "left_wrist", "pixel": [612.5, 240.0]}], "contacts": [{"first": 10, "last": 30, "part": "left_heel",
"on": true}], "earlier": "clip.npz"}]}

Frames are those of the footage, counted from 0; `last` is included. `earlier` is relative to the file.
"""

import json
import os
from pathlib import Path
from typing import Any

from ..corrections import WHOLE_BODY, BadRange, ContactSpan, Corrections, PersonCorrections, Pin
from ..errors import InputError
from .input_file import parse_json, read_json
from .output_file import atomic_write

FORMAT = 1
SUFFIX = ".corrections.json"
_MAX_BYTES = 1 << 23


def write_corrections(path: str | Path, corrections: Corrections) -> None:
    """Write corrections, whole or not at all. Raises OutputError: the file cannot be written."""
    with atomic_write(path) as temporary:
        temporary.write_text(corrections_to_text(corrections) + "\n", encoding="utf-8")


def corrections_to_text(corrections: Corrections) -> str:
    """The content of a file of corrections."""
    people = [_person_to_dict(person) for person in corrections.people]
    return json.dumps({"meshrec_corrections": FORMAT, "footage": corrections.footage, "people": people}, indent=1, ensure_ascii=False)


def read_corrections(path: str | Path) -> Corrections:
    """Read corrections; `earlier` becomes an absolute path.

    Raises:
        InputError: the file cannot be read, or is no file of corrections.
    """
    try:
        corrections = _from_content(read_json(path, _MAX_BYTES))
    except FileNotFoundError as error:
        raise InputError("corrections-file-not-found", "There is no file {path}.", "Check the path.", path=path) from error
    except (ValueError, KeyError, TypeError, OSError, OverflowError) as error:
        raise _unreadable(str(path)) from error
    folder = os.path.dirname(os.path.abspath(path))
    people = tuple(_with_absolute_path(person, folder) for person in corrections.people)
    return Corrections(corrections.footage, people)


def corrections_from_text(text: str) -> Corrections:
    """The inverse of `corrections_to_text`. Raises InputError: the text is no such content."""
    try:
        return _from_content(parse_json(text))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unreadable("The text") from error


def _unreadable(name: str) -> InputError:
    return InputError(
        "corrections-file-unreadable",
        "{name} holds no corrections of this software.",
        "Choose a file such as clip.corrections.json that MeshRec has written.",
        name=name,
    )


def _with_absolute_path(person: PersonCorrections, folder: str) -> PersonCorrections:
    earlier = os.path.join(folder, person.earlier) if person.earlier else ""
    return PersonCorrections(person.person, person.bad, person.pins, person.contacts, earlier)


def _person_to_dict(person: PersonCorrections) -> dict[str, Any]:
    bad = [{"first": entry.first, "last": entry.last, "part": entry.part} for entry in person.bad]
    pins = [
        {"frame": pin.frame, "joint": pin.joint, "pixel": list(pin.pixel), **({} if pin.depth is None else {"depth": pin.depth})}
        for pin in person.pins
    ]
    contacts = [{"first": span.first, "last": span.last, "part": span.part, "on": span.is_on} for span in person.contacts]
    content = {"person": person.person, "bad": bad, "pins": pins, "contacts": contacts}
    return {**content, "earlier": person.earlier} if person.earlier else content


def _from_content(content: Any) -> Corrections:
    """Raises ValueError, KeyError or TypeError: it is no content of a file of corrections."""
    if content["meshrec_corrections"] != FORMAT:
        raise ValueError("of a later version")
    people = [_person_from_dict(person) for person in content["people"]]
    if len({person.person for person in people}) < len(people):
        raise ValueError("a person occurs twice")
    return Corrections(_text(content.get("footage", "")), tuple(people))


def _person_from_dict(content: dict[str, Any]) -> PersonCorrections:
    number = _whole(content["person"])
    if number < 1:
        raise ValueError("people count from 1")
    return PersonCorrections(
        number,
        tuple(BadRange(_whole(e["first"]), _whole(e["last"]), _text(e.get("part", WHOLE_BODY))) for e in content.get("bad", [])),
        tuple(_pin_from_dict(entry) for entry in content.get("pins", [])),
        tuple(ContactSpan(_whole(e["first"]), _whole(e["last"]), _text(e["part"]), bool(e["on"])) for e in content.get("contacts", [])),
        _text(content.get("earlier", "")),
    )


def _pin_from_dict(content: dict[str, Any]) -> Pin:
    x, y = content["pixel"]
    depth = content.get("depth")
    return Pin(_whole(content["frame"]), _text(content["joint"]), (float(x), float(y)), None if depth is None else float(depth))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1e9:
        raise ValueError(f"{value} is no number of a frame or of a person")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value} is no text")
    return value
