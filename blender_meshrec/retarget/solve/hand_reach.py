"""Hands where the performer's were: on the floor, on a wall, on each other, in a world of the character's scale."""

import numpy as np

from .limb_ik import eased_extent, limb_of, reach
from .rest_pose import ARM


def reach_hands(pose, turns, places, shift):
    """Bend a posed rig's arms so that its wrists come to their places; hands stay turned as they are.

    Args:
        pose: a Pose. turns: bone -> (F,3,3), changed in place for both parts of the arms. places: side -> (F,3) m.
        shift: (F,3) m, how the whole body was moved over the floor since the places were told.

    Arms that are too short reach as far as they like to straighten.
    """
    for side, place in places.items():
        slots = [f"{side}_{part}" for part in ARM]
        limb = limb_of(pose, *slots, bends_towards=pose.rest.axes[:, 1])
        away = place + shift - limb.root
        distance = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        target = limb.root + away * (eased_extent(limb, distance) / distance)[:, None]
        for slot, turn in zip(slots, reach(limb, limb.root, target), strict=False):
            for bone in pose.rest.slots[slot]:
                turns[bone] = turn @ turns[bone]
