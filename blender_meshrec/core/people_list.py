"""The people of a clip: who is where, when. Each person is a set of stretches of the tracks that the tracker has followed.

A list states its outcome only: a merge, a split or a swap (people_edits.py) assigns stretches to other people, and leaves no trace of
itself. Frames are those of the footage, counted from 0, and ranges include their last frame.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .array_types import BoolArray
from .errors import InputError

FrameRange = tuple[int, int]  # first and last frame, both included
TrackBox = tuple[int, float, float, float, float]  # frame; left, top, right, bottom as shares of the picture's width and height
MAX_NAME = 60  # characters


def default_person_name(number: int) -> str:
    """The name of a person that nobody has named."""
    return f"person{number}"


@dataclass(frozen=True, order=True)
class Stretch:
    """Frames `first` to `last` in which a person is what the tracker has followed as track `track`."""

    first: int
    last: int
    track: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last or self.track < 1:
            raise ValueError(f"track {self.track} has no frames from {self.first} to {self.last}")


@dataclass(frozen=True)
class ListedPerson:
    """A person. number: from 1. name: "" where nobody gave one. doubtful: why they may be nobody, a sentence; "" if they are not."""

    number: int
    stretches: tuple[Stretch, ...]
    name: str = ""
    doubtful: str = ""

    @property
    def frames(self) -> FrameRange:
        """The first and the last frame that may show them."""
        return min(stretch.first for stretch in self.stretches), max(stretch.last for stretch in self.stretches)


@dataclass(frozen=True)
class ListedTrack:
    """What the tracker has followed. number: from 1, the largest first. seen: the ranges of frames with a detection, in order.

    boxes: at some of these frames, by which the track is found again where the tracker has numbered otherwise.
    """

    number: int
    seen: tuple[FrameRange, ...]
    boxes: tuple[TrackBox, ...] = ()


@dataclass(frozen=True)
class ListedFootage:
    """The footage of a list: its file's name, the digest of its content, (width, height) px, and the range of frames that was read."""

    name: str
    digest: str
    size: tuple[int, int]
    frames: int
    first: int = 0

    @property
    def end(self) -> int:
        """The frame behind the last."""
        return self.first + self.frames


@dataclass(frozen=True)
class PeopleList:
    """The people of a clip in the order of their numbers, which may have gaps, and the tracks that they consist of."""

    footage: ListedFootage
    people: tuple[ListedPerson, ...]
    tracks: tuple[ListedTrack, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all people."""
        return tuple(person.number for person in self.people)

    def person(self, number: int) -> ListedPerson:
        """The person of a number. Raises InputError: the list has none."""
        for person in self.people:
            if person.number == number:
                return person
        raise InputError(
            "people-list-without-person",
            "The list of people has no person {number}.",
            "Choose one of its people: {people}.",
            number=number,
            people=self.numbers,
        )

    def name_of(self, number: int) -> str:
        """The name of a person; "" where there is no such person, or they have none."""
        return next((person.name for person in self.people if person.number == number), "")

    def track(self, number: int) -> ListedTrack:
        """The track of a number. Raises InputError: the list has none."""
        for track in self.tracks:
            if track.number == number:
                return track
        raise InputError(
            "people-list-without-track",
            "The list of people has no track {number}.",
            "Choose one of its tracks: {tracks}.",
            number=number,
            tracks=tuple(track.number for track in self.tracks),
        )

    def with_people(self, people: Iterable[ListedPerson]) -> "PeopleList":
        """With these people, whose stretches are joined where they continue each other."""
        tidy = (replace(person, stretches=joined_stretches(person.stretches)) for person in people)
        return replace(self, people=tuple(sorted(tidy, key=lambda person: person.number)))

    def seen_ranges(self, number: int) -> list[FrameRange]:
        """The ranges of frames in which a person was seen, in order; ranges that touch are one."""
        ranges = [
            (max(first, stretch.first), min(last, stretch.last))
            for stretch in self.person(number).stretches
            for first, last in self.track(stretch.track).seen
        ]
        return joined_ranges([(first, last) for first, last in ranges if first <= last])

    def seen_share(self, number: int) -> float:
        """The share 0..1 of the footage's frames in which a person was seen."""
        return sum(last + 1 - first for first, last in self.seen_ranges(number)) / max(1, self.footage.frames)

    def seen_cells(self, number: int, count: int) -> list[float]:
        """The footage's frames in `count` equal cells: the share 0..1 of each in which a person was seen."""
        width = max(1e-9, self.footage.frames / count)
        shares = []
        for cell in range(count):
            begin = self.footage.first + cell * width
            overlaps = (min(last + 1, begin + width) - max(first, begin) for first, last in self.seen_ranges(number))
            shares.append(min(1.0, sum(max(0.0, overlap) for overlap in overlaps) / width))
        return shares


def joined_ranges(ranges: Iterable[FrameRange]) -> list[FrameRange]:
    """Ranges in order; those that overlap or touch are one."""
    joined: list[FrameRange] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def joined_stretches(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Stretches in order; those of one track that overlap or touch are one."""
    found = list(stretches)
    tracks = sorted({stretch.track for stretch in found})
    ranges = {track: joined_ranges((stretch.first, stretch.last) for stretch in found if stretch.track == track) for track in tracks}
    return tuple(sorted(Stretch(first, last, track) for track in tracks for first, last in ranges[track]))


def list_of_tracks(footage: ListedFootage, tracks: Sequence[ListedTrack], doubts: Sequence[str]) -> PeopleList:
    """The list in which every track is a person of its own, with the same number; doubts: why each may be nobody, "" if not."""
    people = [
        ListedPerson(track.number, tuple(Stretch(first, last, track.number) for first, last in track.seen), doubtful=doubt)
        for track, doubt in zip(tracks, doubts, strict=True)
    ]
    return PeopleList(footage, tuple(people), tuple(tracks))


def ranges_of_frames(seen: BoolArray, first: int, max_gap: int = 0) -> tuple[FrameRange, ...]:
    """The ranges of frames (N,) that are true, of which the first is frame `first`.

    Args:
        max_gap: frames without a detection between two ranges that are taken for one.
    """
    joined: list[FrameRange] = []
    for frame in (first + seen.nonzero()[0]).tolist():
        if joined and frame <= joined[-1][1] + 1 + max_gap:
            joined[-1] = (joined[-1][0], frame)
        else:
            joined.append((frame, frame))
    return tuple(joined)
