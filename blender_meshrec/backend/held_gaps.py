"""Where a person is held: not seen for more than a second, so that nobody knows what they did."""

from itertools import pairwise

import numpy as np

from ..core.messages import Message
from ..core.time_series import long_gaps
from .clip import Clip, Person


def held_rows(person: Person, clip: Clip) -> list[tuple[int, int]]:
    """The first and last row of each gap in which a person is held, within one shot."""
    visible, found = np.asarray(person.recovery.visible, bool), list[tuple[int, int]]()
    for first, last in pairwise([0, *clip.breaks, len(visible)]):
        found += [(first + a, first + b) for a, b in long_gaps(visible[first:last], clip.motion_times[first:last])]
    return found


def say_held_gaps(clip: Clip) -> None:
    """Note the gaps of each person, in frames of the footage's range, for the report, and warn of them. Needs the footage's own frames."""
    for person in clip.people:
        held = held_rows(person, clip)
        rows = clip.looked_at.rows
        person.judged["held_frames"] = [[int(rows[first]), int(rows[last])] for first, last in held]
        for first, last in held:
            seconds = clip.frames.timestamps[last + 1] - clip.frames.timestamps[first - 1]
            clip.warnings.append(
                Message(
                    "person-held",
                    "Person {person} is not seen from frame {first} to frame {last}, {seconds:.1f} s: they are held where they were last "
                    "seen.",
                    person=person.number,
                    first=int(rows[first]),
                    last=int(rows[last]),
                    seconds=float(seconds),
                )
            )
