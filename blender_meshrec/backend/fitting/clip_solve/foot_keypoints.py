"""Ankles, heels and big toes as a detector sees them, as points of the body.

Where a person stands on a floor that is known is told by each line of sight that ends in a foot. A detector puts an ankle on the front of
the leg above the joint, a heel at the tendon, and a big toe at the ball: taken as the body's own points, each puts a foot that is seen from
1.5 m above the floor 3 to 8 cm off.
"""

from typing import NamedTuple

import numpy as np

from ....core.array_types import BoolArray, FloatArray, IntArray
from ....core.skeletons import KEYPOINT_SETS
from .body_points import FOOT_POINTS, NO_FOOT_OFFSETS

# Where a detector sees feet that stand, from the body's ankle joint, its heel and the tip of its big toe: outwards, up and forward, m.
# Least squares over 16 clips with truth, of scripts/evaluate/known_camera.py and filmed_cameras.py.
SEEN_BESIDE: dict[str, dict[str, tuple[float, float, float]]] = {
    "blazepose33": {"ankle": (0.0, 0.023, 0.02), "heel": (-0.005, 0.02, 0.02), "big_toe": (0.01, -0.005, -0.05)}
}


class FootKeypoints(NamedTuple):
    """keypoints: (F,6,3) px and confidence, of FOOT_POINTS. offsets: (6,3) m, of `shape_of_stature`."""

    keypoints: FloatArray
    offsets: FloatArray = NO_FOOT_OFFSETS

    def frames(self, rows: BoolArray | IntArray) -> "FootKeypoints":
        """Of some of the frames."""
        return FootKeypoints(self.keypoints[rows], self.offsets)


def foot_keypoints(keypoints: FloatArray, keypoint_set: str) -> FootKeypoints | None:
    """The feet among keypoints (F,K,3) px and confidence; None for a set that has none."""
    index, beside = KEYPOINT_SETS[keypoint_set].index, SEEN_BESIDE.get(keypoint_set, {})
    if not all(name in index for name in FOOT_POINTS):
        return None
    offsets = np.array([beside.get(part_of(name), (0.0, 0.0, 0.0)) for name in FOOT_POINTS])
    offsets[[name.startswith("right") for name in FOOT_POINTS], 0] *= -1
    return FootKeypoints(keypoints[:, [index[name] for name in FOOT_POINTS]].astype(float), offsets)


def part_of(name: str) -> str:
    """The name without its side."""
    return name.split("_", 1)[1]
