"""Tracks without false detections: a person at most once, and upside down only where the frames around support it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.skeletons import H36M17, h36m17_weights
from ..detection.detections import CONFIDENCE_THRESHOLD, body_size
from ..detection.similarity import box_iou, contained_fraction, is_same_person
from .track import Candidate, Track

# The cosine of the trunk to the picture's vertical below which a body is upside down.
UPSIDE_DOWN = -0.5
# A trunk turns by no more than this between two frames, degrees, or this fast, degrees a second: a somersault takes half a second.
MAX_TURN, MAX_TURN_SPEED = 75.0, 1000.0
# A track is another's double if it shows the same person in this fraction of its frames. Also the same person: a torso nearer than this,
# in sizes of the larger, in a box of which so much is inside the other's.
MIN_SAME_FRACTION, MAX_TORSO_DISTANCE, MIN_CONTAINED = 0.5, 0.3, 0.75
# Two tracks whose boxes overlap less than this, in this many frames, are of two people, who may hide each other otherwise.
MAX_APART_IOU, APART_FRAMES = 0.1, 10
# A track that is upside down throughout and inside an upright person's box is that person's ghost.
MIN_GHOST_OVERLAP = 0.6


def clean_tracks(tracks: Sequence[Track], keypoint_set: str) -> list[Track]:
    """The tracks of people, each once, the one with most detections first, without frames in which the body is wrongly upside down."""
    upright = [without_flips(track, keypoint_set) for track in tracks]
    kept: list[Track] = []
    for track in sorted((track for track in upright if track.rows), key=lambda track: -len(track.rows)):
        double = next((other for other in kept if is_double(track, other, keypoint_set)), None)
        if double is None:
            kept.append(track)
        else:
            add_missing(double, track)
    return without_ghosts(kept, keypoint_set)


def without_ghosts(tracks: Sequence[Track], keypoint_set: str) -> list[Track]:
    """The tracks without those that are ghosts of others."""
    cosines = [np.cos(np.radians(trunk_angles(track, keypoint_set))) for track in tracks]
    inverted = [number for number, cosine in enumerate(cosines) if (cosine < UPSIDE_DOWN).mean() > 0.5]
    ghosts = {a for a in inverted for b in range(len(tracks)) if a != b and is_ghost(tracks[a], tracks[b], cosines[b])}
    return [track for number, track in enumerate(tracks) if number not in ghosts]


def without_flips(track: Track, keypoint_set: str) -> Track:
    """The track without stretches upside down that begin or end with a turn faster than bodies turn, and that nothing else supports."""
    angles = trunk_angles(track, keypoint_set)
    inverted: BoolArray = np.cos(np.radians(angles)) < UPSIDE_DOWN
    if not inverted.any() or inverted.all():
        return track
    changes = [int(index) + 1 for index in np.flatnonzero(np.diff(inverted))]
    kept = np.ones(len(angles), bool)
    for first, last in pairwise([0, *changes, len(angles)]):
        if not inverted[first]:
            continue
        ends = [(before, before + 1) for before in (first - 1, last - 1) if before >= 0 and before + 1 < len(angles)]
        kept[first:last] = any(_is_possible_turn(track, angles, before, after) for before, after in ends)
    return track if kept.all() else track.part([int(index) for index in np.flatnonzero(kept)])


def trunk_angles(track: Track, keypoint_set: str) -> FloatArray:
    """The angles (N,), degrees, of the trunk from upright in the picture, clockwise; nan where it is not seen."""
    keypoints = np.array([candidate.detection.keypoints for candidate in track.candidates], float)
    weights = h36m17_weights(keypoint_set)[[H36M17.index("thorax"), H36M17.index("hip")]]
    thorax, hip = np.moveaxis(np.einsum("jk,nkc->njc", weights, keypoints[..., :2]), 1, 0)
    up = thorax - hip
    confidence = np.min([keypoints[:, row != 0, 2].min(1) for row in weights], axis=0)
    is_known = (confidence >= CONFIDENCE_THRESHOLD) & up.any(1)
    return np.where(is_known, np.degrees(np.arctan2(up[:, 0], -up[:, 1])), np.nan)


def _is_possible_turn(track: Track, angles: FloatArray, before: int, after: int) -> bool:
    """Whether a trunk can turn so far between two detections."""
    passed = track.times[after] - track.times[before]
    turn = abs((angles[after] - angles[before] + 180) % 360 - 180)
    return bool(np.isnan(turn) or turn <= max(MAX_TURN, MAX_TURN_SPEED * passed))


def is_double(track: Track, other: Track, keypoint_set: str) -> bool:
    """Whether a track shows the same person as another one with more detections, in most of its frames, and is never far from them."""
    place = {row: index for index, row in enumerate(other.rows)}
    common = [(index, place[row]) for index, row in enumerate(track.rows) if row in place]
    if len(common) <= MIN_SAME_FRACTION * len(track.rows):
        return False
    if sum(box_iou(track.candidates[a].box, other.candidates[b].box) < MAX_APART_IOU for a, b in common) >= APART_FRAMES:
        return False
    same = sum(_show_same(track.candidates[a], other.candidates[b], keypoint_set) for a, b in common)
    return same > MIN_SAME_FRACTION * len(track.rows)


def _show_same(a: Candidate, b: Candidate, keypoint_set: str) -> bool:
    sizes = body_size(a.box), body_size(b.box)
    if np.linalg.norm(a.torso_centre - b.torso_centre) > MAX_TORSO_DISTANCE * max(sizes):
        return False
    smaller, larger = (a.box, b.box) if sizes[0] < sizes[1] else (b.box, a.box)
    return contained_fraction(smaller, larger) > MIN_CONTAINED or is_same_person(a.detection, b.detection, keypoint_set)


def add_missing(track: Track, double: Track) -> None:
    """Add to a track, in place, the detections of its double before its first and after its last row."""
    before = [index for index, row in enumerate(double.rows) if row < track.rows[0]]
    after = [index for index, row in enumerate(double.rows) if row > track.rows[-1]]
    joined = Track.joined([double.part(before), track, double.part(after)])
    track.rows, track.times, track.candidates, track.isolated = joined.rows, joined.times, joined.candidates, joined.isolated


def is_ghost(track: Track, other: Track, cosines: FloatArray) -> bool:
    """Whether a track that is upside down is inside the box of an upright person in most of its frames.

    cosines: (N,), of the other's trunk to the vertical.
    """
    upright = {row: other.candidates[index].box for index, row in enumerate(other.rows) if cosines[index] > -UPSIDE_DOWN}
    inside = 0
    for row, candidate in zip(track.rows, track.candidates):
        box = upright.get(row)
        inside += box is not None and max(contained_fraction(candidate.box, box), box_iou(candidate.box, box)) > MIN_GHOST_OVERLAP
    return 2 * inside > len(track.rows)
