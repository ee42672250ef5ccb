"""What a segmentation makes of a silhouette: ragged and lost edges, holes, things held, people touching, the picture's end.

B silhouettes of S pixels a side.
"""

import cv2
import numpy as np

CLEAN_SHARE = 0.1  # share of silhouettes that stay as they are
CROPPED_SHARE, OCCLUDED_SHARE, HOLES_SHARE, HELD_OBJECT_SHARE, NEIGHBOUR_SHARE, LOST_SHARE = 0.22, 0.12, 0.25, 0.25, 0.2, 0.02


def corrupt_masks(rng, silhouettes, hands, cut=CROPPED_SHARE):
    """Silhouettes (B,S,S) uint8 as a segmentation might show them, and which pixels lie in the picture; both (B,S,S) bool.

    hands: (B,2,2) px, where things may be held. cut: share that the picture's end cuts off.
    """
    count, _side = silhouettes.shape[:2]
    seen, inside = np.empty(silhouettes.shape, bool), np.ones(silhouettes.shape, bool)
    clean = rng.random(count) < CLEAN_SHARE
    for row, silhouette in enumerate(silhouettes):
        if rng.random() < cut:
            _crop_image(rng, inside[row], silhouette)
        if clean[row]:
            seen[row] = (silhouette > 0) & inside[row]
            continue
        mask = silhouette.copy()
        if rng.random() < OCCLUDED_SHARE:
            _add_occluder(rng, mask)
        if rng.random() < HELD_OBJECT_SHARE:
            _add_held_object(rng, mask, hands[row])
        if rng.random() < NEIGHBOUR_SHARE:
            mask |= _shifted_neighbour(rng, silhouettes[(row + 1 + rng.integers(count - 1)) % count] if count > 1 else silhouette)
        if rng.random() < HOLES_SHARE:
            _cut_holes(rng, mask)
        if rng.random() < LOST_SHARE:
            mask[:] = 0
        seen[row] = roughen_edge(rng, mask) & inside[row]
    return seen, inside


def roughen_edge(rng, mask):
    """A mask (S,S) uint8 with an uncertain edge: smoothed, and moved in and out by a slow random field."""
    side = len(mask)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(0.4, 1.4))
    grain = int(rng.integers(6, 24))
    field = cv2.resize(rng.normal(0, 1, (grain, grain)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    # Clothes and hair: more often outside the body than inside.
    return soft > 0.5 + rng.normal(-0.04, 0.1) + rng.uniform(0, 0.12) * field


def _crop_image(rng, inside, silhouette):
    """The picture ends at one or two sides; something of the person stays."""
    rows, columns = np.nonzero(silhouette)
    if not len(rows):
        return
    for _ in range(1 if rng.random() < 0.8 else 2):
        way, share = rng.integers(4), rng.uniform(0.05, 0.5)
        if way == 0:
            inside[int(rows.max() - share * np.ptp(rows)) + 1 :] = False
        elif way == 1:
            inside[: int(rows.min() + 0.4 * share * np.ptp(rows))] = False
        elif way == 2:
            inside[:, int(columns.max() - share * np.ptp(columns)) + 1 :] = False
        else:
            inside[:, : int(columns.min() + share * np.ptp(columns))] = False


def _add_occluder(rng, mask):
    """Furniture or a post in front of the person."""
    side = len(mask)
    centre, size = rng.uniform(0.2, 0.8, 2) * side, rng.uniform(0.08, 0.45, 2) * side
    box = cv2.boxPoints((tuple(centre), tuple(size), float(rng.uniform(-20, 20))))
    cv2.fillConvexPoly(mask, np.round(box).astype(np.int32), 0)


def _add_held_object(rng, mask, hands):
    """A ball, bag or stick at a hand."""
    side = len(mask)
    x, y = hands[rng.integers(2)]
    if not (0 <= x < side and 0 <= y < side):
        return
    if rng.random() < 0.5:
        axes = tuple(int(a) for a in rng.integers(2, max(3, side // 9), 2))
        cv2.ellipse(mask, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        angle, length = rng.uniform(0, np.pi), rng.uniform(0.1, 0.5, 2) * side
        step = np.array([np.cos(angle), np.sin(angle)])
        start, end = np.array([x, y]) - length[0] * step, np.array([x, y]) + length[1] * step
        cv2.line(mask, tuple(map(int, start)), tuple(map(int, end)), 1, int(rng.integers(1, 4)))


def _shifted_neighbour(rng, other):
    """Somebody else (S,S), moved aside so that they touch or overlap a little, larger or smaller."""
    side = len(other)
    scale = rng.uniform(0.7, 1.3)
    move = np.array([rng.choice([-1, 1]) * rng.uniform(0.2, 0.6), rng.normal(0, 0.15)]) * side
    middle = side / 2
    matrix = np.array([[scale, 0, middle + move[0] - scale * middle], [0, scale, middle + move[1] - scale * middle]])
    return cv2.warpAffine(other, matrix, (side, side), flags=cv2.INTER_NEAREST)


def _cut_holes(rng, mask):
    rows, columns = np.nonzero(mask)
    for _ in range(rng.integers(1, 4)):
        if len(rows):
            at = rng.integers(len(rows))
            axes = tuple(int(a) for a in rng.integers(1, max(2, len(mask) // 12), 2))
            cv2.ellipse(mask, (int(columns[at]), int(rows[at])), axes, float(rng.uniform(0, 180)), 0, 360, 0, -1)
