"""The list of people of a reconstruction: made of what was tracked, or read, and then applied to it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..bridge.messages import Progress, ReconstructRequest, Result
from ..core.array_types import IntArray
from ..core.errors import InputError
from ..core.files.people_file import people_from_text, people_to_text, read_people
from ..core.messages import Message
from ..core.people_list import ListedFootage, ListedTrack, PeopleList, TrackBox, list_of_tracks, ranges_of_frames
from ..core.records import Observations, Recovery
from .clip import LeftOut
from .report import build_found_report
from .tracking.apply_people_list import joined_observations, sources_of_people
from .tracking.detect_and_track import TrackingResult, detect_and_track
from .tracking.doubts import find_doubts
from .tracking.observation_cache import content_hash

BOX_INTERVAL, MAX_GAP = 0.5, 0.5  # s: between two boxes of a track in a list; up to which a gap is no end of a stretch


def apply_people_list(request: ReconstructRequest, tracked: TrackingResult) -> TrackingResult:
    """What was tracked with the people of the request's list, or else the list in which each track is a person.

    Raises:
        InputError: the list cannot be read, or shows nobody who is in these frames.
    """
    people = read_requested_list(request)
    if people is None:
        return replace(tracked, people_list=list_of_tracking(tracked))
    frames, size = frames_of(tracked), tracked.frames.size
    sources = sources_of_people(people, tracked.people, frames, size)
    seen = [number for number in people.numbers if (sources[number] >= 0).any()]
    if not seen:
        raise InputError(
            "people-list-of-other-footage",
            "Nobody of the list of people is seen in {name}.",
            "Choose the list of this footage.",
            name=Path(tracked.frames.source).name,
        )
    return replace(
        tracked,
        people=tuple(_person(tracked, sources[number]) for number in seen),
        numbers=tuple(seen),
        people_list=people,
        warnings=(*tracked.warnings, *_warnings(people, seen, frames, tracked)),
    )


def _person(tracked: TrackingResult, sources: IntArray) -> Observations:
    """A person of several tracks: sources (F,), as of `sources_of_people`; with a portrait of a frame in which they are that track."""
    joined = joined_observations(tracked.people, sources)
    if any(joined is track for track in tracked.people) or tracked.thumbnails is None:
        return joined
    tracks, rows, images = tracked.thumbnails
    own = np.flatnonzero(sources[rows] == tracks - 1)
    if not len(own):
        return joined
    sides = joined.boxes[rows[own], 2:] - joined.boxes[rows[own], :2]
    return replace(joined, portrait=images[own[int(sides.prod(1).argmax())]])


def _warnings(people: PeopleList, seen: Sequence[int], frames: IntArray, tracked: TrackingResult) -> list[Message]:
    """What a user should know of a list that does not quite fit: other footage, and people who are not found where they should be."""
    warnings: list[Message] = []
    name = Path(tracked.frames.source).name
    if people.footage.digest and people.footage.digest != content_hash(tracked.frames.source):
        text = "The list of people was made of other footage ({listed}): people of {name} are those at the same places."
        warnings.append(Message("people-list-of-changed-footage", text, listed=people.footage.name, name=name))
    for number in people.numbers:
        is_due = any(first <= frames[-1] and last >= frames[0] for first, last in people.seen_ranges(number))
        if number not in seen and is_due:
            text = "Person {number} of the list of people is not found in {name}."
            warnings.append(Message("listed-person-not-found", text, number=number, name=name))
    return warnings


def read_requested_list(request: ReconstructRequest) -> PeopleList | None:
    """The list of people of a request: its text, or else its file if there is one. Raises InputError: it cannot be read."""
    if request.people_text is not None:
        return people_from_text(request.people_text)
    if request.people_list is not None and Path(request.people_list).exists():
        return read_people(request.people_list)
    return None


def list_of_tracking(tracked: TrackingResult) -> PeopleList:
    """The list in which each track is a person of its own."""
    frames, count = tracked.frames, len(tracked.looked_at.all_times)
    footage = ListedFootage(Path(frames.source).name, content_hash(frames.source), frames.size, count, frames.first)
    tracks = [_listed(number, person, tracked) for number, person in enumerate(tracked.people, 1)]
    doubts = [next(iter(reasons), "") for reasons in find_doubts(tracked.people, frames.timestamps)]
    return list_of_tracks(footage, tracks, doubts)


def with_doubts(tracked: TrackingResult, left_out: Sequence[LeftOut]) -> TrackingResult:
    """With a list that says who was left out, and why."""
    if tracked.people_list is None or not left_out:
        return tracked
    reasons = {each.number: each.reasons[0] for each in left_out}
    people = tracked.people_list
    doubted = [replace(one, doubtful=reasons.get(one.number, one.doubtful)) for one in people.people]
    return replace(tracked, people_list=replace(people, people=tuple(doubted)))


def frames_of(tracked: TrackingResult) -> IntArray:
    """The numbers (F,) in the footage of the rows."""
    return tracked.frames.first + tracked.looked_at.rows


def _listed(number: int, track: Observations, tracked: TrackingResult) -> ListedTrack:
    times = tracked.looked_at.all_times
    seconds = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    seen = ranges_of_frames(tracked.looked_at.spread(track.visible), tracked.frames.first, max_gap=round(MAX_GAP / seconds))
    return ListedTrack(number, seen, tuple(_boxes(track, frames_of(tracked), tracked.frames.size, BOX_INTERVAL / seconds)))


def _boxes(track: Observations, frames: IntArray, size: Sequence[int], interval: float) -> list[TrackBox]:
    """The boxes of a track, a number of frames apart, and at the ends of where it is seen.

    Args:
        frames: (F,), the numbers of the track's rows. size: (width, height) px.
    """
    width, height = size
    boxes: list[TrackBox] = []
    is_end = ~(np.append(track.visible[1:], False) & np.insert(track.visible[:-1], 0, False))
    for row in np.flatnonzero(track.visible):
        frame = int(frames[row])
        if is_end[row] or frame - boxes[-1][0] >= interval:
            left, top, right, bottom = (round(float(side), 4) for side in track.boxes[row] / (width, height, width, height))
            boxes.append((frame, left, top, right, bottom))
    return boxes


def thumbnail_places(tracked: TrackingResult) -> IntArray:
    """(N,2), the track and the frame of the footage of each thumbnail."""
    if tracked.thumbnails is None:
        return np.zeros((0, 2), int)
    return np.stack([tracked.thumbnails.tracks, frames_of(tracked)[tracked.thumbnails.rows]], 1)


def text_of_list(tracked: TrackingResult) -> str:
    """The list of people as text; "" where there is none."""
    return "" if tracked.people_list is None else people_to_text(tracked.people_list)


def result_of_people(
    tracked: TrackingResult, report: dict[str, Any], recoveries: tuple[Recovery, ...] = (), numbers: Sequence[int] = ()
) -> Result:
    """The Result of some people's recoveries, with everybody who was found."""
    return Result(
        recoveries,
        tuple(numbers),
        report,
        tuple(observations.portrait for observations in tracked.people),
        people_text=text_of_list(tracked),
        thumbnails=None if tracked.thumbnails is None else tracked.thumbnails.images,
        thumbnail_places=None if tracked.thumbnails is None else thumbnail_places(tracked),
    )


def find_people(request: ReconstructRequest, on_progress: Callable[[Progress], None]) -> Result:
    """Who is in the footage, without reconstructing anybody. Raises MeshRecError."""
    tracked = apply_people_list(request, detect_and_track(request, on_progress))
    report = {
        "input": request.source,
        "people_found": len(tracked.people),
        "found": build_found_report(tracked),
        "frames_read": len(tracked.looked_at.all_times),
        "seconds": {stage: round(taken, 4) for stage, taken in tracked.seconds.items()},
        "warnings": list(dict.fromkeys(tracked.warnings)),
    }
    return result_of_people(tracked, report)
