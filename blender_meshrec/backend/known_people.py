"""What the user knows of the people beforehand: their stature, their shape, and contacts that are certain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..bridge.messages import ReconstructRequest
from ..core.array_types import FloatArray
from ..core.corrections import Corrections, PersonCorrections
from ..core.errors import InputError
from ..core.files.body_template import BodyTemplate
from ..core.files.corrections import read_corrections
from ..core.files.input_file import read_json
from ..core.files.safe_npz import read_arrays
from ..core.messages import Message
from ..core.option_parsers import HEIGHT_RANGE
from ..core.options import OPTIONS
from ..core.time_series import bracketing_samples
from .footage.looked_at import LookedAt

T = TypeVar("T")
MAX_BETA = 100.0  # of a file; more is damage


@dataclass(frozen=True)
class KnownContacts:
    """Contacts (F,4) of a file, above 0.5 where a point touches and nan where nobody knows, and their times (F,) s, or None."""

    name: str
    contacts: FloatArray
    timestamps: FloatArray | None

    def at(self, timestamps: FloatArray, looked_at: LookedAt) -> FloatArray:
        """Contacts (F,4) at the times of a clip: 1, 0, or nan where they are not known.

        Args:
            timestamps: (F,) s, of the frames that were looked at. A file without times has these, or all of their range.

        Raises:
            InputError: the file has no times and another number of frames.
        """
        certain = np.where(np.isnan(self.contacts), np.nan, self.contacts > 0.5)
        if len(self.contacts) == len(timestamps):
            return certain
        if self.timestamps is None and len(self.contacts) == len(looked_at.all_times):
            return certain[looked_at.rows]
        if self.timestamps is None:
            raise InputError(
                "contacts-of-another-clip",
                "{name} has contacts of {found} frames, the clip has {frames}.",
                "Choose the motion of this clip, with the same range of frames.",
                name=self.name,
                found=len(self.contacts),
                frames=len(looked_at.all_times),
            )
        before, after, weight = bracketing_samples(timestamps, self.timestamps)
        nearest = np.where(weight < 0.5, before, after)
        step = float(np.median(np.diff(self.timestamps))) if len(self.timestamps) > 1 else np.inf
        is_near = np.abs(self.timestamps[nearest] - timestamps) <= step
        return np.where(is_near[:, None], certain[nearest], np.nan)


@dataclass(frozen=True)
class KnownPerson:
    """What is known of one person: height in m, betas (B,), contacts, an artist's corrections; None where nothing is."""

    height: float | None = None
    betas: FloatArray | None = None
    contacts: KnownContacts | None = None
    corrections: PersonCorrections | None = None


def read_known_people(request: ReconstructRequest, template: BodyTemplate) -> Callable[[int, bool], KnownPerson]:
    """Read what a request says of its people.

    Returns:
        a function from the number of a person, from 1, and whether they are the first of those reconstructed to what is known of them:
        a list goes by number, a single height is everybody's, and a single file is the first person's.

    Raises:
        InputError: a height is none of a person, a file cannot be read or is not of this body, or both height and betas are given.
    """
    if request.height is not None and request.betas:
        raise InputError(
            "height-with-betas", "Height and betas are both given, and betas have a height of their own.", "Leave one of them out."
        )
    if request.known_contacts and not request.contacts:
        raise InputError(
            "contacts-given-and-off", "Contacts are given, and Lock Feet, which keeps them, is off.", "Switch it on, or give no contacts."
        )
    heights = () if request.height is None else request.height if isinstance(request.height, tuple) else (request.height,)
    for height in heights:
        if height and not HEIGHT_RANGE[0] <= height <= HEIGHT_RANGE[1]:
            raise InputError(
                "height-out-of-range",
                "{height:g} cm is no height of a person.",
                "Give {least:.0f} to {most:.0f} cm, or 0 to estimate it.",
                height=height,
                least=HEIGHT_RANGE[0],
                most=HEIGHT_RANGE[1],
            )
    betas = [read_betas(path, number, template) if path else None for number, path in enumerate(request.betas, 1)]
    contacts = [read_contacts(path) if path else None for path in request.known_contacts]
    corrections = read_corrections(request.corrections) if request.corrections else Corrections()

    def person(number: int, is_first: bool) -> KnownPerson:
        height = _of_person(heights, number, True)
        shape = _of_person(betas, number, is_first)
        corrected = corrections.of_person(number)
        return KnownPerson(
            height / 100 if height else None,
            shape,
            _of_person(contacts, number, is_first),
            corrected if corrected or corrected.earlier else None,
        )

    return person


def unused_values(request: ReconstructRequest, chosen: Sequence[int], found: int) -> list[Message]:
    """Messages about values that a request has for people who were not found, or are not reconstructed.

    Args:
        chosen: the numbers, from 1, of those who are. found: how many people were found.
    """
    messages: list[Message] = []
    for name in ("height", "betas", "known_contacts"):
        given, argument = getattr(request, name), OPTIONS[name].argument
        if argument is None or not isinstance(given, tuple) or len(given) == 1:
            continue  # a single height is everybody's, a single file the first person's
        unused = [number for number, value in enumerate(given, 1) if value and number not in chosen]
        missing, left_out = [number for number in unused if number > found], [number for number in unused if number <= found]
        if missing:
            messages.append(
                Message(
                    "value-of-person-not-found",
                    "{option} for person {people} does nothing: the last person found is person {found}.",
                    option=argument.flag,
                    people=tuple(missing),
                    found=found,
                )
            )
        if left_out:
            messages.append(
                Message(
                    "value-of-person-not-chosen",
                    "{option} for person {people} does nothing: only person {chosen} is reconstructed.",
                    option=argument.flag,
                    people=tuple(left_out),
                    chosen=tuple(chosen),
                )
            )
    return messages


def _of_person(values: Sequence[T], number: int, takes_single: bool) -> T | None:
    if len(values) == 1:
        return values[0] if takes_single else None
    return values[number - 1] if number <= len(values) else None


def read_betas(path: str, number: int, template: BodyTemplate) -> FloatArray:
    """The betas (B,) of a motion .npz, or of person `number` of a report in JSON; of a report with one person, theirs.

    Raises:
        InputError: the file cannot be read, holds no betas, or those of another body.
    """
    try:
        stored = (
            _betas_of_report(path, number) if Path(path).suffix.lower() == ".json" else _read_npz(path, ("betas", "surface_model_type"))
        )
        betas = np.atleast_1d(np.squeeze(np.asarray(stored["betas"], float)))
        if betas.ndim != 1 or not len(betas) or not np.abs(betas).max() <= MAX_BETA:
            raise ValueError("no betas")
        model = str(np.asarray(stored["surface_model_type"]).item())
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            "betas-file-unreadable",
            "{name} holds no betas of a person.",
            "Choose a motion .npz or a report in JSON that this software has written.",
            name=path,
        ) from error
    count = template.shapedirs.shape[-1]
    if model != template.surface_model_type or len(betas) > count:
        raise InputError(
            "betas-of-another-body",
            "The betas of {name} are those of another body ({model}).",
            "Choose the body with which they were found.",
            name=path,
            model=model,
        )
    return np.pad(betas, (0, count - len(betas)))


def _betas_of_report(path: str, number: int) -> dict[str, Any]:
    people = read_json(path)["people"]
    return people[0] if len(people) == 1 else {person["person"]: person for person in people}[number]


def read_contacts(path: str) -> KnownContacts:
    """The contacts of a motion .npz. Raises InputError: it cannot be read, or holds none."""
    try:
        stored = _read_npz(path, ("contacts", "timestamps"))
        contacts = np.asarray(stored["contacts"], float)
        times = np.asarray(stored["timestamps"], float) if "timestamps" in stored else None
        if contacts.ndim != 2 or contacts.shape[1] != 4 or not len(contacts) or (times is not None and times.shape != contacts.shape[:1]):
            raise ValueError("no contacts")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            "contacts-file-unreadable",
            "{name} holds no contacts of heels and toes.",
            "Choose a motion .npz that this software has written.",
            name=path,
        ) from error
    return KnownContacts(path, contacts, times)


def _read_npz(path: str, keys: tuple[str, ...]) -> dict[str, Any]:
    return dict(read_arrays(path, keys))
