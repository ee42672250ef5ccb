"""Which parts of a body that rests must touch the ground, since without them it would fall over, or hang in the air.

A lifted pose lets hands, knees or a back hover by up to 15 cm over the ground that they lie on. Of what hovers, only that is drawn down
which lies beyond the centre of mass on the side to which the body would fall: the knee of a lunge and the chest of a push-up stay up.
"""

import numpy as np

from ....core.array_types import FloatArray

SUPPORTING = 0.6  # weight from which a part in contact bears the body
MAY_BEAR = 0.1  # weight from which one that hovers may do so
NEAR_LOWEST = 0.04  # m above the lowest part that may bear the body: so high a part weighs exp(-1)
FULL_OVERHANG = 0.1  # m that the centre of mass is beyond what touches, from which the missing support counts fully
_ANGLES = np.arange(16) * np.pi / 8


def missing_support(
    places: FloatArray, heights: FloatArray, touching: FloatArray, able: FloatArray, centres: FloatArray, up: FloatArray, reach: float
) -> FloatArray:
    """Weights (F,K) 0..1 of parts that should touch the ground besides those that do.

    Args:
        places: (F,K,3) m, of the parts. heights: (F,K) m, of their skin above the ground. touching: (F,K) 0..1, of those in contact.
        able: (F,K) 0..1, whether a part can bear at all; 0 of one that moves. centres: (F,3) m, of mass. up: (3,). reach: m; a part
        that hovers so high weighs exp(-1).
    """
    across = np.linalg.svd(up[None])[2][1:]
    ways = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1) @ across  # (16,3), level
    parts, centre = places @ ways.T, centres @ ways.T
    borne = np.where((touching > SUPPORTING)[..., None], parts, -np.inf).max(1)
    overhang = centre - borne
    way = overhang.argmax(1)[:, None]
    excess = np.take_along_axis(overhang, way, 1)
    beyond = np.take_along_axis(parts, way[..., None], 2)[..., 0] - np.take_along_axis(centre, way, 1)
    may_bear = able * np.exp(-((heights / reach) ** 2)) * ((beyond > 0) | np.isinf(excess))
    lowest = np.where(may_bear > MAY_BEAR, heights, np.inf).min(1, keepdims=True)
    return may_bear * np.exp(-(((heights - lowest) / NEAR_LOWEST) ** 2)) * np.clip(excess / FULL_OVERHANG, 0.0, 1.0)
