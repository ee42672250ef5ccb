"""Motion shared along a chain: how a spine of five bones bends like one of three, measured along its length."""

import numpy as np

from ...core.rotations import quat_from_rotmat, rotmat_from_quat, slerp


def bone_end_fractions(points):
    """How far along a chain each of its bones ends, as shares of the whole: points (N+1,3), heads and the last end -> (N,)."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    total = steps.sum()
    if total < 1e-9:
        return np.arange(1, len(points)) / (len(points) - 1)
    return np.cumsum(steps) / total


def interpolate_along_chain(start, rotations, known, wanted):
    """Rotations at other places of a chain.

    Args:
        start: (F,3,3), what the chain hangs from, at 0. rotations: list of (F,3,3), known at rising shares `known` (N,) of its length.
        wanted: (M,) shares.

    Returns:
        list of M (F,3,3). At a known share exactly what is known there; in between the shortest way from one to the next.
    """
    places, values, result = [0.0, *known], [start, *rotations], []
    quaternions = {}

    def quat(k):
        if k not in quaternions:
            quaternions[k] = quat_from_rotmat(values[k])
        return quaternions[k]

    for share in wanted:
        after = min(int(np.searchsorted(places, share - 1e-6)), len(places) - 1)
        before = max(after - 1, 0)
        span = places[after] - places[before]
        weight = (share - places[before]) / span if span > 1e-9 else 1.0
        if weight > 1 - 1e-3:
            result.append(values[after])
        elif weight < 1e-3:
            result.append(values[before])
        else:
            result.append(rotmat_from_quat(slerp(quat(before), quat(after), np.full(len(start), weight))))
    return result
