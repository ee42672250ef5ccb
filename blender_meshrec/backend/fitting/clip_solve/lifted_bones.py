"""The bones of a lifted pose, as long as a body's, and how sure they are."""

import numpy as np

from ....core.array_types import FloatArray
from ....core.rotations import turn_between
from . import weights
from .body_points import BONES


def lifted_bones(lifted: FloatArray, markers: FloatArray) -> FloatArray:
    """The bones (F,16,3) m of lifted joints (F,17,3), as long as those of the start's markers (F,17,3) m."""
    vectors = np.stack([lifted[:, end] - lifted[:, begin] for begin, end in BONES], 1)
    lengths = np.median([np.linalg.norm(markers[:, end] - markers[:, begin], axis=-1) for begin, end in BONES], 1)
    return vectors * (lengths / np.maximum(np.linalg.norm(vectors, axis=-1), 1e-6))[..., None]


def bone_precision(spread: FloatArray | None, sight: FloatArray, factor: float = 1.0) -> FloatArray:
    """The inverse covariance (F,16,3,3) m^-2 of the lifted bones' errors.

    Args:
        spread: (F,17,3) m, of the lifted joints relative to their parents, across and along the line of sight; or None.
        sight: (F,3), from the camera to the pelvis. factor: by which errors are larger.
    """
    if spread is None:
        return np.broadcast_to(np.eye(3) / (factor * weights.BONE_SIGMA) ** 2, (len(sight), len(BONES), 3, 3))
    spread = spread[:, [end for _begin, end in BONES]].astype(float)
    sigma = factor * np.hypot(weights.SKELETON_SIGMA, weights.SPREAD_FACTOR * spread)
    axes = turn_between(np.array([0.0, 0.0, 1.0]), sight)[:, None]
    return (axes / sigma[:, :, None] ** 2) @ np.swapaxes(axes, -1, -2)
