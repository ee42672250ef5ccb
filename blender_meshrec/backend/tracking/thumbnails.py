"""Small pictures of the people along a clip: which track they show, and in which row; for the strips of the list of people."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ...core.array_types import ImageArray, IntArray
from ...core.records import Observations
from ...core.silhouettes import evenly_spaced_indices
from ..detection.detections import Detection, person_box
from ..detection.similarity import box_iou

THUMBNAIL_SIDE = 32  # px
MAX_THUMBNAILS = 16  # of a track
_MIN_IOU = 0.6  # of the box of a detection and that of the track which it became part of


class Thumbnails(NamedTuple):
    """tracks (N,), numbers from 1; rows (N,); images (N,THUMBNAIL_SIDE,THUMBNAIL_SIDE,3) uint8 RGB."""

    tracks: IntArray
    rows: IntArray
    images: ImageArray


def thumbnails_of_tracks(portraits: Iterable[tuple[int, Detection]], tracks: Sequence[Observations], keypoint_set: str) -> Thumbnails:
    """The thumbnails of tracks, from the detections with portraits and their rows: MAX_THUMBNAILS of each at most, spread over time."""
    found: list[list[tuple[int, ImageArray]]] = [[] for _track in tracks]
    for row, detection in portraits:
        box = person_box(detection.keypoints, keypoint_set)
        likeness = [box_iou(box, track.boxes[row]) if row < len(track) and track.visible[row] else 0.0 for track in tracks]
        if detection.portrait is not None and likeness and max(likeness) >= _MIN_IOU:
            found[int(np.argmax(likeness))].append((row, detection.portrait))
    chosen = [
        (number, *entries[index])
        for number, entries in enumerate(found, 1)
        for index in evenly_spaced_indices([row for row, _image in entries], MAX_THUMBNAILS)
    ]
    images = [_reduced(image) for _number, _row, image in chosen]
    return Thumbnails(
        np.array([number for number, _row, _image in chosen], int),
        np.array([row for _number, row, _image in chosen], int),
        np.array(images, np.uint8).reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3),
    )


def _reduced(image: ImageArray) -> ImageArray:
    """A portrait (S,S,3) reduced to the size of a thumbnail: the mean of the pixels below each of its own."""
    edges = np.linspace(0, len(image), THUMBNAIL_SIDE + 1).round().astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(image.astype(float), edges, 0), edges, 1)
    counts = np.diff(np.append(edges, len(image)))
    return np.round(sums / (counts[:, None, None] * counts[None, :, None])).astype(np.uint8)
