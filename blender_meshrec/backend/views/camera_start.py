"""Where two cameras are to each other, to begin with: from a person whom both see.

Two ways, of which the adjustment takes the one that it can make more of: the poses that are lifted in both views, turned onto each other;
and the essential matrix of the keypoints (Nister 2004, by OpenCV), as long as the lifted distance says.
"""

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.cameras import rigid_transform

MIN_POINTS = 30  # keypoints that both views see, for an essential matrix
EPIPOLAR_TOLERANCE = 0.01  # of a ray
TURN_ITERATIONS = 5


def start_from_poses(first: FloatArray, second: FloatArray, seen: BoolArray) -> FloatArray:
    """The rigid transform (4,4) that best takes joints (F,17,3) m of one view's axes to those of another in the `seen` (F,) frames.

    The turn is of the poses about their hips, as Kabsch 1976 has it, frame by frame weighed by how well it fits.
    """
    a, b = first[seen], second[seen]
    about_a, about_b = a - a[:, :1], b - b[:, :1]
    weight, turn = np.ones(len(a)), np.eye(3)
    for _ in range(TURN_ITERATIONS):
        left, _scales, right = np.linalg.svd(np.einsum("f,fja,fjb->ab", weight, about_b, about_a))
        turn = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
        error = np.linalg.norm(about_b - about_a @ turn.T, axis=-1).mean(1)
        weight = 1 / (1 + (error / max(float(np.median(error)), 1e-6)) ** 2)
    return rigid_transform(turn, np.median(b[:, 0] - a[:, 0] @ turn.T, 0))


def start_from_keypoints(rays: tuple[FloatArray, FloatArray], weights: tuple[FloatArray, FloatArray], distance: float) -> FloatArray | None:
    """The rigid transform (4,4) from one view to another by the essential matrix of their rays (F,17,2); weights (F,17).

    distance: m, the median depth of the joints before the first camera, which gives the scale. None where there is no such matrix.
    """
    both = (weights[0] > 0.5) & (weights[1] > 0.5)
    if both.sum() < MIN_POINTS:
        return None
    first, second = (np.ascontiguousarray(values[both], float) for values in rays)
    essential, inliers = cv2.findEssentialMat(first, second, np.eye(3), method=cv2.USAC_MAGSAC, prob=0.999, threshold=EPIPOLAR_TOLERANCE)
    if essential is None or essential.shape != (3, 3):
        return None
    _count, turn, transl, _mask, points = cv2.recoverPose(essential, first, second, np.eye(3), distanceThresh=1e4, mask=inliers.copy())
    depth = points[2] / np.where(np.abs(points[3]) < 1e-12, 1e-12, points[3])
    depth = depth[(inliers[:, 0] > 0) & (depth > 0)]
    if not len(depth):
        return None
    return rigid_transform(turn, transl[:, 0] * distance / float(np.median(depth)))
