"""What is drawn over the footage: score bars, logos, captions, a channel's clock, the rim of a helmet that carries the camera.

Corners of such graphics stay where they are in the picture while the scene moves behind them, and from one shot to the next. Left among
the background's they would make a camera that turns stand still, and hide cuts. Where the scene surely moves, and at cuts, the parts of
the picture are found whose corners stay all the same; their matches are taken out.
"""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from ...core.array_types import BoolArray, FloatArray, ImageArray, IntArray
from .key_frames import LINK_AGREEING, MIN_CORNERS, NO_CORNERS, Following, KeyFrame, agree
from .pair_models import sum_by_pair
from .tracks import CUT, BackgroundTracks

CELL = 12  # px of the small image, side of the squares in which graphics are looked for
STAYS = 0.35  # px of the small image: a corner of a graphic moves less, by noise of the compression
MOVES = 2.0  # the same: a corner that moves with the scene moves more, where the scene is said to move
FITS = 1.5  # px of the small image: of a corner and the motion of the scene
MIN_MOVING, MIN_FITTING = 12, 0.7  # corners that move, and the share of them that moves as one
LENGTH, BREADTH = 160.0, 60.0  # px of the small image, over which these are spread
MIN_STAYING = 3  # matches that tell a part of a graphic
ALWAYS = 0.9  # share of a part's corners that stay, from which it is a graphic's
MAX_LEFT = 0.2  # share of the scene's corners that may stay while it moves, else the camera stands still and something large goes by
SHAPE = (180, 320)  # of a small image; only where its middle moves depends on it, which is not asked for
MAX_COVERED = 0.5  # share of a key frame's corners near which something is found, above which it is the scene
MIN_PAIRS, MAX_PAIRS = 6, 120  # pairs of frames between which the scene moves


def without_graphics(tracks: BackgroundTracks) -> BackgroundTracks:
    """The matches of the scene alone; where graphics were taken out, those agree that move as most of the rest do."""
    is_graphic = graphic_matches(tracks)
    if not is_graphic.any():
        return tracks
    agrees = tracks.agrees & ~is_graphic
    keeps = np.ones(len(tracks.pairs), bool)
    shot = np.cumsum(tracks.links == CUT)
    enough = np.where(np.diff(shot[tracks.pairs])[:, 0] > 0, LINK_AGREEING, MIN_CORNERS)
    for pair in np.unique(tracks.pair_of[is_graphic]):
        rows = np.arange(tracks.starts[pair], tracks.starts[pair + 1])
        rows = rows[~is_graphic[rows]]
        before, after = (np.array(part / tracks.pixel, np.float32) for part in np.hsplit(tracks.points[rows], 2))
        again = agree(before, after, NO_CORNERS, SHAPE) if len(rows) >= MIN_CORNERS else None
        agrees[rows] = False if again is None else again.agrees
        keeps[pair] = agrees[rows].sum() >= enough[pair]
    kept = keeps[tracks.pair_of] & ~is_graphic
    starts = np.concatenate([[0], np.cumsum(sum_by_pair(kept.astype(float), tracks.starts)[keeps])]).astype(int)
    return replace(tracks, pairs=tracks.pairs[keeps], starts=starts, points=tracks.points[kept], agrees=agrees[kept])


def graphic_matches(tracks: BackgroundTracks) -> BoolArray:
    """(M,): whether a match is one of what is drawn over the footage."""
    moved = np.linalg.norm(tracks.points[:, 2:] - tracks.points[:, :2], axis=1) / tracks.pixel
    stays = moved < STAYS
    stays_at_cut = stays & (tracks.links[tracks.pairs[:, 1]] == CUT)[tracks.pair_of]
    moving = list(_pairs_that_move(tracks, moved))
    drawn, compared = stays_at_cut.copy(), stays_at_cut.copy()  # what stays although it should not; and that with what moves beside it
    for rows, stays_in_front in moving:
        drawn[rows] |= stays_in_front
        compared[rows] |= stays_in_front | (moved[rows] > MOVES)
    parts, part_of = np.unique((tracks.points[:, 2:] / (tracks.pixel * CELL)).astype(int), axis=0, return_inverse=True)
    at_cut, staying, seen = (np.bincount(part_of.ravel()[chosen], minlength=len(parts)) for chosen in (stays_at_cut, drawn, compared))
    is_part = ((staying >= MIN_STAYING) | (at_cut > 0)) & (staying >= ALWAYS * seen)
    is_graphic = stays & is_part[part_of.ravel()]
    left = [(drawn[rows] & ~is_graphic[rows]).sum() / max((compared[rows] & ~is_graphic[rows]).sum(), 1) for rows, _stays in moving]
    is_told = stays_at_cut.any() or (len(moving) >= MIN_PAIRS and np.median(left) <= MAX_LEFT)
    return is_graphic if is_told else np.zeros(len(moved), bool)


def _pairs_that_move(tracks: BackgroundTracks, moved: FloatArray) -> Iterator[tuple[IntArray, BoolArray]]:
    """The matches (N,) of each pair of frames between which the scene surely moves, and which of them stay all the same."""
    moving, staying = (sum_by_pair(chosen.astype(float), tracks.starts) for chosen in (moved > MOVES, moved < STAYS))
    pairs = np.flatnonzero((moving >= MIN_MOVING) & (staying > 0))
    for pair in pairs[:: -(-len(pairs) // MAX_PAIRS) or 1]:
        rows = np.arange(tracks.starts[pair], tracks.starts[pair + 1])
        moves, stays = moved[rows] > MOVES, moved[rows] < STAYS
        before, after = tracks.points[rows, :2], tracks.points[rows, 2:]
        matrix, fits = cv2.estimateAffinePartial2D(before[moves], after[moves], ransacReprojThreshold=FITS * tracks.pixel, maxIters=300)
        if matrix is None or fits.mean() < MIN_FITTING:
            continue
        spread = np.ptp(after[moves][fits[:, 0] > 0], axis=0) / tracks.pixel
        if spread.max() < LENGTH or spread.min() < BREADTH:
            continue
        expected = np.linalg.norm(before @ matrix[:, :2].T + matrix[:, 2] - before, axis=1) / tracks.pixel
        yield rows, stays & (expected > MOVES)


def may_be_graphics(key: KeyFrame, followed: Following, is_free: ImageArray) -> bool:
    """Whether all that is seen of a key frame stays where it was in the picture, and is only some of what could be seen.

    is_free: (H,W) uint8, 0 on people now.
    """
    found = followed.found[followed.agrees]
    if np.quantile(np.linalg.norm(found - followed.reference[followed.agrees], axis=1), ALWAYS) > STAYS:
        return False
    column, row = np.clip(key.corners.round().astype(int), 0, np.array(is_free.shape[::-1]) - 1).T
    visible = key.corners[is_free[row, column] > 0]
    covered = np.linalg.norm(visible[:, None] - found, axis=-1).min(1) < CELL
    return bool(covered.sum() < MAX_COVERED * len(visible))
