"""Radial distortion of a lens, as OpenCV and Blender have it: distorted = undistorted * (1 + k1 r^2 + k2 r^4 + k3 r^6).

Both points are from the principal point and in focal lengths; r is the distance of the undistorted one.
"""

import numpy as np

from .array_types import ArrayLike, FloatArray

_STEPS = 30
_WIDEST = 3.0  # focal lengths: no lens of this model sees points farther out


def radial_factor(squared_radius: FloatArray, distortion: ArrayLike) -> FloatArray:
    """The factor by which distortion (3,) moves points outwards, of their squared radius (...)."""
    k1, k2, k3 = np.asarray(distortion, float)
    return 1 + squared_radius * (k1 + squared_radius * (k2 + squared_radius * k3))


def distort_pixels(pixels: ArrayLike, intrinsics: ArrayLike, distortion: ArrayLike) -> FloatArray:
    """Where the lens shows pixels (..., 2) of a picture without distortion; intrinsics: (..., 3, 3) px; distortion: (3,)."""
    rays, focal, center = _rays(pixels, intrinsics)
    return rays * radial_factor((rays**2).sum(-1, keepdims=True), distortion) * focal + center


def undistort_pixels(pixels: ArrayLike, intrinsics: ArrayLike, distortion: ArrayLike) -> FloatArray:
    """The inverse of `distort_pixels`, by Newton's method on the radius.

    A point beyond the lens's turning point, which no line of sight reaches, goes to that turning point.
    """
    rays, focal, center = _rays(pixels, intrinsics)
    k1, k2, k3 = np.asarray(distortion, float)
    seen = np.linalg.norm(rays, axis=-1)
    limit = turning_radius(distortion)
    radius = np.minimum(seen, limit)
    for _ in range(_STEPS):
        square = radius**2
        value = radius * radial_factor(square, distortion) - seen
        slope = 1 + square * (3 * k1 + square * (5 * k2 + square * 7 * k3))
        radius = np.clip(radius - value / np.maximum(slope, 1e-3), 0, limit)
    return rays * (radius / np.maximum(seen, 1e-12))[..., None] * focal + center


def turning_radius(distortion: ArrayLike) -> float:
    """The undistorted radius, focal lengths, up to which a distortion (3,) can be undone: beyond it the picture folds back."""
    k1, k2, k3 = np.asarray(distortion, float)
    squares = np.linspace(0, _WIDEST, 3001) ** 2
    folds = 1 + squares * (3 * k1 + squares * (5 * k2 + squares * 7 * k3)) <= 1e-3
    return float(np.sqrt(squares[int(folds.argmax())])) if folds.any() else _WIDEST


def invert_first_order(k1: float) -> FloatArray:
    """The distortion (3,) that undoes undistorted = distorted * (1 + k1 r^2), to the third order of r^2.

    Source: the series of the inverse of r (1 + k r^2): 1 - k r^2 + 3 k^2 r^4 - 12 k^3 r^6.
    """
    return np.array([-k1, 3 * k1**2, -12 * k1**3])


def _rays(pixels: ArrayLike, intrinsics: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pixels (..., 2) from the principal point in focal lengths, and focal lengths and principal points that fit them."""
    pixels, intrinsics = np.asarray(pixels, float), np.asarray(intrinsics, float)
    focal = np.stack([intrinsics[..., 0, 0], intrinsics[..., 1, 1]], -1)
    center = intrinsics[..., :2, 2]
    missing = pixels.ndim - focal.ndim
    if missing > 0:
        shape = (*focal.shape[:-1], *(1,) * missing, 2)
        focal, center = focal.reshape(shape), center.reshape(shape)
    return (pixels - center) / focal, focal, center
