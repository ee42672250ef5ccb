"""How far somebody crouches: what is missing of their length between head and feet."""

import numpy as np

from ...core.skeletons import H36M17

_BACKBONE = [H36M17.index(name) for name in ("hip", "spine", "thorax", "nose", "head_top")]
_LEGS = [[H36M17.index(f"{side}_{name}") for name in ("hip", "knee", "ankle")] for side in ("left", "right")]
_ANKLES = [leg[-1] for leg in _LEGS]


def body_length(joints):
    """A person's length stretched out, from the crown to the ankles, in the unit of joints (F,17,3), h36m17: the bones' sum."""
    lengths = [np.linalg.norm(np.diff(joints[:, line], axis=1), axis=-1).sum(1) for line in (_BACKBONE, *_LEGS)]
    return float(np.median(lengths[0] + (lengths[1] + lengths[2]) / 2))


def crouch_ratio(joints):
    """The share of a person's length that is missing between crown and ankles, (F,) 0..1, in joints (F,17,3), h36m17."""
    stretched = np.linalg.norm(joints[:, _BACKBONE[-1]] - joints[:, _ANKLES].mean(1), axis=-1)
    return np.clip(1 - stretched / max(body_length(joints), 1e-6), 0, 1)
