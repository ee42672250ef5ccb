"""Ours: the knees of lifted joints, as bent as those of people and not as those of the motion capture that the lifter has learnt from.

The legs of captured skeletons are a little longer than those that moved, and reach the same ankles with knees that are bent more: by 11
degrees where the leg is straight, by 1.5 where it is bent by 40 (`python -m scripts.evaluate.captured_knees`).
"""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17

LEG_EXCESS = 0.005  # by which share thighs and shins are too long
_HIPS, _KNEES, _ANKLES = ([H36M17.index(f"{side}_{joint}") for side in ("left", "right")] for joint in ("hip", "knee", "ankle"))


def straighten_knees(joints: FloatArray) -> FloatArray:
    """Lifted joints (F,17,3) m with thighs and shins shorter by LEG_EXCESS, between the same hips and ankles."""
    hip, knee, ankle = joints[:, _HIPS], joints[:, _KNEES], joints[:, _ANKLES]
    thigh, shin = (np.linalg.norm(bone, axis=-1) / (1 + LEG_EXCESS) for bone in (knee - hip, ankle - knee))
    extent = np.maximum(np.linalg.norm(ankle - hip, axis=-1), 1e-6)
    axis = (ankle - hip) / extent[..., None]
    forward = knee - hip - ((knee - hip) * axis).sum(-1, keepdims=True) * axis
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)
    # Where both together are too short, the knee divides the straight leg as they do.
    along = np.where(
        thigh + shin > extent, (thigh**2 - shin**2 + extent**2) / (2 * extent), extent * thigh / np.maximum(thigh + shin, 1e-6)
    )
    height = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    straightened = joints.copy()
    straightened[:, _KNEES] = hip + along[..., None] * axis + height[..., None] * forward
    return straightened
