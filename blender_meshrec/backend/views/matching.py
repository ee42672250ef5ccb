"""Who is who in several views: people are matched by how near the lines of sight of their joints pass each other."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from .view_samples import SightLines

MAX_DISTANCE = 0.2  # m between the lines of sight of one person's joints, in the median
MIN_FRAMES = 3
MAX_OVERLAP = 0.1  # share of a track's frames that another track of the same person may have in the same view


def ray_distances(first: SightLines, second: SightLines, view_from_first: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distances (F,17) m between the lines of sight of two views' joints, and their weights (F,17)."""
    directions_a, directions_b = (np.concatenate([lines.rays, np.ones((*lines.rays.shape[:2], 1))], -1) for lines in (first, second))
    turn, transl = view_from_first[:3, :3], view_from_first[:3, 3]
    directions_b = directions_b @ turn
    centre = -turn.T @ transl
    normal = np.cross(directions_a, directions_b)
    size = np.linalg.norm(normal, axis=-1)
    crossing = np.abs(normal @ centre) / np.maximum(size, 1e-9)
    return crossing, np.minimum(first.weights, second.weights) * (size > 1e-4)


def match_cost(first: SightLines, second: SightLines, view_from_first: FloatArray) -> FloatArray:
    """The distance (F,) m of two people in each frame, in the mean over joints; nan where not both are seen."""
    distances, weights = ray_distances(first, second, view_from_first)
    total = weights.sum(1)
    mean = (weights * np.minimum(distances, 1.0)).sum(1) / np.maximum(total, 1e-9)
    return np.where(total >= 4, mean, np.nan)


def median_cost(first: SightLines, second: SightLines, view_from_first: FloatArray) -> float:
    """The median distance, m, of two people over the frames that show both; infinite where those are too few."""
    values = match_cost(first, second, view_from_first)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) >= MIN_FRAMES else float("inf")


def match_people(
    known: Sequence[Sequence[tuple[SightLines, FloatArray]]], tracks: Sequence[SightLines], view_from_first: FloatArray
) -> list[tuple[int, ...]]:
    """For each known person, the tracks of a view that show them, one at a time.

    Args:
        known: of each person, their lines of sight in the views that are matched already, and those views' placements (4,4).
        tracks: of the view. view_from_first: its placement (4,4).
    """
    costs = np.full((len(known), len(tracks)), np.inf)
    for p, person in enumerate(known):
        for t, track in enumerate(tracks):
            found = [match_cost(lines, track, view_from_first @ np.linalg.inv(place)) for lines, place in person]
            values = np.concatenate(found) if found else np.zeros(0)
            values = values[np.isfinite(values)]
            if len(values) >= MIN_FRAMES:
                costs[p, t] = float(np.median(values))
    seen = [np.asarray((track.weights > 0).any(1), bool) for track in tracks]
    matched: list[list[int]] = [[] for _ in known]
    taken: set[int] = set()
    for flat in np.argsort(costs, axis=None):
        p, t = divmod(int(flat), len(tracks))
        if costs[p, t] > MAX_DISTANCE:
            break
        overlap = sum(float((seen[t] & seen[other]).sum()) for other in matched[p])
        if t in taken or overlap > MAX_OVERLAP * seen[t].sum():
            continue
        matched[p].append(t)
        taken.add(t)
    return [tuple(tracks_of) for tracks_of in matched]
