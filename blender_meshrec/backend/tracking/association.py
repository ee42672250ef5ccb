"""Association of a frame's detections with the tracks of people seen a moment ago: scores of a pair, and the best one-to-one matching."""

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np

from ...core.array_types import FloatArray
from ..detection.detections import body_size
from ..detection.similarity import KEYPOINT_SPREAD, appearance_similarity, keypoint_similarity
from .track import Candidate, Track

Item = TypeVar("Item")
# How confidently a candidate is the person of a track, 0..1, given the track, the time in s and the candidate.
PairScore: TypeAlias = Callable[[Track, float, Candidate], float]

# Pairs with a lower score are different people.
MIN_MATCH_SCORE = 0.2
# Growth of the keypoint spread per second since the last detection, as a fraction of the person's size.
SPREAD_GROWTH = 0.5
# Speed at which a torso may deviate from its predicted position, in body sizes per second.
MAX_DEVIATION_SPEED = 3.0
# Ratio of sizes within which two detections may be one person.
MATCH_SIZE_RATIO = (0.33, 3.0)
# Similarity of clothes that may still be the same, seen from another side or blurred.
MIN_COMPATIBLE_SIMILARITY = 0.7


def match_score(track: Track, time: float, candidate: Candidate, keypoint_set: str) -> float:
    """Score of a track seen a moment ago: similarity of predicted and detected keypoints, reduced if the clothes differ."""
    if not _is_size_within(track, candidate, MATCH_SIZE_RATIO):
        return 0.0
    gap = min(track.gap(time), 1.0)
    spread = KEYPOINT_SPREAD + SPREAD_GROWTH * gap
    deviation = track.deviation(time, candidate.torso_centre)
    if deviation > 1 + 3 * (spread + MAX_DEVIATION_SPEED * gap):  # neither similarity below reaches MIN_MATCH_SCORE from so far
        return 0.0
    similarity = keypoint_similarity(track.expected_keypoints(time), candidate.detection.keypoints, track.size, keypoint_set, spread)
    # A somersault or a fall changes every joint in a moment, but hardly the torso's centre.
    similarity = max(similarity, 0.6 * np.exp(-0.5 * (deviation / (0.2 + MAX_DEVIATION_SPEED * gap)) ** 2))
    clothes = appearance_similarity(track.appearance, candidate.detection.appearance)
    # A similarity below 0.5 means clearly different clothes, above 0.9 the same clothes in another light.
    return float(similarity * (0.8 if clothes is None else 0.3 + 0.7 * np.clip((clothes - 0.5) / 0.4, 0, 1)))


def leftover_score(track: Track, time: float, candidate: Candidate) -> float:
    """Score of a track and a candidate that `match_score` has left over: near the expected position, and clothes that may be the same."""
    is_near = track.deviation(time, candidate.torso_centre) < 0.7 + MAX_DEVIATION_SPEED * min(time - track.time, 1.0)
    clothes = appearance_similarity(track.appearance, candidate.detection.appearance)
    is_compatible = clothes is None or clothes > MIN_COMPATIBLE_SIMILARITY
    if not (is_near and is_compatible and _is_size_within(track, candidate, MATCH_SIZE_RATIO)):
        return 0.0
    return clothes or MIN_COMPATIBLE_SIMILARITY


def _is_size_within(track: Track, candidate: Candidate, limits: tuple[float, float]) -> bool:
    return limits[0] < body_size(candidate.box) / track.size < limits[1]


def associate(stages: Sequence[tuple[list[Track], PairScore]], time: float, candidates: list[Candidate]) -> list[tuple[Track, Candidate]]:
    """Pair tracks with candidates, one to one, stage by stage: each stage has the tracks and candidates that the ones before left over."""
    pairs: list[tuple[Track, Candidate]] = []
    for stage_tracks, score in stages:
        tracks = without(stage_tracks, [track for track, _candidate in pairs])
        free = without(candidates, [candidate for _track, candidate in pairs])
        scores = score_pairs(score, tracks, time, free)
        pairs += [(tracks[t], free[c]) for t, c in match_pairs(scores, MIN_MATCH_SCORE)]
    return pairs


def without(items: Sequence[Item], taken: Sequence[Item]) -> list[Item]:
    """The items that are not among those taken, by identity."""
    return [item for item in items if not any(item is other for other in taken)]


def score_pairs(score: PairScore, tracks: Sequence[Track], time: float, candidates: Sequence[Candidate]) -> FloatArray:
    """The score of every pair, (T,C)."""
    scores = np.zeros((len(tracks), len(candidates)))
    for t, track in enumerate(tracks):
        scores[t] = [score(track, time, candidate) for candidate in candidates]
    return scores


def match_pairs(scores: FloatArray, min_score: float) -> list[tuple[int, int]]:
    """The one-to-one matching with the greatest sum of scores above `min_score`; rows and columns may remain unmatched.

    Args:
        scores: (R,C), higher is better.

    Returns:
        (row, column) pairs, their scores above `min_score`. Of equally good matchings it is not defined which is returned.
    """
    if not (scores > min_score).any():
        return []
    # Imported here: it takes 0.1 to 0.4 s, and the backend shall start without it.
    from scipy.optimize import linear_sum_assignment  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

    # A pair at or below `min_score` gains nothing, as if it were not matched, and is removed afterwards.
    rows, columns = linear_sum_assignment(np.maximum(scores - min_score, 0), maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns) if scores[row, column] > min_score]
