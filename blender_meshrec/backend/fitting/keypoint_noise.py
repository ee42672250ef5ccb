"""How far 2D keypoints can be relied on: their weight by confidence, and their noise as measured in the clip.

Three models meet in the fit of one clip: `keypoint_weights` says which keypoints count, `keypoint_noise` how much all
keypoints of one name scatter in this clip, and the robust loss of reprojection_fit.py (KEYPOINT_SIGMA, ROBUST_SCALE) lets go of
single outliers. The detector errors that networks are trained with are generated elsewhere: scripts/train/data/camera_views.py
for the lifter, scripts/train/calibration/detector_noise.py for the mesh generator.
"""

import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.time_series import weighted_quantile

# 2D confidence at which a keypoint's weight begins, and from which it is 1.
MIN_CONFIDENCE, FULL_CONFIDENCE = 0.2, 0.7
# A keypoint farther outside the image than this fraction of its larger side is extrapolated and has no weight.
EDGE_MARGIN = 0.02
# Frames farther apart than this do not separate noise from motion, s.
MAX_FRAME_INTERVAL = 0.055
# Median length of a vector of two standard normal numbers.
RAYLEIGH_MEDIAN = 1.177


def keypoint_weights(keypoints: FloatArray, image_size: ArrayLike) -> FloatArray:
    """Weights (F,K) 0..1 of keypoints (F,K,3) px and confidence: by confidence, and 0 outside the image of (width, height) px."""
    size = np.asarray(image_size, float)
    margin = EDGE_MARGIN * size.max()
    is_inside = ((keypoints[..., :2] > -margin) & (keypoints[..., :2] < size + margin)).all(-1)
    return np.clip((keypoints[..., 2] - MIN_CONFIDENCE) / (FULL_CONFIDENCE - MIN_CONFIDENCE), 0, 1) * is_inside


def keypoint_noise(rays: FloatArray, weights: FloatArray, times: FloatArray) -> FloatArray:
    """Standard deviation (K,) of the white noise of keypoints, in units of their rays (F,K,2); weights (F,K), times (F,) s.

    The median third difference of neighbouring frames, divided by that of white noise of unit size. Motion hardly shows
    in it at high frame rates; at low ones the noise is unknown and returned as 0.
    """
    stencil = np.array([-1.0, 3.0, -3.0, 1.0])
    if len(times) < 8 or np.median(np.diff(times)) > MAX_FRAME_INTERVAL:
        return np.zeros(rays.shape[1])
    third = np.zeros_like(rays[3:])
    for k, factor in enumerate(stencil):
        third += factor * rays[k : len(rays) - 3 + k]
    lowest = np.min([weights[k : len(rays) - 3 + k] for k in range(4)], 0)
    size = np.linalg.norm(third, axis=-1) / (np.linalg.norm(stencil) * RAYLEIGH_MEDIAN)
    return np.array([weighted_quantile(size[:, k], lowest[:, k] + 1e-6, 0.5) for k in range(rays.shape[1])])
