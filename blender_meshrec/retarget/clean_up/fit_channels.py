"""Keys of one control's channels within a tolerance that may differ by frame: all channels keyed together, or each on its own."""

from collections.abc import Sequence

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.key_reduction import reduce_keys
from ..write.channels import continuous_euler, euler_from_rotmat, rotmat_from_euler
from .records import PhaseKeys, RotationKeys

ORDERS = ("XYZ", "YXZ", "ZXY", "XZY", "YZX", "ZYX")
_MIN_GIMBAL_COSINE = 0.35  # of the second angle: nearer to gimbal lock, another order is better


def phases_of(used: BoolArray) -> list[tuple[int, int]]:
    """The runs of True in (F,), as first frame and the frame after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], used, [False]]).astype(int)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def fit_channels(
    samples: FloatArray, tolerances: FloatArray, phases: Sequence[tuple[int, int]], metric: FloatArray | None = None
) -> tuple[tuple[PhaseKeys, ...], FloatArray]:
    """The fewest keys for samples (F,N) whose error stays within tolerances (F,) during some phases.

    Args:
        metric: (F,M,N), from an error of the channels to what the tolerances limit; such channels are keyed together.

    Returns:
        the keys, and the curve (F,N), which is the samples outside the phases.
    """
    keys: list[PhaseKeys] = []
    curve = samples.copy()
    channels = samples.shape[1]
    for first, end in phases:
        part, limits = samples[first:end], tolerances[first:end, None, None]
        scaled = (np.eye(channels) if metric is None else metric[first:end]) / limits
        together = reduce_keys(part, 1.0, scaled)
        fits = [((*range(channels),), together)]
        if metric is None and len(together.rows) > 1:
            apart = [((channel,), reduce_keys(part[:, channel, None], 1.0, np.sqrt(channels) / limits)) for channel in range(channels)]
            if sum(len(fit.rows) for _, fit in apart) < channels * len(together.rows):
                fits = apart
        for covered, fit in fits:
            keys.append(PhaseKeys(first, covered, fit))
            curve[first:end, list(covered)] = fit.sample(end - first)
    return tuple(keys), curve


def fit_rotations(rotmats: FloatArray, tolerances: FloatArray, phases: Sequence[tuple[int, int]]) -> tuple[RotationKeys, FloatArray]:
    """Keys of Euler angles for rotations (F,3,3) within angles (F,) rad during some phases; returns the keys and the keyed rotations."""
    order, angles = best_euler(rotmats)
    # Errors of the first and the third angle add up the more, the nearer the second is to gimbal lock.
    tolerances = tolerances / np.sqrt(1 + np.abs(np.sin(angles[:, "XYZ".index(order[1])])))
    keys, curve = fit_channels(angles, tolerances, phases)
    result = rotmats.copy()
    for first, end in phases:
        result[first:end] = rotmat_from_euler(curve[first:end], order)
    return RotationKeys(order, keys), result


def best_euler(rotmats: FloatArray) -> tuple[str, FloatArray]:
    """An order of Euler angles that stays far from gimbal lock, the first of ORDERS that does, and the continuous angles (F,3) rad."""
    best: tuple[float, str, FloatArray] | None = None
    for order in ORDERS:
        angles = continuous_euler(euler_from_rotmat(rotmats, order), order)
        cosine = float(np.abs(np.cos(angles[:, "XYZ".index(order[1])])).min())
        if best is None or cosine > best[0]:
            best = cosine, order, angles
        if cosine > _MIN_GIMBAL_COSINE:
            break
    if best is None:
        raise ValueError("no order of Euler angles")
    return best[1], best[2]
