"""Ankles, heels and big toes as a detector sees them, as points of the body.

A detector puts an ankle on the front of the leg above the joint, a heel at the tendon, and a big toe at the ball. Taken as the body's own,
such an ankle makes shins 3 cm too short, which a single view takes for knees that bend by 20 degrees. Where the floor is known, each line
of sight that ends in a foot tells where the person stands: taken as the body's own points, they put a foot that is seen from 1.5 m above
the floor 3 to 8 cm off.
"""

import numpy as np

from ....core.array_types import FloatArray
from ....core.skeletons import KEYPOINT_SETS
from .body_points import FOOT_POINTS

# Where a detector sees feet that stand, from the body's ankle joint, its heel and the tip of its big toe: outwards, up and forward, m.
# Least squares over 16 clips with truth, of scripts/evaluate/known_camera.py and filmed_cameras.py.
SEEN_BESIDE: dict[str, dict[str, tuple[float, float, float]]] = {
    "blazepose33": {"ankle": (0.0, 0.023, 0.02), "heel": (-0.005, 0.02, 0.02), "big_toe": (0.01, -0.005, -0.05)}
}


def foot_offsets(keypoint_set: str) -> FloatArray:
    """Where a detector sees FOOT_POINTS, (6,3) m beside them at rest, of `shape_of_stature`."""
    beside = SEEN_BESIDE.get(keypoint_set, {})
    offsets = np.array([beside.get(part_of(name), (0.0, 0.0, 0.0)) for name in FOOT_POINTS])
    offsets[[name.startswith("right") for name in FOOT_POINTS], 0] *= -1
    return offsets


def foot_keypoints(keypoints: FloatArray, keypoint_set: str) -> FloatArray | None:
    """FOOT_POINTS (F,6,3) px and confidence, among keypoints (F,K,3); None for a set that has none."""
    index = KEYPOINT_SETS[keypoint_set].index
    if not all(name in index for name in FOOT_POINTS):
        return None
    return keypoints[:, [index[name] for name in FOOT_POINTS]].astype(float)


def part_of(name: str) -> str:
    """The name without its side."""
    return name.split("_", 1)[1]
