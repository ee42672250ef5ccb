"""The limbs of a posed rig for two-bone inverse kinematics."""

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from ...core.two_bone_ik import Limb, solve_two_bone_ik
from .forward_kinematics import BoneArrays, Pose
from .rest_pose import ARM, LEG

import numpy as np


class PosedLimb:
    """One arm or leg of a Pose.

    limb: its joints over frames; the end is the wrist or the ankle.
    """

    def __init__(self, pose: Pose, side: str, parts: tuple[str, str, str]) -> None:
        """parts: ARM or LEG."""
        upper, lower, end = (f"{side}_{part}" for part in parts)
        rest = pose.rest
        bends_towards = rest.axes[:, 1] if parts == ARM else -rest.axes[:, 1]
        hinge = unit_vector(np.cross(rest.segment_direction(upper, lower), bends_towards))
        hinge = pose.rest_delta(rest.slots[upper][-1]) @ hinge
        self._bones = rest.slots[upper], rest.slots[lower]
        self.limb = Limb(pose.head(upper), pose.head(lower), pose.segment_end(lower, end), hinge)
