"""What the footage pass found in the frames that show a new picture: those that repeat the one before them are left out.

Somebody who moves seems to stand in them, and to leap behind them, which neither the lifter nor the solve can tell from motion.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.records import Observations
from ..camera.picture_change import repeated_pictures
from ..camera.tracks import FrameMatches

Found = TypeVar("Found")


def rows_of_new_pictures(matches: Sequence[FrameMatches], timestamps: FloatArray) -> IntArray:
    """The rows (F,) that show a new picture, of frames with their matches and times (N,) s."""
    return np.flatnonzero(~repeated_pictures(np.array([found.change.largest for found in matches]), timestamps))


def rows_shown_last(rows: IntArray, count: int) -> IntArray:
    """The last of `count` rows that show each picture, (F,), where the detector knows best where people are; rows: the first ones."""
    return np.append(rows[1:], count) - 1


def observed_in_pictures(person: Observations, rows: IntArray) -> Observations:
    """What was seen of a person in each picture: in the last row that shows it, with the second look in any of them.

    person: of N frames. rows: (F,), the first ones that show each picture.
    """
    shown_last = rows_shown_last(rows, len(person))
    seen = person.at(shown_last)
    if person.second_look is None or len(rows) == len(person):
        return seen
    looked = np.flatnonzero(person.second_look.any((1, 2)))
    second_look = np.zeros_like(person.second_look[shown_last])
    second_look[np.searchsorted(rows, looked, "right") - 1] = person.second_look[looked]
    return replace(seen, second_look=second_look)


def matches_of_rows(matches: Sequence[FrameMatches], rows: IntArray) -> list[FrameMatches]:
    """The matches of some rows (F,) with each other: a frame that is left out shows the picture of the last row before it."""
    place = np.searchsorted(rows, np.arange(len(matches)), "right") - 1
    return [
        found._replace(matches=tuple(match._replace(reference=int(place[match.reference])) for match in found.matches))
        for found in (matches[row] for row in rows)
    ]


def found_in_rows(found: Iterable[tuple[int, Found]], rows: IntArray) -> list[tuple[int, Found]]:
    """What was found in some rows (F,), with its place among them."""
    places = {int(row): place for place, row in enumerate(rows)}
    return [(places[row], each) for row, each in found if row in places]
