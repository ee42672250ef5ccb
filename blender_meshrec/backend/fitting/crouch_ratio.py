"""How far a person crouches: by how much the distance from crown to ankles falls short of their length."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17

_BACKBONE = [H36M17.index(name) for name in ("hip", "spine", "thorax", "nose", "head_top")]
_LEGS = [[H36M17.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")]
_ANKLES = [leg[-1] for leg in _LEGS]


def body_length(joints: FloatArray) -> float:
    """A person's length from the crown to the ankles along the bones, in the unit of joints (F,17,3), h36m17; the clip's median."""
    backbone, *legs = [np.linalg.norm(np.diff(joints[:, chain], axis=1), axis=-1).sum(1) for chain in (_BACKBONE, *_LEGS)]
    return float(np.median(backbone + (legs[0] + legs[1]) / 2))


def crouch_ratio(joints: FloatArray) -> FloatArray:
    """The fraction of a person's length that is missing between crown and ankles, (F,) 0..1, in joints (F,17,3), h36m17."""
    distance = np.linalg.norm(joints[:, _BACKBONE[-1]] - joints[:, _ANKLES].mean(1), axis=-1)
    return np.clip(1 - distance / max(body_length(joints), 1e-6), 0, 1)
