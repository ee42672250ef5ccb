"""Hands that stay where they are while the performer's touch something."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.contacts import contact_runs
from ...core.foot_planting.run_blending import fade_between_runs
from ..rig import SIDES
from .foot_planting import FADE_TIME
from .forward_kinematics import BoneArrays, Pose
from .limb_ik import bend_limb, limb_from_pose
from .rest_pose import ARM


def plant_hands(pose: Pose, bone_rotations: BoneArrays, contacts: FloatArray, timestamps: FloatArray) -> None:
    """Bend a posed rig's arms so that wrists stay where they are on average while they touch; hands keep their rotation in the world.

    Args:
        pose: the rig as posed. bone_rotations: bone -> (F,3,3), changed in place for both parts of the arms. contacts: (F,2) 0..1, left and
            right. timestamps: (F,) s.
    """
    for number, side in enumerate(SIDES):
        runs = contact_runs(contacts[:, number] > 0.5)
        if not len(runs):
            continue
        limb = limb_from_pose(pose, side, ARM)
        correction = np.zeros_like(limb.end)
        for first, last in runs:
            correction[first:last] = np.median(limb.end[first:last], 0) - limb.end[first:last]
        correction = fade_between_runs(correction, runs, timestamps, FADE_TIME)
        bend_limb(pose, side, ARM, limb, limb.root, limb.end + correction, bone_rotations)
