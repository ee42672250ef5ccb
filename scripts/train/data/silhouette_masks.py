"""Simulated segmentation errors of silhouettes: ragged edges, holes, held objects, occluders, touching people, and image borders.

B silhouettes of S pixels a side.
"""

import cv2
import numpy as np

from blender_meshrec.core.array_types import BoolArray, FloatArray, ImageArray

# Fractions of silhouettes with each kind of corruption; CLEAN_FRACTION stay unchanged, LOST_FRACTION are empty.
CLEAN_FRACTION = 0.1
CROPPED_FRACTION, OCCLUDED_FRACTION, HOLES_FRACTION, HELD_OBJECT_FRACTION, NEIGHBOUR_FRACTION, LOST_FRACTION = (
    0.22,
    0.12,
    0.25,
    0.25,
    0.2,
    0.02,
)


def corrupt_masks(
    rng: np.random.Generator, silhouettes: ImageArray, hands: FloatArray, cut: float = CROPPED_FRACTION
) -> tuple[BoolArray, BoolArray]:
    """Silhouettes (B,S,S) uint8 as masks of an imperfect segmentation, and the pixels inside the image; both (B,S,S) bool.

    hands: (B,2,2) px, positions of held objects. cut: the fraction of silhouettes that the image border cuts off.
    """
    count, _side = silhouettes.shape[:2]
    masks, inside = np.empty(silhouettes.shape, bool), np.ones(silhouettes.shape, bool)
    clean = rng.random(count) < CLEAN_FRACTION
    for row, silhouette in enumerate(silhouettes):
        if rng.random() < cut:
            _crop_image(rng, inside[row], silhouette)
        if clean[row]:
            masks[row] = (silhouette > 0) & inside[row]
            continue
        mask = silhouette.copy()
        if rng.random() < OCCLUDED_FRACTION:
            _add_occluder(rng, mask)
        if rng.random() < HELD_OBJECT_FRACTION:
            _add_held_object(rng, mask, hands[row])
        if rng.random() < NEIGHBOUR_FRACTION:
            mask |= _shifted_neighbour(rng, silhouettes[(row + 1 + rng.integers(count - 1)) % count] if count > 1 else silhouette)
        if rng.random() < HOLES_FRACTION:
            _cut_holes(rng, mask)
        if rng.random() < LOST_FRACTION:
            mask[:] = 0
        masks[row] = roughen_edge(rng, mask) & inside[row]
    return masks, inside


def roughen_edge(rng: np.random.Generator, mask: ImageArray) -> BoolArray:
    """A mask (S,S) uint8 with a ragged edge: smoothed, and moved in and out by a low-frequency random field."""
    side = len(mask)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.4, 1.4))
    grain = int(rng.integers(6, 24))
    field = cv2.resize(rng.normal(0, 1, (grain, grain)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    # On average outwards, because of clothes and hair.
    return soft > 0.5 + rng.normal(-0.04, 0.1) + rng.uniform(0, 0.12) * field


def _crop_image(rng: np.random.Generator, inside: BoolArray, silhouette: ImageArray) -> None:
    """Cut the image off at one or two sides, in place; a part of the person stays inside."""
    rows, columns = np.nonzero(silhouette)
    if not len(rows):
        return
    for _ in range(1 if rng.random() < 0.8 else 2):
        side, fraction = rng.integers(4), rng.uniform(0.05, 0.5)
        if side == 0:
            inside[int(rows.max() - fraction * np.ptp(rows)) + 1 :] = False
        elif side == 1:
            inside[: int(rows.min() + 0.4 * fraction * np.ptp(rows))] = False
        elif side == 2:
            inside[:, int(columns.max() - fraction * np.ptp(columns)) + 1 :] = False
        else:
            inside[:, : int(columns.min() + fraction * np.ptp(columns))] = False


def _add_occluder(rng: np.random.Generator, mask: ImageArray) -> None:
    """Erase a box, as furniture or a post in front of the person."""
    side = len(mask)
    centre, size = rng.uniform(0.2, 0.8, 2) * side, rng.uniform(0.08, 0.45, 2) * side
    box = cv2.boxPoints((tuple(centre), tuple(size), float(rng.uniform(-20, 20))))
    cv2.fillConvexPoly(mask, np.round(box).astype(np.int32), 0)


def _add_held_object(rng: np.random.Generator, mask: ImageArray, hands: FloatArray) -> None:
    """Add a ball, bag or stick at one of the hands (2,2) px."""
    side = len(mask)
    x, y = hands[rng.integers(2)]
    if not (0 <= x < side and 0 <= y < side):
        return
    if rng.random() < 0.5:
        width, height = (int(a) for a in rng.integers(2, max(3, side // 9), 2))
        cv2.ellipse(mask, (int(x), int(y)), (width, height), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        angle, length = rng.uniform(0, np.pi), rng.uniform(0.1, 0.5, 2) * side
        step = np.array([np.cos(angle), np.sin(angle)])
        start, end = np.array([x, y]) - length[0] * step, np.array([x, y]) + length[1] * step
        cv2.line(mask, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1, int(rng.integers(1, 4)))


def _shifted_neighbour(rng: np.random.Generator, other: ImageArray) -> ImageArray:
    """The mask (S,S) of another person, shifted so that the two touch or overlap a little, and scaled."""
    side = len(other)
    scale = rng.uniform(0.7, 1.3)
    move = np.array([rng.choice([-1, 1]) * rng.uniform(0.2, 0.6), rng.normal(0, 0.15)]) * side
    middle = side / 2
    matrix = np.array([[scale, 0, middle + move[0] - scale * middle], [0, scale, middle + move[1] - scale * middle]])
    return np.asarray(cv2.warpAffine(other, matrix, (side, side), flags=cv2.INTER_NEAREST), np.uint8)


def _cut_holes(rng: np.random.Generator, mask: ImageArray) -> None:
    """Erase up to three ellipses inside the person."""
    rows, columns = np.nonzero(mask)
    for _ in range(rng.integers(1, 4)):
        if len(rows):
            at = rng.integers(len(rows))
            width, height = (int(a) for a in rng.integers(1, max(2, len(mask) // 12), 2))
            cv2.ellipse(mask, (int(columns[at]), int(rows[at])), (width, height), float(rng.uniform(0, 180)), 0, 360, 0, -1)
