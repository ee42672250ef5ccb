"""Where in an image the background is seen: outside the people."""

from collections.abc import Sequence

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray

BOX_MARGIN = 0.15  # of a box's larger side, by which people reach beyond the box of their keypoints
OUTLINE_MARGIN = 0.06  # of a mask's side, by which hair, clothes and shadows reach beyond a silhouette
CROWDED = 0.35  # if the boxes leave less of the image free than this, silhouettes or else boxes without a margin are used


def background_mask(
    shape: tuple[int, ...],
    scale: float,
    boxes: Sequence[FloatArray],
    outlines: Sequence[tuple[BoolArray, FloatArray] | None] = (),
    prefers_outlines: bool = False,
) -> ImageArray:
    """A mask (H,W) uint8, 255 where the background is.

    Args:
        shape: (H,W) of the mask. scale: its pixels per pixel of the footage. boxes: (4,) px of the footage, left, top, right, bottom of
            each person. outlines: silhouette and square of each person, as of core/silhouettes.py, or None. prefers_outlines: whether
            silhouettes are used wherever they are known, not only where boxes leave little of the image free.
    """
    mask = _outside_boxes(shape, boxes, scale, BOX_MARGIN)
    known = list(outlines) if len(outlines) == len(boxes) else [None] * len(boxes)
    is_crowded = np.count_nonzero(mask) < CROWDED * mask.size
    if not boxes or not (is_crowded or (prefers_outlines and any(outline is not None for outline in known))):
        return mask
    unknown = [box for box, outline in zip(boxes, known, strict=True) if outline is None]
    mask = _outside_boxes(shape, unknown, scale, 0.0 if is_crowded else BOX_MARGIN)
    for outline in known:
        if outline is not None:
            _erase_outline(mask, *outline, scale)
    return mask


def _outside_boxes(shape: tuple[int, ...], boxes: Sequence[FloatArray], scale: float, reach: float) -> ImageArray:
    mask = np.full(shape, 255, np.uint8)
    for box in boxes:
        scaled = np.asarray(box, float) * scale
        margin = reach * max(scaled[2] - scaled[0], scaled[3] - scaled[1])
        left, top, right, bottom = np.clip([*(scaled[:2] - margin), *(scaled[2:] + margin)], 0, max(shape)).round().astype(int)
        mask[top:bottom, left:right] = 0
    return mask


def _erase_outline(mask: ImageArray, silhouette: BoolArray, square: FloatArray, scale: float) -> None:
    """Set a mask to 0 on a silhouette and its margin."""
    reach = 2 * round(OUTLINE_MARGIN * len(silhouette)) + 1
    grown = cv2.dilate(np.pad(silhouette.astype(np.uint8), reach // 2), np.ones((reach, reach), np.uint8))
    pixel = float(square[2]) * scale / len(silhouette)
    corner = np.asarray(square[:2], float) * scale - pixel * len(grown) / 2
    matrix = np.array([[pixel, 0, corner[0] + 0.5 * pixel - 0.5], [0, pixel, corner[1] + 0.5 * pixel - 0.5]])
    mask[cv2.warpAffine(grown, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST) > 0] = 0
