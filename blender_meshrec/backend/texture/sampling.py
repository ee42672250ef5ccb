"""Pictures read between their pixels; the first pixel's centre is (0.5, 0.5)."""

from typing import Any

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray

_COLUMNS = 1024  # OpenCV's maps are pictures of limited size
_FARTHEST = 1e4


def sample(
    picture: FloatArray | ImageArray, pixels: FloatArray, method: int = cv2.INTER_LINEAR, outside: float | None = None
) -> FloatArray:
    """A picture (h,w) or (h,w,C) at pixels (N,2), as (N,) or (N,C); outside: the value beyond its edges, None for that of the edge."""
    if not len(pixels):
        return np.zeros((0, *picture.shape[2:]))
    rows = -(-len(pixels) // _COLUMNS)
    padded = np.full((rows * _COLUMNS, 2), -1.0, np.float32)
    padded[: len(pixels)] = pixels.clip(-_FARTHEST, _FARTHEST)
    found = sample_grid(picture, padded.reshape(rows, _COLUMNS, 2), method, outside)
    return found.reshape(rows * _COLUMNS, *picture.shape[2:])[: len(pixels)]


def sample_grid(
    picture: FloatArray | ImageArray, pixels: FloatArray, method: int = cv2.INTER_LINEAR, outside: float | None = None
) -> FloatArray:
    """A picture (h,w) or (h,w,C) at a grid of pixels (H,W,2), as (H,W) or (H,W,C); outside: as of `sample`."""
    remap: Any = cv2.remap  # whose second map may be None, which its types leave out
    mode = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    grid = (np.asarray(pixels) - 0.5).astype(np.float32)
    return np.asarray(remap(np.ascontiguousarray(picture), grid, None, method, borderMode=mode, borderValue=outside or 0.0))
