"""Where the detector saw a person: its silhouette as a mask of the whole picture."""

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.silhouettes import MASK_SIZE, Silhouettes
from .filmed_view import Lens


def mask_in_picture(silhouettes: Silhouettes | None, row: int, shape: tuple[int, ...], lens: Lens, ideal: FloatArray) -> BoolArray | None:
    """The mask (H,W) of a row, None if there is none.

    Args:
        silhouettes: in the pixels of a lens `ideal` (3,3) without distortion. shape: (height, width) of the picture. lens: of the picture.
    """
    if silhouettes is None or row not in silhouettes.rows:
        return None
    found = np.flatnonzero(silhouettes.rows == row)
    middle_x, middle_y, side = silhouettes.squares[found[0]].astype(float)
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5]]) * side + [middle_x, middle_y]
    rays = (corners - ideal[:2, 2]) / ideal[[0, 1], [0, 1]]
    # A square of the ideal picture stays nearly one: distortion within a person's box is small against a cell of the mask.
    placed = lens.pixels(np.concatenate([rays, np.ones((3, 1))], 1))
    source = np.array([[0, 0], [MASK_SIZE, 0], [0, MASK_SIZE]], np.float32) - 0.5
    matrix = cv2.getAffineTransform(source, (placed - 0.5).astype(np.float32))
    mask = silhouettes.masks[found[0]].astype(np.float32)
    wide = cv2.warpAffine(mask, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR)
    return np.asarray(wide > 0.5, bool)


def overlap(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """The share (N,) of boxes (N,4), left, top, right, bottom, that others cover."""
    low, high = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    area = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-9)
    return (high - low).clip(0).prod(1) / area
