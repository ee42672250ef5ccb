"""People whom `--person all` leaves out: those who may be nobody, and those whose body does not explain the footage."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..bridge.messages import ReconstructRequest
from ..core.messages import Message
from ..core.verdict import LIMITS
from .clip import Clip, LeftOut
from .tracking.detect_and_track import TrackingResult
from .tracking.doubts import find_doubts

# What says that a body does not explain the footage. Other measures judge the motion of somebody who is there.
UNEXPLAINED = ("off_picture", "far_off_at_times", "keypoints_unlike_a_body", "jumps", "unsure", "trembling")
_BAD = {limit.name: limit for limit in LIMITS if limit.name in UNEXPLAINED}


def leaves_out(request: ReconstructRequest) -> bool:
    """Whether doubtful people are left out: only of everybody, and only unless they are asked for."""
    return request.person == "all" and not request.include_doubtful


def choose_undoubted(request: ReconstructRequest, tracked: TrackingResult, numbers: Sequence[int]) -> tuple[list[int], list[LeftOut]]:
    """The numbers of the people to reconstruct, and those of them who are left out since they may be nobody; somebody always remains."""
    if not leaves_out(request):
        return list(numbers), []
    doubts = _doubts_by_number(tracked)
    kept = [number for number in numbers if not doubts[number]] or list(numbers[:1])
    return kept, [LeftOut(number, doubts[number]) for number in numbers if number not in kept]


def _doubts_by_number(tracked: TrackingResult) -> dict[int, tuple[Message, ...]]:
    """The reasons for which people may be nobody: those of a list that was given, or else those found."""
    if not tracked.numbers or tracked.people_list is None:
        return dict(zip(tracked.person_numbers, find_doubts(tracked.people, tracked.frames.timestamps), strict=True))
    listed = {person.number: person.doubtful for person in tracked.people_list.people}
    return {number: (Message("listed-doubt", "{why}", why=listed[number]),) if listed[number] else () for number in tracked.numbers}


def leave_out_unexplained(clip: Clip) -> None:
    """Leave out people whose bodies do not explain the footage, but not the first one."""
    first, *extras = clip.people
    out = [LeftOut(person.number, reasons) for person in extras if (reasons := unexplained(person.judged.get("measures", {})))]
    if out:
        numbers = {each.number for each in out}
        clip.people = [first, *(person for person in extras if person.number not in numbers)]
        clip.warnings = [warning for warning in clip.warnings if not _is_verdict_on(warning, numbers)]
        clip.left_out += out


def unexplained(measures: Mapping[str, float | None]) -> tuple[Message, ...]:
    """The reasons, the gravest first, for which a body does not explain the footage; empty if it does. measures: of the report."""
    beyond = [(value / _BAD[name].bad, name, value) for name, value in measures.items() if name in _BAD and value is not None]
    return tuple(_BAD[name].reason(value) for excess, name, value in sorted(beyond, reverse=True) if excess >= 1)


def _is_verdict_on(warning: str, numbers: set[int]) -> bool:
    if not isinstance(warning, Message) or warning.name not in ("verdict-warning-bad", "verdict-warning-doubtful"):
        return False
    return warning.values.get("person") in numbers


def warnings_of_left_out(left_out: Sequence[LeftOut]) -> list[Message]:
    """What to tell the user of the people who were left out."""
    text = "Person {person} is left out as doubtful: {reason} --include-doubtful (Include Doubtful People) has them too."
    return [Message("person-left-out", text, person=each.number, reason=each.reasons[0]) for each in left_out]


def report_of_left_out(left_out: Sequence[LeftOut]) -> list[dict[str, Any]]:
    """The people who were left out, for the report: their numbers, and why."""
    return [{"person": each.number, "reasons": list(each.reasons)} for each in left_out]
