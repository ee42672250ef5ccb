"""Feet on the lines of sight of the ankles, heels and toes that a detector sees."""

import numpy as np

from ....core.array_types import BoolArray, FloatArray
from ....core.cameras import rays_from_pixels
from ..keypoint_noise import keypoint_noise, keypoint_weights
from .body_points import FOOT_MARKER_ROWS, FOOT_POINTS
from .evidence import ClipEvidence
from .foot_keypoints import part_of
from .image_residuals import Reprojection
from .weights import FOOT_SIGMA


def residuals_of_feet(
    feet: FloatArray | None, clip: ClipEvidence, seen: BoolArray, distance: FloatArray, weights: FloatArray, centres: FloatArray | None
) -> list[Reprojection]:
    """Foot markers on the lines of sight of their keypoints in the S frames that are `seen` (F,); none without feet.

    Args:
        feet: (F,6,3) px and confidence, of FOOT_POINTS. distance: (S,) m, of the person. weights: (S,6), of each point in each frame.
        centres: (S,3) m, of the camera, or None.
    """
    if feet is None:
        return []
    keypoints = feet[seen]
    rays = rays_from_pixels(keypoints[..., :2], clip.intrinsics)
    visibility = keypoint_weights(keypoints, clip.image_size)
    by_clip = np.array([FOOT_SIGMA[part_of(name)] for name in FOOT_POINTS]) / distance[:, None]
    sigma = np.hypot(by_clip, keypoint_noise(rays, visibility, clip.timestamps[seen]))
    return [Reprojection(FOOT_MARKER_ROWS, rays, visibility * weights, sigma, centres)]
