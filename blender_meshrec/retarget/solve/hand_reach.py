"""Hands where the performer's were: on the floor, on a wall, on each other, in a world of the character's scale."""

import numpy as np

from .limb_ik import limb_from_pose, soft_ik_distance, solve_two_bone_ik
from .rest_pose import ARM


def reach_hands(pose, bone_rotations, wrist_targets, body_shift):
    """Bend a posed rig's arms so that its wrists come to their places; hands stay turned as they are.

    Args:
        pose: a Pose. bone_rotations: bone -> (F,3,3), changed in place for both parts of the arms. wrist_targets: side -> (F,3) m.
        body_shift: (F,3) m, how the whole body was moved over the floor since the places were told.

    Arms that are too short reach as far as they like to straighten.
    """
    for side, place in wrist_targets.items():
        slots = [f"{side}_{part}" for part in ARM]
        limb = limb_from_pose(pose, *slots, bends_towards=pose.rest.axes[:, 1])
        away = place + body_shift - limb.root
        distance = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        target = limb.root + away * (soft_ik_distance(limb, distance) / distance)[:, None]
        for slot, turn in zip(slots, solve_two_bone_ik(limb, limb.root, target), strict=False):
            for bone in pose.rest.slots[slot]:
                bone_rotations[bone] = turn @ bone_rotations[bone]
