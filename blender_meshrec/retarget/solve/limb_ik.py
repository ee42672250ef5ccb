"""Two-bone inverse kinematics on the arms and legs of a posed rig."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from ...core.two_bone_ik import Limb, solve_two_bone_ik
from .forward_kinematics import BoneArrays, Pose
from .rest_pose import ARM


def limb_from_pose(pose: Pose, side: str, parts: tuple[str, str, str]) -> Limb:
    """One arm or leg of a Pose, `parts` being ARM or LEG; its end is the wrist or the ankle."""
    upper, lower, end = (f"{side}_{part}" for part in parts)
    rest = pose.rest
    bends_towards = rest.axes[:, 1] if parts == ARM else -rest.axes[:, 1]
    hinge = unit_vector(np.cross(rest.segment_direction(upper, lower), bends_towards))
    posed_hinge = pose.rest_delta(rest.slots[upper][-1]) @ hinge
    return Limb(pose.heads[rest.slots[upper][0]], pose.heads[rest.slots[lower][0]], pose.segment_end(lower, end), posed_hinge)


def bend_limb(
    pose: Pose, side: str, parts: tuple[str, str, str], limb: Limb, root: FloatArray, target: FloatArray, bone_rotations: BoneArrays
) -> None:
    """Turn the bones of a limb, in `bone_rotations`, so that its end reaches target (F,3) m from a root at (F,3) m."""
    for part, turn in zip(parts, solve_two_bone_ik(limb, root, target), strict=False):
        for bone in pose.rest.slots[f"{side}_{part}"]:
            bone_rotations[bone] = turn @ bone_rotations[bone]
