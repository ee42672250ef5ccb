"""An artist's corrections of a person: stored with the armature, and in a file beside the result that a new reconstruction reads.

The file lies beside the .blend, named after the footage; before the .blend is saved for the first time, in the user's data folder.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import bpy
import numpy as np

from ...core.array_types import FloatArray
from ...core.body_contacts import CONTACT_PARTS
from ...core.corrections import Corrections, PersonCorrections, spans_of
from ...core.errors import InputError
from ...core.files.corrections import SUFFIX, corrections_from_text, corrections_to_text, read_corrections, write_corrections
from ...core.files.user_folders import data_folder
from ..cameras.footage_clock import footage_clock
from ..takes.earlier_results import NUMBER_PROPERTY
from .edited_contacts import read_edited_contacts

CORRECTIONS_PROPERTY = "meshrec_corrections"  # of an armature object: the content of a file of corrections of this person alone


def person_number(armature_object: bpy.types.Object) -> int:
    """The number of a person in their clip, from 1."""
    return next((int(owner[NUMBER_PROPERTY]) for owner in armature_object.users_collection if NUMBER_PROPERTY in owner), 1)


def stored_corrections_file(footage: str) -> Path | None:
    """The file of the corrections of a clip where there is one, also that from before the .blend was saved; else None."""
    return next((path for path in _corrections_files(footage) if path.is_file()), None)


def _corrections_files(footage: str) -> list[Path]:
    """Where the corrections of a clip may lie: beside the .blend, if it was saved, and in the user's data folder."""
    name = f"{Path(footage).stem or 'clip'}{SUFFIX}"
    unsaved = data_folder() / "corrections" / blake2b(footage.encode(), digest_size=8).hexdigest() / name
    return [Path(bpy.data.filepath).with_name(name), unsaved] if bpy.data.filepath else [unsaved]


def get_corrections(armature_object: bpy.types.Object) -> PersonCorrections:
    """The corrections of a person, as the scene or else the file has them; their contacts are those that were saved last."""
    number, text = person_number(armature_object), armature_object.get(CORRECTIONS_PROPERTY)
    if text is not None:
        try:
            return replace(corrections_from_text(text).people[0], person=number)
        except (InputError, IndexError):
            return PersonCorrections(number)
    return _read_file(armature_object.get("footage", "")).of_person(number)


def set_corrections(armature_object: bpy.types.Object, corrections: PersonCorrections) -> None:
    """Set the corrections of a person in the scene; `save_corrections` writes the file."""
    content = Corrections(Path(armature_object.get("footage", "")).name, (corrections,))
    armature_object[CORRECTIONS_PROPERTY] = corrections_to_text(content)


def collect_corrections(armature_object: bpy.types.Object) -> PersonCorrections:
    """The corrections of a person, with the contacts that were edited on the channels of its action.

    Raises:
        InputError: the armature's action is not that of a result.
    """
    corrections, clock = get_corrections(armature_object), footage_clock(armature_object)
    edited = read_edited_contacts(armature_object).contacts
    count = 1 + max([int(clock.footage.max()), *(span.last for span in corrections.contacts)])
    certain = np.full((count, len(CONTACT_PARTS)), np.nan)
    for span in corrections.contacts:
        certain[span.first : span.last + 1, CONTACT_PARTS.index(span.part)] = float(span.is_on)
    shown = np.arange(int(clock.footage.min()), int(clock.footage.max()) + 1)
    rows = np.clip(np.searchsorted(clock.footage, shown), 0, len(edited) - 1)
    certain[shown] = np.where(np.isnan(edited[rows]), certain[shown], edited[rows])
    return replace(corrections, contacts=spans_of(certain))


def certain_rows(armature_object: bpy.types.Object, corrections: PersonCorrections) -> FloatArray:
    """The contacts (F,9) that corrections say are certain in the rows of a person's action, nan elsewhere."""
    clock = footage_clock(armature_object)
    certain = np.full((len(clock.footage), len(CONTACT_PARTS)), np.nan)
    for span in corrections.contacts:
        rows = (clock.footage >= span.first) & (clock.footage <= span.last)
        certain[rows, CONTACT_PARTS.index(span.part)] = float(span.is_on)
    return certain


def save_corrections(armature_objects: Iterable[bpy.types.Object]) -> Path | None:
    """Write the corrections of people of one clip, contacts on their channels included; returns the file, None if there are none.

    People of the clip who are not among them keep theirs.

    Raises:
        OutputError: the file cannot be written. InputError: an armature's action is not that of a result.
    """
    footage, corrections = "", Corrections()
    for armature_object in armature_objects:
        if not footage:
            footage = armature_object.get("footage", "")
            corrections = _read_file(footage)
        mine = collect_corrections(armature_object)
        if mine or CORRECTIONS_PROPERTY in armature_object:
            set_corrections(armature_object, mine)
        corrections = corrections.with_person(mine)
    people = tuple(person for person in corrections.people if person)
    path = _corrections_files(footage)[0]
    if not people and not path.is_file():
        return None
    write_corrections(path, Corrections(Path(footage).name, people))
    return path


def _read_file(footage: str) -> Corrections:
    """The corrections that a file holds of a clip; none if there is no file, or it is damaged."""
    path = stored_corrections_file(footage) if footage else None
    if path is None:
        return Corrections()
    try:
        return read_corrections(path)
    except InputError:
        return Corrections()
