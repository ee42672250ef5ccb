"""Footprints: one place on the ground for each contact of heel and ball, one foot's length apart wherever both touch at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..array_types import BoolArray, FloatArray
from ..contacts import contact_runs


@dataclass(frozen=True)
class _FlatPrint:
    """A flat foot's print over frames first..last-1: places (2,2) m of heel and ball, and the offset (2,) m of the posed foot from it."""

    first: int
    last: int
    places: FloatArray
    offset: FloatArray


def overlap_contacts(contacts: BoolArray) -> BoolArray:
    """Contacts (F,2) of heel and ball that share one frame where one follows directly on the other: it is the same print."""
    heel, ball = contacts.T
    handover = (heel[:-1] & ~ball[:-1] & ball[1:] & ~heel[1:]) | (ball[:-1] & ~heel[:-1] & heel[1:] & ~ball[1:])
    result = contacts.copy()
    result[np.flatnonzero(handover)] = True
    return result


def flat_headings(heading: FloatArray, contacts: BoolArray) -> FloatArray:
    """Headings (F,) rad, continuous, with their mean over each run in which heel and ball touch, contacts (F,2)."""
    result = heading.copy()
    for first, last in contact_runs(contacts.all(1)):
        result[first:last] = heading[first:last].mean()
    return result


def plan_footprints(
    points: FloatArray, headings: FloatArray, contacts: BoolArray, heel_to_ball: Callable[[float], FloatArray], max_drift: float
) -> tuple[FloatArray, BoolArray]:
    """Plan the footprints of one foot.

    Args:
        points: (2,F,2) m, horizontal positions of heel and ball. headings: (F,) rad, constant while the foot is flat.
        contacts: (F,2) bool, as `overlap_contacts` gives them. heel_to_ball: horizontal vector (2,) m of the flat foot at a heading.
        max_drift: m, the maximum distance of a print from its foot that previous prints may cause.

    Returns:
        prints (2,F,2) m, constant over each contact, and the contacts (F,2) that they hold.

    A foot that pivots on its heel or ball starts its next print there. On a character with another foot length such prints drift
    away from the feet: a pivot that would drift farther than max_drift is released, and the next print starts anew.
    """
    contacts = contacts.copy()
    chains = _chain_flat_prints(points, headings, contacts, heel_to_ball, max_drift)
    prints = np.zeros_like(points)
    for k in range(2):
        for first, last in contact_runs(contacts[:, k]):
            prints[k, first:last] = points[k, first:last].mean(0)
    for chain in chains:
        shift = _mean_offset(chain)
        for flat in chain:
            for k in range(2):
                start, stop = _run_containing(contacts[:, k], flat.first)
                prints[k, start:stop] = flat.places[k] + shift
    distance = np.linalg.norm(points - prints, axis=-1).T
    released = (distance > 2 * max_drift) & (contacts.sum(1) == 1)[:, None]
    return prints, contacts & ~released


def _chain_flat_prints(
    points: FloatArray, headings: FloatArray, contacts: BoolArray, heel_to_ball: Callable[[float], FloatArray], max_drift: float
) -> list[list[_FlatPrint]]:
    """Flat prints in chains that share a pivot; clears `contacts` in place between prints whose pivot is released."""
    chains: list[list[_FlatPrint]] = []
    for first, last in contact_runs(contacts.all(1)):
        step = heel_to_ball(float(headings[first]))
        middle = points[:, first:last].mean(1)
        previous = chains[-1][-1] if chains else None
        if previous is not None and (pivot := _find_pivot(contacts, previous.last, first)) is not None:
            heel = previous.places[0] if pivot == 0 else previous.places[1] - step
            offset = (middle - [heel, heel + step]).mean(0)
            if np.linalg.norm(offset - _mean_offset(chains[-1])) <= max_drift:
                chains[-1].append(_FlatPrint(first, last, np.stack([heel, heel + step]), offset))
                continue
            contacts[previous.last : first] = False
        heel = middle.mean(0) - step / 2
        chains.append([_FlatPrint(first, last, np.stack([heel, heel + step]), np.zeros(2))])
    return chains


def _find_pivot(contacts: BoolArray, last: int, first: int) -> int | None:
    """0 or 1 if the heel or the ball touches throughout from frame last-1 to frame `first`, else None."""
    return next((k for k in range(2) if contacts[last - 1 : first + 1, k].all()), None)


def _mean_offset(chain: list[_FlatPrint]) -> FloatArray:
    """The mean offset (2,) m of the posed feet from a chain of prints, over its frames."""
    return np.average([flat.offset for flat in chain], axis=0, weights=[flat.last - flat.first for flat in chain])


def _run_containing(contacts: BoolArray, frame: int) -> tuple[int, int]:
    """First and last-plus-one frame of the run of True in (F,) that contains a frame."""
    before, after = np.flatnonzero(~contacts[:frame]), np.flatnonzero(~contacts[frame:])
    return (int(before[-1]) + 1 if len(before) else 0), (frame + int(after[0]) if len(after) else len(contacts))
