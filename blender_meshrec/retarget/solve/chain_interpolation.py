"""Motion distributed along a chain of bones: how a spine of five bones bends like one of three, measured along its length."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import FloatArray
from ...core.rotations import quat_from_rotmat, rotmat_from_quat, slerp


def bone_end_fractions(points: FloatArray) -> FloatArray:
    """Where each bone of a chain ends, (N,), as fractions of its length; points: (N+1,3), the heads and the last end."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    total = steps.sum()
    if total < 1e-9:
        return np.arange(1, len(points)) / (len(points) - 1)
    return np.cumsum(steps) / total


def interpolate_along_chain(
    start: FloatArray, rotations: Sequence[FloatArray], known: Sequence[float] | FloatArray, wanted: Sequence[float] | FloatArray
) -> list[FloatArray]:
    """Rotations at other positions of a chain.

    Args:
        start: (F,3,3), the rotation of what the chain hangs from, at 0. rotations: N of (F,3,3), known at rising fractions (N,) of
            the chain's length. wanted: (M,) fractions.

    Returns:
        M rotations (F,3,3): exactly the known ones at known fractions, spherically interpolated in between.
    """
    positions, values = [0.0, *known], [start, *rotations]
    quats: dict[int, FloatArray] = {}

    def quat(k: int) -> FloatArray:
        if k not in quats:
            quats[k] = quat_from_rotmat(values[k])
        return quats[k]

    result = []
    for fraction in wanted:
        after = min(int(np.searchsorted(positions, fraction - 1e-6)), len(positions) - 1)
        before = max(after - 1, 0)
        span = positions[after] - positions[before]
        weight = (fraction - positions[before]) / span if span > 1e-9 else 1.0
        if weight > 1 - 1e-3:
            result.append(values[after])
        elif weight < 1e-3:
            result.append(values[before])
        else:
            result.append(rotmat_from_quat(slerp(quat(before), quat(after), np.full(len(start), weight))))
    return result
