"""How the camera moves, seen in the background: corners outside the people's boxes, tracked at a low resolution.

Corners of a key frame are found again in each of the next frames, so that errors do not add up from frame to frame. A similarity that
most of them agree on is the camera's; bystanders, leaves and shadows are its outliers. A new key frame is taken when the view has
moved on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ...core.array_types import FloatArray, ImageArray

WIDTH = 320  # px of the larger side, at which corners are tracked
BOX_MARGIN = 0.15  # of a box's larger side, by which people reach beyond the box of their keypoints
MAX_CORNERS, MIN_CORNERS, MIN_AGREEING = 120, 8, 0.4
AGREEMENT = 0.7  # px: a corner this far from where the similarity takes it does not agree
RENEW_SHIFT, RENEW_KEPT = 25.0, 0.5  # px, and the share of corners left, at which a new key frame is taken
UNKNOWN: FloatArray = np.full(3, np.nan)


class _KeyFrame(NamedTuple):
    """A frame whose corners are tracked: grey image, corners (N,2) px, and the camera's state (3,) there."""

    grey: ImageArray
    corners: FloatArray
    state: FloatArray


class BackgroundTracker:
    """Call `update` once a frame, in order."""

    def __init__(self) -> None:
        self._key: _KeyFrame | None = None
        self._last: FloatArray = np.zeros(3)
        self._guess: FloatArray | None = None

    def update(self, image: ImageArray | None, boxes: Sequence[FloatArray]) -> FloatArray:
        """The background's movement since the frame before.

        Args:
            image: (H,W,3) uint8 RGB, or None where it cannot be read. boxes: (4,) px of the people in it.

        Returns:
            (3,): to the right and downwards in the middle of the image, as shares of the image's larger side, and the logarithm of its
            growth; nan where it is unknown: in the first frame, after a cut, and without a background to see.
        """
        if image is None:
            self._key = None
            return UNKNOWN
        scale = WIDTH / max(image.shape[:2])
        grey = _small_grey(image, scale)
        is_free = _outside(grey.shape[:2], boxes, scale)
        before, after = self._last, None if self._key is None else self._follow(self._key, grey, is_free)
        if after is None:
            self._renew(grey, is_free, np.zeros(3))
            return UNKNOWN
        self._last = after
        return after - before

    def _follow(self, key: _KeyFrame, grey: ImageArray, is_free: ImageArray) -> FloatArray | None:
        """The camera's state in a frame after the key frame, which is renewed if need be; None if it is not seen."""
        if len(key.corners) < MIN_CORNERS:
            return None
        guess = key.corners if self._guess is None else self._guess
        found, status, _error = cv2.calcOpticalFlowPyrLK(
            key.grey, grey, key.corners[:, None], guess[:, None].copy(), winSize=(15, 15), maxLevel=3, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
        )
        points = found[:, 0]
        column, row = np.clip(points.round().astype(int), 0, np.array(grey.shape[::-1]) - 1).T
        is_tracked = (status[:, 0] > 0) & (is_free[row, column] > 0)
        if is_tracked.sum() < MIN_CORNERS:
            return None
        matrix, inliers = cv2.estimateAffinePartial2D(key.corners[is_tracked], points[is_tracked], ransacReprojThreshold=AGREEMENT)
        if matrix is None or inliers.sum() < max(MIN_CORNERS, MIN_AGREEING * is_tracked.sum()):
            return None
        centre = np.array(grey.shape[::-1]) / 2
        shift = matrix[:, :2] @ centre + matrix[:, 2] - centre
        state = key.state + np.array([*(shift / max(grey.shape)), 0.5 * np.log(max(np.linalg.det(matrix[:, :2]), 1e-6))])
        self._guess = (key.corners @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        if np.linalg.norm(shift) > RENEW_SHIFT or inliers.sum() < RENEW_KEPT * len(key.corners):
            self._renew(grey, is_free, state)
        return state

    def _renew(self, grey: ImageArray, is_free: ImageArray, state: FloatArray) -> None:
        corners = cv2.goodFeaturesToTrack(grey, MAX_CORNERS, 0.01, 7, mask=is_free)
        found: FloatArray = np.zeros((0, 2), np.float32) if corners is None else np.asarray(corners[:, 0], np.float32)
        self._key, self._guess, self._last = _KeyFrame(grey, found, state), None, state


def _small_grey(image: ImageArray, scale: float) -> ImageArray:
    """The green channel at a low resolution; of large images every n-th pixel is looked at."""
    stride = max(1, int(0.5 / scale))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    green = np.ascontiguousarray(image[::stride, ::stride, 1])
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)


def _outside(shape: tuple[int, ...], boxes: Sequence[FloatArray], scale: float) -> ImageArray:
    """A mask (H,W) uint8 of what is outside all boxes, 255, of an image scaled by `scale`."""
    mask = np.full(shape, 255, np.uint8)
    for box in boxes:
        scaled = np.asarray(box, float) * scale
        margin = BOX_MARGIN * max(scaled[2] - scaled[0], scaled[3] - scaled[1])
        left, top, right, bottom = np.clip([*(scaled[:2] - margin), *(scaled[2:] + margin)], 0, max(shape)).round().astype(int)
        mask[top:bottom, left:right] = 0
    return mask
