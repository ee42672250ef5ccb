"""A list of people applied to what the tracker has followed: each person becomes what the list says they are, frame by frame.

The numbers of the list's tracks are the tracker's, as long as it finds the same tracks. Of another range, quality or detector it may
not: then each track of the list is found again by where it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.people_list import ListedPerson, ListedTrack, PeopleList
from ...core.records import Observations
from ...core.silhouettes import Silhouettes, evenly_spaced_indices

# Of the boxes of a track, this share must have this IoU with those of the tracker's track of the same number for it to be the same.
SAME_IOU, SAME_SHARE = 0.8, 0.9
# A track is found again where its box has this IoU with another one, on the mean over so many rows on either side.
FOUND_IOU, MEAN_ROWS = 0.3, 7
_MAY_LACK = ("regression",)  # rows that are zero where nothing is known


def sources_of_people(people: PeopleList, tracks: Sequence[Observations], frames: IntArray, size: tuple[int, int]) -> dict[int, IntArray]:
    """Which of the tracks each person of a list is, frame by frame.

    Args:
        frames: (F,), the numbers in the footage of the rows. size: (width, height) px.

    Returns:
        by number, (F,) indices of tracks, -1 where the person is not seen. Where several tracks are the person, the surest counts.
    """
    rows_of_tracks = find_tracks(people, tracks, frames, size)
    sureness = np.array([track.keypoints[..., 2].mean(1) for track in tracks]).reshape(len(tracks), len(frames))
    visible = np.array([track.visible for track in tracks]).reshape(len(tracks), len(frames))
    return {person.number: _sources_of(person, rows_of_tracks, frames, sureness, visible) for person in people.people}


def _sources_of(person: ListedPerson, found: dict[int, IntArray], frames: IntArray, sureness: FloatArray, visible: BoolArray) -> IntArray:
    sources, best = np.full(len(frames), -1), np.full(len(frames), -np.inf)
    rows = np.arange(len(frames))
    for stretch in person.stretches:
        index = found[stretch.track]
        is_theirs = (frames >= stretch.first) & (frames <= stretch.last) & (index >= 0)
        is_theirs &= visible[index, rows] & (sureness[index, rows] > best)
        sources[is_theirs], best[is_theirs] = index[is_theirs], sureness[index, rows][is_theirs]
    return sources


def joined_observations(tracks: Sequence[Observations], sources: IntArray) -> Observations:
    """What was seen of a person who is one of several tracks in each row: sources (F,), -1 for none. Raises ValueError: all are."""
    used = np.unique(sources[sources >= 0])
    if not len(used):
        raise ValueError("nobody is seen")
    main = tracks[int(max(used, key=lambda index: int((sources == index).sum())))]
    if len(used) == 1 and ((sources >= 0) == main.visible).all():
        return main
    masks = {int(index): sources == index for index in used}
    joined = {
        entry.name: _joined_rows({index: getattr(tracks[index], entry.name) for index in masks}, masks, entry.name in _MAY_LACK)
        for entry in fields(Observations)
        if entry.name not in ("keypoint_set", "silhouettes", "portrait")
    }
    return replace(main, **joined, silhouettes=_joined_silhouettes(tracks, sources))


def _joined_rows(values: Mapping[int, Any], masks: Mapping[int, BoolArray], may_lack: bool) -> Any:
    """Rows (F,...) of several tracks, each where its mask (F,) is true, else 0; None if one of them has none, unless it may lack them."""
    known = {index: value for index, value in values.items() if value is not None}
    if not known or (len(known) < len(values) and not may_lack):
        return None
    joined = np.zeros_like(next(iter(known.values())))
    for index, value in known.items():
        joined[masks[index]] = value[masks[index]]
    return joined


def _joined_silhouettes(tracks: Sequence[Observations], sources: IntArray) -> Silhouettes | None:
    """The silhouettes of those rows in which a person is the track that has them, spread evenly in time."""
    entries = [
        (int(row), square, mask)
        for index in np.unique(sources[sources >= 0])
        if (outlines := tracks[index].silhouettes) is not None
        for row, square, mask in zip(outlines.rows, outlines.squares, outlines.masks, strict=True)
        if sources[row] == index
    ]
    if not entries:
        return None
    entries.sort(key=lambda entry: entry[0])
    rows, squares, masks = zip(*(entries[index] for index in evenly_spaced_indices([row for row, *_rest in entries])), strict=True)
    return Silhouettes(np.array(rows), np.array(squares), np.array(masks))


# --- the tracks of a list among those of the tracker ------------------------------------------------------------------


def find_tracks(people: PeopleList, tracks: Sequence[Observations], frames: IntArray, size: tuple[int, int]) -> dict[int, IntArray]:
    """Which of the tracker's tracks each track of a list is: by number, (F,) indices, -1 where it is none.

    Args:
        frames, size: as of `sources_of_people`.
    """
    if are_same_tracks(people, tracks, frames, size):
        return {track.number: np.full(len(frames), track.number - 1) for track in people.tracks}
    width, height = size
    scale = np.array([width, height, width, height], float)
    likeness = np.array([[_likeness(listed, track, frames, scale) for track in tracks] for listed in people.tracks])
    likeness = likeness.reshape(len(people.tracks), len(tracks), len(frames))
    likeness *= likeness >= likeness.max(0, initial=0.0)[None]  # each track is one of the list's at most
    index, best = likeness.argmax(1), likeness.max(1, initial=0.0)
    return {listed.number: np.where(best[k] > 0, index[k], -1) for k, listed in enumerate(people.tracks)}


def are_same_tracks(people: PeopleList, tracks: Sequence[Observations], frames: IntArray, size: tuple[int, int]) -> bool:
    """Whether the tracker has found the tracks of a list under their numbers, as far as they are in these frames (F,)."""
    width, height = size
    scale = np.array([width, height, width, height], float)
    for listed in people.tracks:
        if not listed.boxes and listed.number <= len(tracks):
            continue
        boxes = [(int(np.flatnonzero(frames == box[0])[0]), np.array(box[1:]) * scale) for box in listed.boxes if (frames == box[0]).any()]
        if not boxes and not any(first <= frames[-1] and last >= frames[0] for first, last in listed.seen):
            continue
        if listed.number > len(tracks) or not boxes:
            return False
        track = tracks[listed.number - 1]
        same = [bool(track.visible[row]) and _overlap(track.boxes[[row]], box[None])[0] >= SAME_IOU for row, box in boxes]
        if np.mean(same) < SAME_SHARE:
            return False
    return True


def _likeness(listed: ListedTrack, track: Observations, frames: IntArray, scale: FloatArray) -> FloatArray:
    """The IoU (F,) of a listed track's boxes with a track's, as a mean over some rows; 0 where it is too small, or one is not seen."""
    if not listed.boxes:
        return np.zeros(len(frames))
    at = np.array([box[0] for box in listed.boxes], float)
    sides = np.array([box[1:] for box in listed.boxes]) * scale
    boxes = np.stack([np.interp(frames, at, side) for side in sides.T], 1)
    is_seen = track.visible & np.any([(frames >= first) & (frames <= last) for first, last in listed.seen], axis=0)
    overlap = np.where(is_seen, _overlap(boxes, track.boxes), 0.0)
    kernel = np.ones(2 * MEAN_ROWS + 1)
    middle = slice(MEAN_ROWS, MEAN_ROWS + len(frames))
    total, count = (np.convolve(values, kernel)[middle] for values in (overlap, is_seen.astype(float)))
    mean = total / np.maximum(count, 1)
    return np.where(is_seen & (mean >= FOUND_IOU), mean, 0.0)


def _overlap(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """The intersection over union (N,) of boxes (N,4) with others, one by one."""
    low, high = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    areas = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(1) for box in (boxes, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)
