"""How far a person crouches: by how much the distance from crown to ankles falls short of their length."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17

_BACKBONE = [H36M17.index(name) for name in ("hip", "spine", "thorax", "nose", "head_top")]
LEGS = [[H36M17.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")]
_ANKLES = [leg[-1] for leg in LEGS]


def body_length(joints: FloatArray) -> float:
    """A person's length from the crown to the ankles along the bones, in the unit of joints (F,17,3), h36m17; the clip's median."""
    backbone, *legs = [np.linalg.norm(np.diff(joints[:, chain], axis=1), axis=-1).sum(1) for chain in (_BACKBONE, *LEGS)]
    return float(np.median(backbone + (legs[0] + legs[1]) / 2))


def leg_extension(legs: FloatArray) -> FloatArray:
    """The distance from hip to ankle over the length of thigh and shin, (..., 2) 0..1: 0.87 with a knee bent by 60 degrees.

    legs: (..., 2, 3, 3), of each leg hip, knee and ankle.
    """
    lengths = np.linalg.norm(np.diff(legs, axis=-2), axis=-1).sum(-1)
    return np.linalg.norm(legs[..., 2, :] - legs[..., 0, :], axis=-1) / np.maximum(lengths, 1e-6)


def crouch_ratio(joints: FloatArray) -> FloatArray:
    """The fraction of a person's length that is missing between crown and ankles, (F,) 0..1, in joints (F,17,3), h36m17."""
    distance = np.linalg.norm(joints[:, _BACKBONE[-1]] - joints[:, _ANKLES].mean(1), axis=-1)
    return np.clip(1 - distance / max(body_length(joints), 1e-6), 0, 1)
