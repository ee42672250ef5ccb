"""Tracklets: stretches of tracks in which nobody can have been mistaken for somebody else.

A track made frame by frame may change to another person where two people meet, after an absence, at a jump, or at a cut. It is split
there, and `joining.py` decides over the whole clip which stretches show one person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ..detection.detections import body_size
from .track import Candidate, Track

# A track is split at gaps longer than this, s, and longer than this many frames.
MAX_GAP, MAX_GAP_FRAMES = 0.5, 2
# Two people meet where their torsos' centres are nearer than this, in body sizes. They may be exchanged at a frame where that adds
# less than the second number, in body sizes, to how far their keypoints move.
MEETING_DISTANCE, MAX_EXCHANGE_COST = 0.7, 0.6
# Meetings that are nearer in time than this, s, are one.
MEETING_INTERVAL = 1.0
# A torso that moves farther between two frames, in body sizes, and faster than this, sizes a second, has jumped to somebody else.
JUMP_DISTANCE, JUMP_SPEED = 0.6, 6.0
# Time, s, at the ends of a tracklet in which its velocity is measured, and its position smoothed.
END_TIME = 0.3


@dataclass(frozen=True, eq=False)
class Tracklet:
    """Detections of one person. track: number of the track it is of; shot: number of its shot.

    rows (N,), times (N,) s, candidates and isolated (N,): as of `Track`.
    """

    track: int
    shot: int
    rows: IntArray
    times: FloatArray
    candidates: tuple[Candidate, ...]
    isolated: BoolArray

    @cached_property
    def centres(self) -> FloatArray:
        """The torso's centres, (N,2) px."""
        return np.array([candidate.torso_centre for candidate in self.candidates])

    @cached_property
    def sizes(self) -> FloatArray:
        """Body sizes, (N,) px."""
        return np.array([body_size(candidate.box) for candidate in self.candidates])

    @cached_property
    def appearance(self) -> FloatArray | None:
        """The mean appearance of the frames in which nobody else is close, if there are such; None if it is unknown."""
        known = [
            (candidate.detection.appearance, is_isolated)
            for candidate, is_isolated in zip(self.candidates, self.isolated)
            if candidate.detection.appearance is not None
        ]
        chosen = [look for look, is_isolated in known if is_isolated] or [look for look, _is_isolated in known]
        return np.mean(chosen, axis=0) if chosen else None

    def velocity(self, at_end: bool) -> FloatArray:
        """The torso's velocity (2,) px/s at the end or the beginning; zero if it is not known."""
        near = self.times >= self.times[-1] - END_TIME if at_end else self.times <= self.times[0] + END_TIME
        times, centres = self.times[near], self.centres[near]
        if len(times) < 3:
            return np.zeros(2)
        return np.polyfit(times - times[0], centres, 1)[0]

    def size(self, at_end: bool) -> float:
        """The median body size, px, of the last or first second, which a crouch or a hidden leg changes little."""
        near = self.times >= self.times[-1] - 1.0 if at_end else self.times <= self.times[0] + 1.0
        return float(np.median(self.sizes[near]))


def split_tracks(tracks: Sequence[Track], cuts: Sequence[int]) -> list[Tracklet]:
    """The tracklets of tracks; cuts: first rows of all shots but the first."""
    breaks: list[set[int]] = [_own_breaks(track, cuts) for track in tracks]
    for a, b in combinations(range(len(tracks)), 2):
        for row in exchange_rows(tracks[a], tracks[b]):
            breaks[a].add(int(np.searchsorted(tracks[a].rows, row)))
            breaks[b].add(int(np.searchsorted(tracks[b].rows, row)))
    tracklets: list[Tracklet] = []
    for number, track in enumerate(tracks):
        ends = sorted({0, len(track.rows), *breaks[number]})
        for first, last in pairwise(ends):
            tracklets.append(_part(track, number, first, last, cuts))
    return tracklets


def _part(track: Track, number: int, first: int, last: int, cuts: Sequence[int]) -> Tracklet:
    rows = np.array(track.rows[first:last])
    shot = int(np.searchsorted(cuts, rows[0], side="right"))
    times, isolated = np.array(track.times[first:last]), np.array(track.isolated[first:last], bool)
    return Tracklet(number, shot, rows, times, tuple(track.candidates[first:last]), isolated)


def _own_breaks(track: Track, cuts: Sequence[int]) -> set[int]:
    """The indices of a track's detections at which it is split for reasons of its own: gaps, jumps and cuts."""
    rows, times = np.array(track.rows), np.array(track.times)
    if len(rows) < 2:
        return set()
    centres = np.array([candidate.torso_centre for candidate in track.candidates])
    sizes = np.array([body_size(candidate.box) for candidate in track.candidates])
    passed = np.diff(times)
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.maximum(sizes[1:], sizes[:-1])
    is_break = (passed > MAX_GAP) & (np.diff(rows) > MAX_GAP_FRAMES)
    is_break |= moved > np.maximum(JUMP_DISTANCE, JUMP_SPEED * passed)
    is_break |= np.searchsorted(cuts, rows[1:], side="right") != np.searchsorted(cuts, rows[:-1], side="right")
    return {int(index) + 1 for index in np.flatnonzero(is_break)}


def exchange_rows(a: Track, b: Track) -> list[int]:
    """The rows, one for each meeting of two tracks, from which on each may show the other's person."""
    first, last = max(a.rows[0], b.rows[0]), min(a.rows[-1], b.rows[-1])
    if last <= first:
        return []
    rows, times = _common_rows(a, b, first, last)
    if len(rows) < 2:
        return []
    centres = [_interpolated(track, rows) for track in (a, b)]
    sizes = np.maximum(*(np.interp(rows, track.rows, [body_size(each.box) for each in track.candidates]) for track in (a, b)))
    near = np.linalg.norm(centres[0] - centres[1], axis=1) < MEETING_DISTANCE * sizes
    found: list[int] = []
    for meeting in _runs(np.flatnonzero(near), times):
        costs = [(_exchange_cost(a, b, int(rows[i]), float(sizes[i])), int(rows[i])) for i in meeting if i > 0]
        if costs and min(costs)[0] < MAX_EXCHANGE_COST:
            found.append(min(costs)[1])
    return found


def _common_rows(a: Track, b: Track, first: int, last: int) -> tuple[IntArray, FloatArray]:
    """The rows first .. last in which either of two tracks has a detection, and their times."""
    times = dict(zip([*a.rows, *b.rows], [*a.times, *b.times]))
    rows = np.array(sorted(row for row in times if first <= row <= last))
    return rows, np.array([times[int(row)] for row in rows])


def _interpolated(track: Track, rows: IntArray) -> FloatArray:
    """The torso's centre (N,2) px at rows, interpolated where the person was not seen."""
    centres = np.array([candidate.torso_centre for candidate in track.candidates])
    return np.stack([np.interp(rows, track.rows, centres[:, axis]) for axis in (0, 1)], -1)


def _runs(indices: IntArray, times: FloatArray) -> Iterable[IntArray]:
    """Indices in groups, between which more than MEETING_INTERVAL passes."""
    return (run for run in np.split(indices, np.flatnonzero(np.diff(times[indices]) > MEETING_INTERVAL) + 1) if len(run))


def _exchange_cost(a: Track, b: Track, row: int, size: float) -> float:
    """How much farther keypoints move, in body sizes, if two tracks are exchanged from a row on."""
    before: list[FloatArray] = []
    after: list[FloatArray] = []
    for track in (a, b):
        index = int(np.searchsorted(track.rows, row))
        if index == 0 or index == len(track.rows):
            return np.inf
        before.append(track.candidates[index - 1].detection.keypoints[:, :2])
        after.append(track.candidates[index].detection.keypoints[:, :2])

    def moved(start: FloatArray, end: FloatArray) -> float:
        return float(np.median(np.linalg.norm(start - end, axis=1))) / size

    kept = moved(before[0], after[0]) + moved(before[1], after[1])
    return moved(before[0], after[1]) + moved(before[1], after[0]) - kept
