"""Key frames of the background: small grey images whose corners are looked for in later frames."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ...core.array_types import AnyArray, BoolArray, FloatArray, ImageArray

MAX_CORNERS, MIN_CORNERS, MIN_AGREEING = 180, 8, 0.3
PARTS = 6  # of the picture's larger side: corners are taken from all of its square parts alike
# Corners that a key frame takes over from the one before, at most; and px between the corners of a key frame.
MAX_CARRIED, CORNER_DISTANCE = 70, 7
NO_CORNERS: FloatArray = np.zeros((0, 2), np.float32)
MIN_QUALITY = 1e-4  # strength of a corner over that of the strongest
MIN_STRENGTH = 8e-5  # smaller eigenvalue of a corner's gradients, OpenCV's units; noise of 1 grey level has 5e-5
# px that a corner, tracked there and back again, may be off: of weak corners, in gravel or along planks, others are found that look alike.
MAX_RETURN = 1.0
MAX_PATCH_ERROR = 20.0  # grey levels, mean over a corner's patch; a cut leaves more
FLOW_WINDOW = (15, 15)  # px
AGREEMENT = 0.7  # px: of a corner and the motion of most
WARP_GROWTH, WARP_TURN = 0.03, 0.04  # logarithm and rad, from which a key frame's picture is grown and turned before it is looked for
WIDE_SHIFT = 3.0  # px of shift from which perspective bends the motion, and a homography describes it
LINK_AGREEING, LINK_RATIO = 15, 0.75  # matches of descriptors that prove that two frames show one place, and Lowe's ratio


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """row: its frame. grey: (H,W) uint8. corners: (N,2) px float32. state: (3,), the view's shift and logarithm of growth there.

    is_free: (H,W) uint8, 0 on people. chain: number of the run of frames that were followed without a break.
    """

    row: int
    grey: ImageArray
    corners: FloatArray
    state: FloatArray
    is_free: ImageArray
    chain: int

    @cached_property
    def features(self) -> tuple[FloatArray, AnyArray]:
        """SIFT keypoints (N,2) px and descriptors (N,128)."""
        return sift_features(self.grey, self.is_free)


@dataclass(frozen=True, eq=False)
class Following:
    """A key frame's corners found in another frame.

    reference, found: (N,2) px, there and here. agrees: (N,), whether a corner moved as most. shift: (2,) px of the image's middle, and
    growth: the logarithm, of a similarity that fits most. guess: (C,2) px, where all the key's corners are expected next.
    """

    reference: FloatArray
    found: FloatArray
    agrees: BoolArray
    shift: FloatArray
    growth: float
    guess: FloatArray


def sift_features(grey: ImageArray, is_free: ImageArray) -> tuple[FloatArray, AnyArray]:
    """SIFT keypoints (N,2) px outside people, and their descriptors (N,128)."""
    keypoints, descriptors = cv2.SIFT.create(400).detectAndCompute(grey, is_free)
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 2)
    return points, np.zeros((0, 128), np.float32) if descriptors is None else descriptors


def find_corners(grey: ImageArray, is_free: ImageArray, carried: FloatArray = NO_CORNERS) -> FloatArray:
    """Corners (N,2) px float32 of the background: those carried on from an earlier key frame, then others from all over the picture.

    A corner that is carried on stays one point of the scene over several key frames, which ties them together. The strongest corners of a
    picture are often in one part of it, far away or before the sky; a camera's path needs what is near too, and the floor.
    """
    kept = _spread(carried[_strength(grey, carried) > MIN_STRENGTH])[:MAX_CARRIED]
    is_open = is_free.copy()
    for column, row in kept.round().astype(int):
        cv2.circle(is_open, (int(column), int(row)), CORNER_DISTANCE, 0, -1)
    corners = cv2.goodFeaturesToTrack(grey, 0, MIN_QUALITY, CORNER_DISTANCE, mask=is_open)
    new = NO_CORNERS if corners is None else np.asarray(corners[:, 0], np.float32)
    new = _from_all_parts(new[_strength(grey, new) > MIN_STRENGTH], grey.shape)
    return np.concatenate([kept, new[: MAX_CORNERS - len(kept)]])


def _from_all_parts(corners: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Corners (N,2) px, the strongest first, in another order: the strongest of each part of the picture, the second of each, and so on."""
    column, row = (corners * PARTS / max(shape[:2])).astype(int).T
    part = row * PARTS + column
    order = np.argsort(part, kind="stable")
    rank = np.empty(len(corners), int)
    rank[order] = np.arange(len(corners)) - np.searchsorted(part[order], part[order])
    return corners[np.argsort(rank, kind="stable")]


def _strength(grey: ImageArray, corners: FloatArray) -> FloatArray:
    """The smaller eigenvalue of the gradients at corners (N,2) px, (N,)."""
    if not len(corners):
        return np.zeros(0)
    column, row = np.clip(corners.astype(int), 0, [grey.shape[1] - 1, grey.shape[0] - 1]).T
    return np.asarray(cv2.cornerMinEigenVal(grey, 3))[row, column]


def _spread(corners: FloatArray) -> FloatArray:
    """Corners (N,2) px without those that came close to one before them; float32."""
    kept: list[FloatArray] = []
    for corner in corners:
        if all(np.abs(corner - other).max() >= CORNER_DISTANCE / 2 for other in kept):
            kept.append(corner)
    return np.array(kept, np.float32).reshape(-1, 2)


def follow(key: KeyFrame, grey: ImageArray, is_free: ImageArray, guess: FloatArray) -> Following | None:
    """Find a key frame's corners in another frame by optical flow from a guess (C,2) px; None if its background is not there.

    Source: Kalal et al. 2010, "Forward-backward error: automatic detection of tracking failures".
    """
    if len(key.corners) < MIN_CORNERS:
        return None
    start = guess.astype(np.float32)[:, None]
    picture, corners = _as_large_as_now(key, guess)
    found, status, error = cv2.calcOpticalFlowPyrLK(
        picture, grey, corners[:, None], start.copy(), winSize=FLOW_WINDOW, maxLevel=3, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    back, is_back, _error = cv2.calcOpticalFlowPyrLK(
        grey, picture, found, found + corners[:, None] - start, winSize=FLOW_WINDOW, maxLevel=3, flags=cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    returns = (is_back[:, 0] > 0) & (np.linalg.norm(back[:, 0] - corners, axis=1) < MAX_RETURN)
    points = found[:, 0]
    height, width = grey.shape
    column, row = np.clip(np.nan_to_num(points).round().astype(int), 0, [width - 1, height - 1]).T
    is_tracked = returns & (status[:, 0] > 0) & (error[:, 0] < MAX_PATCH_ERROR) & (is_free[row, column] > 0)
    if is_tracked.sum() < max(MIN_CORNERS, 0.15 * len(key.corners)):
        return None
    return agree(key.corners[is_tracked], points[is_tracked], key.corners, grey.shape)


def _as_large_as_now(key: KeyFrame, guess: FloatArray) -> tuple[ImageArray, FloatArray]:
    """The key frame's picture, and its corners (C,2) px there, grown and turned about its middle as the corners' guess (C,2) px has.

    Optical flow looks for patches that only move: of a view that grows, or rolls, it would be off by some tenths of a pixel.
    """
    before, after = (points[:, 0] + 1j * points[:, 1] for points in (key.corners.astype(float), guess.astype(float)))
    before, after = before - before.mean(), after - after.mean()
    change = (np.conj(before) * after).sum() / max(float((np.abs(before) ** 2).sum()), 1e-9)
    if abs(np.log(max(abs(change), 1e-3))) < WARP_GROWTH and abs(np.angle(change)) < WARP_TURN:
        return key.grey, key.corners
    middle = np.array(key.grey.shape[::-1]) / 2
    matrix = np.array([[change.real, -change.imag], [change.imag, change.real]])
    warp = np.column_stack([matrix, middle - matrix @ middle])
    picture = cv2.warpAffine(key.grey, warp, key.grey.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(picture, np.uint8), np.asarray(key.corners @ matrix.T + warp[:, 2], np.float32)


def agree(reference: FloatArray, found: FloatArray, corners: FloatArray, shape: tuple[int, ...]) -> Following | None:
    """Which matches (N,2) and (N,2) px move as most do; None if too few do. corners: (C,2) px, those to guess for."""
    matrix, inliers = cv2.estimateAffinePartial2D(reference, found, ransacReprojThreshold=AGREEMENT, maxIters=500)
    if matrix is None:
        return None
    agrees = inliers[:, 0] > 0
    centre = np.array(shape[1::-1]) / 2
    shift = matrix[:, :2] @ centre + matrix[:, 2] - centre
    is_wide = np.linalg.norm(shift) > WIDE_SHIFT or agrees.mean() < 0.7
    if is_wide and len(reference) >= 2 * MIN_CORNERS:
        homography, inliers = cv2.findHomography(reference, found, cv2.USAC_MAGSAC, 2 * AGREEMENT, maxIters=1000)
        if homography is not None and inliers.sum() >= agrees.sum():
            agrees = inliers[:, 0] > 0
            refined, _inliers = cv2.estimateAffinePartial2D(reference[agrees], found[agrees], ransacReprojThreshold=10 * AGREEMENT)
            matrix = matrix if refined is None else refined
            shift = matrix[:, :2] @ centre + matrix[:, 2] - centre
    if agrees.sum() < max(MIN_CORNERS, MIN_AGREEING * len(agrees)):
        return None
    growth = 0.5 * float(np.log(max(np.linalg.det(matrix[:, :2]), 1e-6)))
    guess = corners @ matrix[:, :2].T + matrix[:, 2]
    return Following(reference, found, agrees, shift, growth, guess)


def recognise(key: KeyFrame, features: tuple[FloatArray, AnyArray], shape: tuple[int, ...]) -> Following | None:
    """Match a key frame and a frame's SIFT features without a guess of how the view moved; None if they do not show one place."""
    (there, descriptors_there), (here, descriptors_here) = key.features, features
    if min(len(there), len(here)) < LINK_AGREEING:
        return None
    pairs = [two for two in cv2.BFMatcher().knnMatch(descriptors_there, descriptors_here, k=2) if len(two) == 2]
    kept = [(best.queryIdx, best.trainIdx) for best, second in pairs if best.distance < LINK_RATIO * second.distance]
    if len(kept) < LINK_AGREEING:
        return None
    first, second = np.array(kept).T
    found = agree(there[first], here[second], key.corners, shape)
    return found if found is not None and found.agrees.sum() >= LINK_AGREEING else None
