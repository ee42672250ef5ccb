"""Edits of a list of people: merge, split, swap, name, leave out, take in. Each returns the changed list; the given one stays as it is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .errors import InputError
from .people_list import MAX_NAME, ListedPerson, PeopleList, Stretch, joined_ranges


def merge_people(people: PeopleList, number: int, others: Sequence[int]) -> PeopleList:
    """Make others the same person as `number`, who gets their stretches; where several are seen at once, the surer detection counts.

    Raises:
        InputError: there is no such person, or somebody is to be merged with themselves.
    """
    if number in others or len(set(others)) < len(others):
        raise InputError(
            "people-merge-with-self", "Person {number} cannot be merged with themselves.", "Name two different people.", number=number
        )
    kept, gone = people.person(number), [people.person(other) for other in others]
    name = next((person.name for person in (kept, *gone) if person.name), "")
    doubtful = kept.doubtful if all(person.doubtful for person in gone) else ""
    stretches = (*kept.stretches, *(stretch for person in gone for stretch in person.stretches))
    merged = replace(kept, name=name, doubtful=doubtful, stretches=stretches)
    return people.with_people(merged if person == kept else person for person in people.people if person not in gone)


def split_person(people: PeopleList, number: int, frame: int) -> tuple[PeopleList, int]:
    """Make a new person of what a person is from a frame on; returns the list and the new person's number.

    Raises:
        InputError: there is no such person, or they are on one side of the frame only.
    """
    person = people.person(number)
    before, after = _cut(person.stretches, frame)
    if not before or not after:
        first, last = person.frames
        raise InputError(
            "people-split-outside",
            "Frame {frame} does not divide person {number}, who is there from frame {first} to {last}.",
            "Choose a frame behind the first and up to the last of them.",
            frame=frame,
            number=number,
            first=first,
            last=last,
        )
    new = free_number(people)
    changed = [replace(one, stretches=before) if one == person else one for one in people.people]
    return people.with_people([*changed, ListedPerson(new, after)]), new


def swap_people(people: PeopleList, number: int, other: int, frame: int) -> PeopleList:
    """Exchange two people from a frame on; a second swap at the same frame takes the first one back.

    Raises:
        InputError: there is no such person, both are one, neither is there from the frame on, or one would be nowhere.
    """
    if number == other:
        raise InputError(
            "people-swap-with-self", "Person {number} cannot change places with themselves.", "Name two different people.", number=number
        )
    pair = people.person(number), people.person(other)
    (before, after), (other_before, other_after) = (_cut(person.stretches, frame) for person in pair)
    if not after and not other_after:
        raise InputError(
            "people-swap-after-end",
            "Neither person {number} nor person {other} is there from frame {frame} on.",
            "Choose an earlier frame.",
            number=number,
            other=other,
            frame=frame,
        )
    exchanged = {pair[0].number: (*before, *other_after), pair[1].number: (*other_before, *after)}
    for changed, stretches in exchanged.items():
        if not stretches:
            raise InputError(
                "people-swap-leaves-nobody",
                "Nothing would be left of person {number} after a swap at frame {frame}.",
                "Choose a later frame, or merge the two people.",
                number=changed,
                frame=frame,
            )
    return people.with_people(replace(one, stretches=exchanged.get(one.number, one.stretches)) for one in people.people)


def name_person(people: PeopleList, number: int, name: str) -> PeopleList:
    """Name a person; an empty name takes theirs away. Raises InputError: there is no such person, or the name is none."""
    person, name = people.person(number), name.strip()
    if not is_name(name):
        raise InputError(
            "people-name-unusable",
            "Person {number} cannot have this name: it is longer than {limit} characters, or has characters that cannot be shown.",
            "Give a shorter name of letters, digits and spaces.",
            number=number,
            limit=MAX_NAME,
        )
    return people.with_people(replace(one, name=name) if one == person else one for one in people.people)


def is_name(name: str) -> bool:
    """Whether a text can be a name: short, and printable; "" stands for none."""
    return len(name) <= MAX_NAME and name.isprintable()


def drop_person(people: PeopleList, number: int) -> PeopleList:
    """Leave a person out; their tracks stay in the list. Raises InputError: there is no such person, or nobody else."""
    person = people.person(number)
    if len(people.people) == 1:
        raise InputError(
            "people-list-of-nobody", "Person {number} is the last one of the list.", "Leave one person in it at least.", number=number
        )
    return people.with_people(one for one in people.people if one != person)


def add_track(people: PeopleList, number: int) -> tuple[PeopleList, int]:
    """Make a person of what a track shows and nobody is yet; returns the list and the new person's number.

    Raises:
        InputError: there is no such track, or somebody has all of it.
    """
    track = people.track(number)
    taken = joined_ranges((s.first, s.last) for person in people.people for s in person.stretches if s.track == number)
    free = tuple(Stretch(first, last, number) for seen in track.seen for first, last in _without(seen, taken))
    if not free:
        raise InputError(
            "people-track-taken", "All of track {number} belongs to somebody already.", "Split or swap people instead.", number=number
        )
    new = number if number not in people.numbers else free_number(people)
    return people.with_people([*people.people, ListedPerson(new, free)]), new


def confirm_person(people: PeopleList, number: int) -> PeopleList:
    """Say that a person who is listed as doubtful is somebody. Raises InputError: there is no such person."""
    person = people.person(number)
    return people.with_people(replace(one, doubtful="") if one == person else one for one in people.people)


def free_number(people: PeopleList) -> int:
    """The number of a new person: behind those of all people and tracks."""
    return 1 + max((*people.numbers, *(track.number for track in people.tracks)), default=0)


def _cut(stretches: Iterable[Stretch], frame: int) -> tuple[tuple[Stretch, ...], tuple[Stretch, ...]]:
    """The parts of stretches before a frame, and those from it on."""
    found = tuple(stretches)
    before = tuple(replace(s, last=min(s.last, frame - 1)) for s in found if s.first < frame)
    after = tuple(replace(s, first=max(s.first, frame)) for s in found if s.last >= frame)
    return before, after


def _without(seen: tuple[int, int], taken: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of a range that are in none of others, which are in order."""
    first, last = seen
    parts: list[tuple[int, int]] = []
    for begin, end in taken:
        if begin > first:
            parts.append((first, min(last, begin - 1)))
        first = max(first, end + 1)
    return [(begin, end) for begin, end in [*parts, (first, last)] if begin <= end]
