"""Hands where the performer's hands are, on the floor, on a wall or on each other, in a world of the character's scale."""

from ...core.array_types import FloatArray
from ...core.two_bone_ik import soft_shortfall
from .forward_kinematics import BoneArrays, Pose
from .limb_ik import bend_limb, limb_from_pose
from .rest_pose import ARM


def reach_hands(pose: Pose, bone_rotations: BoneArrays, wrist_targets: dict[str, FloatArray], body_shift: FloatArray) -> None:
    """Bend a posed rig's arms so that its wrists reach their targets; the hands keep their rotation in the world.

    Args:
        pose: the rig as posed. bone_rotations: bone -> (F,3,3), changed in place for both parts of the arms.
        wrist_targets: side -> (F,3) m. body_shift: (F,3) m, how the body was moved over the floor after the targets were computed.

    Arms that are too short reach as far as soft extension lets them.
    """
    for side, place in wrist_targets.items():
        limb = limb_from_pose(pose, side, ARM)
        target = place + body_shift
        target = target - soft_shortfall(limb, limb.root, target)
        bend_limb(pose, side, ARM, limb, limb.root, target, bone_rotations)
