"""Observations as a camera without distortion and without a zoom would have made them."""

from dataclasses import replace

import numpy as np

from ...core.array_types import ArrayLike, FloatArray
from ...core.lens_distortion import undistort_pixels
from ...core.records import Observations
from ...core.silhouettes import Silhouettes

# A keypoint farther outside the picture than this fraction of its larger side is extrapolated.
EDGE_MARGIN = 0.02


def through_ideal_lens(
    observations: Observations, intrinsics: FloatArray, distortion: FloatArray, ideal: FloatArray, image_size: ArrayLike
) -> Observations:
    """Observations in the pixels of a camera at the same place, turned the same way, whose lens is `ideal` in every frame.

    Args:
        observations: over F frames. intrinsics: (F,3,3) px, and distortion: (3,), of the lens that filmed. ideal: (3,3) or (F,3,3) px.
        image_size: (width, height) px of the filmed picture: keypoints outside it lose their confidence.
    """
    keypoints, size = observations.keypoints.astype(float), np.asarray(image_size, float)
    margin = EDGE_MARGIN * size.max()
    is_inside = ((keypoints[..., :2] > -margin) & (keypoints[..., :2] < size + margin)).all(-1)
    seen = observations.visible[:, None]
    pixels = _ideal_pixels(keypoints[..., :2], intrinsics, distortion, ideal)
    corners = observations.boxes.astype(float)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    corners = _ideal_pixels(corners, intrinsics, distortion, ideal)
    return replace(
        observations,
        keypoints=np.concatenate([pixels, (keypoints[..., 2] * is_inside)[..., None]], -1) * seen[..., None],
        boxes=np.concatenate([corners.min(1), corners.max(1)], -1) * seen,
        silhouettes=_ideal_silhouettes(observations.silhouettes, intrinsics, distortion, ideal),
    )


def _ideal_pixels(pixels: FloatArray, intrinsics: FloatArray, distortion: FloatArray, ideal: FloatArray) -> FloatArray:
    """Pixels (F,K,2) of the filmed picture as the ideal lens shows them."""
    straight = undistort_pixels(pixels, intrinsics, distortion) if distortion.any() else pixels
    focal = np.stack([intrinsics[:, 0, 0], intrinsics[:, 1, 1]], -1)[:, None]
    rays = (straight - intrinsics[:, None, :2, 2]) / focal
    ideal = np.broadcast_to(ideal, intrinsics.shape)
    return rays * np.stack([ideal[:, 0, 0], ideal[:, 1, 1]], -1)[:, None] + ideal[:, None, :2, 2]


def _ideal_silhouettes(
    silhouettes: Silhouettes | None, intrinsics: FloatArray, distortion: FloatArray, ideal: FloatArray
) -> Silhouettes | None:
    """Silhouettes whose squares lie where the ideal lens shows them, as large as there; a square stays one."""
    if silhouettes is None or not len(silhouettes):
        return silhouettes
    squares = silhouettes.squares.astype(float)
    half = squares[:, None, 2:] / 2
    points = squares[:, None, :2] + half * np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
    ideal = np.broadcast_to(ideal, intrinsics.shape)[silhouettes.rows]
    seen = _ideal_pixels(points, intrinsics[silhouettes.rows], distortion, ideal)
    side = (np.linalg.norm(seen[:, 2] - seen[:, 1], axis=-1) + np.linalg.norm(seen[:, 4] - seen[:, 3], axis=-1)) / 2
    return Silhouettes(silhouettes.rows, np.column_stack([seen[:, 0], side]), silhouettes.masks)
