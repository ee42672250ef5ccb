"""What an artist has corrected of a result: ranges whose observations are bad, joints dragged to where they are, and contacts.

Frames are those of the footage, counted from 0, so that corrections outlast a new reconstruction of another part of it.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from .array_types import BoolArray, FloatArray, IntArray
from .body_contacts import CONTACT_PARTS
from .contacts import contact_runs
from .skeletons import SMPL_JOINTS

# The parts of a body whose observations can be bad on their own, and the joints that they turn.
_ARM, _LEG = ("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot")
BODY_PARTS: dict[str, tuple[str, ...]] = {
    "torso": ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "head": ("neck", "head"),
    **{f"{side}_arm": tuple(f"{side}_{joint}" for joint in _ARM) for side in ("left", "right")},
    **{f"{side}_leg": tuple(f"{side}_{joint}" for joint in _LEG) for side in ("left", "right")},
}
WHOLE_BODY = "body"
# Around a pin, and between pins of one joint that are nearer than this in time, s, the detector's keypoint of the joint does not count.
PIN_REACH, PIN_GAP = 0.2, 1.5
# Around what is corrected, s, the motion may change, to be smooth; and it gives way to the earlier one over so many s more.
EASE_TIME, FADE_TIME = 0.1, 0.15


def _check_frames(first: int, last: int) -> None:
    if not 0 <= first <= last:
        raise ValueError(f"there are no frames from {first} to {last}")


@dataclass(frozen=True)
class BadRange:
    """Frames `first` to `last`, both included, in which the observations of a part are wrong: of BODY_PARTS, or WHOLE_BODY."""

    first: int
    last: int
    part: str = WHOLE_BODY

    def __post_init__(self) -> None:
        if self.part != WHOLE_BODY and self.part not in BODY_PARTS:
            raise ValueError(f"there is no part {self.part}")
        _check_frames(self.first, self.last)


@dataclass(frozen=True)
class Pin:
    """A joint of SMPL that an artist has dragged, in one frame.

    pixel: (x, y) px of the upright, square-pixel picture as the result's camera_intrinsics show it, without distortion and zoom. depth: m
    in front of the camera, or None where only the picture counts.
    """

    frame: int
    joint: str
    pixel: tuple[float, float]
    depth: float | None = None

    def __post_init__(self) -> None:
        if self.joint not in SMPL_JOINTS:
            raise ValueError(f"there is no joint {self.joint}")
        if self.frame < 0 or (self.depth is not None and not 0 < self.depth < 1e5) or not max(map(abs, self.pixel)) < 1e6:
            raise ValueError(f"the pin of {self.joint} is nowhere")


@dataclass(frozen=True)
class ContactSpan:
    """Frames `first` to `last`, both included, in which one of CONTACT_PARTS certainly touches, or certainly does not."""

    first: int
    last: int
    part: str
    is_on: bool

    def __post_init__(self) -> None:
        if self.part not in CONTACT_PARTS:
            raise ValueError(f"there is no part {self.part}")
        _check_frames(self.first, self.last)


@dataclass(frozen=True)
class PersonCorrections:
    """The corrections of one person, whose number counts from 1.

    earlier: path of a motion file, the result that was corrected: frames that no correction concerns stay as they are there; "" for none.
    """

    person: int
    bad: tuple[BadRange, ...] = ()
    pins: tuple[Pin, ...] = ()
    contacts: tuple[ContactSpan, ...] = ()
    earlier: str = ""

    def __bool__(self) -> bool:
        """Whether anything is corrected."""
        return bool(self.bad or self.pins or self.contacts)

    def with_pin(self, pin: Pin) -> "PersonCorrections":
        """With a pin, in place of one of the same joint and frame."""
        kept = [other for other in self.pins if (other.frame, other.joint) != (pin.frame, pin.joint)]
        return replace(self, pins=tuple(sorted((*kept, pin), key=lambda entry: (entry.frame, entry.joint))))


@dataclass(frozen=True)
class Corrections:
    """The corrections of the people of one clip. footage: the name of its file, for people to read."""

    footage: str = ""
    people: tuple[PersonCorrections, ...] = ()

    def of_person(self, number: int) -> PersonCorrections:
        """The corrections of a person; none where there are none."""
        return next((person for person in self.people if person.person == number), PersonCorrections(number))

    def with_person(self, changed: PersonCorrections) -> "Corrections":
        """With the corrections of a person in place of theirs."""
        return replace(self, people=tuple(_by_number([*(p for p in self.people if p.person != changed.person), changed])))


def _by_number(people: Iterable[PersonCorrections]) -> list[PersonCorrections]:
    return sorted(people, key=lambda person: person.person)


def rows_between(frames: IntArray, first: int, last: int) -> BoolArray:
    """Which rows (F,) of these frames lie between two frames, both included."""
    return (frames >= first) & (frames <= last)


def certain_contacts(corrections: PersonCorrections, frames: IntArray) -> FloatArray:
    """Contacts (F,9) of CONTACT_PARTS in these frames: 1 or 0 where an artist has set them, nan elsewhere."""
    contacts = np.full((len(frames), len(CONTACT_PARTS)), np.nan)
    for span in corrections.contacts:
        contacts[rows_between(frames, span.first, span.last), CONTACT_PARTS.index(span.part)] = float(span.is_on)
    return contacts


def rows_around_pins(is_pinned: BoolArray, times: FloatArray) -> BoolArray:
    """The rows (F,) around the pins (F,) of one joint, and between pins that are near each other."""
    rows = np.zeros(len(times), bool)
    at = times[is_pinned]
    for time in at:
        rows |= np.abs(times - time) <= PIN_REACH
    for before, after in itertools.pairwise(at):
        if after - before <= PIN_GAP:
            rows |= (times >= before) & (times <= after)
    return rows


def changed_rows(corrections: PersonCorrections, frames: IntArray, times: FloatArray, contacts: FloatArray) -> BoolArray:
    """The rows (F,) of a result in which corrections may change the motion.

    Args:
        frames: (F,), the rows' frames of the footage. times: (F,) s. contacts: (F,9) 0..1 that the motion has already.
    """
    changed = np.zeros(len(frames), bool)
    for bad in corrections.bad:
        changed |= rows_between(frames, bad.first, bad.last)
    for joint in {pin.joint for pin in corrections.pins}:
        at = [pin.frame for pin in corrections.pins if pin.joint == joint and frames[0] <= pin.frame <= frames[-1]]
        is_pinned = np.zeros(len(frames), bool)
        is_pinned[[int(np.argmin(np.abs(frames - frame))) for frame in at]] = True
        changed |= rows_around_pins(is_pinned, times)
    certain = certain_contacts(corrections, frames)
    changed |= (~np.isnan(certain) & ((certain > 0.5) != (contacts > 0.5))).any(1)
    for first, last in contact_runs(changed.copy()):
        changed |= (times >= times[first] - EASE_TIME) & (times <= times[last - 1] + EASE_TIME)
    return changed


def fade_out(rows: BoolArray, times: FloatArray) -> FloatArray:
    """Weights (F,): 1 in rows (F,), falling to 0 within FADE_TIME around them."""
    distance = np.full(len(rows), np.inf)
    for first, last in contact_runs(rows):
        distance = np.minimum(distance, np.maximum(np.maximum(times[first] - times, times - times[last - 1]), 0))
    x = np.clip(1 - distance / FADE_TIME, 0, 1)
    return x * x * (3 - 2 * x)


def spans_of(certain: FloatArray, first_frame: int = 0) -> tuple[ContactSpan, ...]:
    """Contacts (N,9) of N frames in a row, nan where nothing is certain, as spans."""
    spans: list[ContactSpan] = []
    for column, part in enumerate(CONTACT_PARTS):
        for state in (True, False):
            for first, last in contact_runs(certain[:, column] == float(state)):
                spans.append(ContactSpan(int(first) + first_frame, int(last) - 1 + first_frame, part, state))
    return tuple(sorted(spans, key=lambda span: (span.first, span.part)))
