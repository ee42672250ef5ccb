"""Feet that cannot stand: where a foot is seen, its leg does not reach down to where the other foot is.

The contact network takes a foot that is held up behind or beside the body for one that stands, since both are still. An ankle that is
seen lies on its line of sight, and no farther from its hip than the leg is long: the lowest point of that line within the leg's reach
tells how low the foot can be.
"""

import numpy as np

from ...core.array_types import FloatArray

REACH = 1.05  # of a leg's length: hips are known to some centimetres
# A foot that is this much higher than the other one at least, m, is in contact with exp(-1) of its probability.
TOO_HIGH = 0.15


def lowest_ankles(hips: FloatArray, directions: FloatArray, camera: FloatArray, up: FloatArray, leg: float) -> FloatArray:
    """How low ankles can be, (F,2) m along up from the origin of the axes; nan where lines of sight pass the hips beyond the legs' reach.

    Args:
        hips: (F,2,3) m. directions: (F,2,3) of the lines of sight, of any length, and camera: (F,3) m, where they begin.
        up: (3,). leg: its length, m. All in one camera's axes.
    """
    way = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    to_hip = hips - camera[:, None]
    along = (to_hip * way).sum(-1)
    room = (REACH * leg) ** 2 - ((to_hip - along[..., None] * way) ** 2).sum(-1)
    half = np.sqrt(np.where(room > 0, room, np.nan))
    ends = [camera[:, None] + np.maximum(along + sign * half, 0.0)[..., None] * way for sign in (-1, 1)]
    return np.minimum(ends[0] @ up, ends[1] @ up)


def within_reach(lowest: FloatArray, standing: FloatArray) -> FloatArray:
    """Factors (F,4) of the contact probabilities of heels and toes, left first, by how low ankles can be.

    Args:
        lowest: (F,2) m, as of `lowest_ankles`. standing: (F,) m, the height of the lower ankle along the same axis.
    """
    excess = np.maximum(np.nan_to_num(lowest - standing[:, None]), 0.0)
    return np.repeat(np.exp(-((excess / TOO_HIGH) ** 2)), 2, axis=1)
