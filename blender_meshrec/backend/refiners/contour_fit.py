"""The shape whose outline is the seen one: betas by Gauss-Newton on the distances between outlines.

Holes, things held and people who touch are outliers: the farther the seen outline is from the body's, and the less the two
run alike, the less it counts; and every silhouette counts as a few measurements only, for its pixels err together. Where
the body stands and how large it appears is free, a little, in every silhouette, so that what is misplaced is not taken for
girth.

Source: the idea of fitting parameters to a contour by signed distances is old; weighting, freedoms and constants are ours.
"""

import cv2
import numpy as np
import torch

from ...bodies.silhouette_rendering import rasterise

NUM_ITERATIONS = 4
# The rim: points this near the body's own outline, px, stand for it.
RIM_WIDTH = 1.6
# An outline is off by about so much for no reason of shape (clothes, the segmentation, limbs in slightly wrong places), px of
# 96; from MAX_OUTLINE_OFFSET on it is something else's.
OUTLINE_SIGMA, MAX_OUTLINE_OFFSET = 1.5, 5.0
# How many independent measurements a silhouette is worth.
EFFECTIVE_MEASUREMENTS = 12.0
# How far, px, and by what share of its size, a body may appear elsewhere than it does.
SHIFT_SIGMA, SCALE_SIGMA = 1.5, 0.02
# Cosine between the outlines' normals below which they are not of one thing.
MIN_NORMAL_COSINE = 0.5


def fit_contours(surface, crops, trust, betas, rotmats, transl, prior):
    """The betas (B,) that silhouettes and a prior together make likeliest.

    Args:
        surface: SurfacePoints. crops: SilhouetteCrops, of S silhouettes. trust: (S,) 0..1. betas: (B,), where to start. rotmats: (S,J,3,3).
        transl: (S,3) m. prior: (mean (B,), precision (B,B)), Gaussian.
    """
    masks, inside = crops.silhouettes.numpy(), crops.inside.numpy()
    goals = [signed_distance(mask) for mask in masks]
    # Where the picture ends no outline shows.
    usable = [cv2.erode(np.pad(part, 1, constant_values=True).astype(np.uint8), np.ones((5, 5)))[1:-1, 1:-1] > 0 for part in inside]
    betas = np.asarray(betas, float)
    mean, precision = prior
    for _ in range(NUM_ITERATIONS):
        repeated = torch.as_tensor(betas, dtype=torch.float32).expand(len(masks), -1)
        points, _joints = surface.pose(repeated, rotmats, transl)
        own, _nearness = rasterise(points, crops.windows, masks.shape[-1])
        matrix, right = precision.copy(), precision @ (mean - betas)
        for row in np.flatnonzero(trust > 0):
            rows, off, weight = _outline_equations(
                surface, points[row], crops.windows[row], rotmats[row], own[row].numpy(), goals[row], usable[row]
            )
            if len(off):
                _add_normal_equations(matrix, right, rows, off, trust[row] * weight)
        betas = betas + np.linalg.solve(matrix, right)
    return betas


def signed_distance(mask):
    """Distance (S,S) px of each pixel's middle from a mask's outline, positive inside."""
    mask = mask.astype(np.uint8)
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (mask, 1 - mask))
    return np.where(mask, inside - 0.5, 0.5 - outside)


def _outline_equations(surface, points, window, rotmats, own, goal, usable):
    """Rows (P, B+3), how the body's outline moves outwards with betas, shift and size; off (P,), how far it should; weights (P,)."""
    side = len(own)
    pixels = ((points[:, :2] / points[:, 2:] - window[:2]) / window[2:] * side).numpy()
    place = np.floor(pixels).astype(int)
    within = ((place >= 0) & (place < side)).all(1)
    place = np.clip(place, 0, side - 1)
    at = place[:, 1], place[:, 0]
    distance = signed_distance(own)
    chosen = np.flatnonzero(within & own[at] & (distance[at] < RIM_WIDTH) & usable[at])
    at = place[chosen, 1], place[chosen, 0]
    normals, others = (_outward_normals(field, at) for field in (distance, goal))
    off = goal[at] - distance[at]
    # Tukey's weight, and the same thing's outline runs the same way.
    weight = np.clip(1 - (off / MAX_OUTLINE_OFFSET) ** 2, 0, 1) ** 2 * ((normals * others).sum(-1) > MIN_NORMAL_COSINE)
    good = weight > 0
    chosen, normals, off, weight = chosen[good], normals[good], off[good], weight[good]
    if not len(chosen):
        return np.zeros((0, 0)), off, weight
    slopes = surface.shape_jacobian(rotmats, torch.as_tensor(chosen)).numpy()
    x, y, z = points[chosen].numpy().T
    outward = normals * (side / window[2:].numpy())
    along = outward[:, 0] / z, outward[:, 1] / z, -(outward[:, 0] * x + outward[:, 1] * y) / z**2
    moved = sum(part[:, None] * slopes[:, axis] for axis, part in enumerate(along))
    about = pixels[chosen] - pixels.mean(0)
    size = (normals * about).sum(-1, keepdims=True)
    rows = np.concatenate([moved, normals * SHIFT_SIGMA, size * SCALE_SIGMA], 1)
    # Smoothly towards nothing where few of the points find an outline to match.
    return rows, off, weight * EFFECTIVE_MEASUREMENTS / (len(good) * OUTLINE_SIGMA**2)


def _outward_normals(distance, at):
    """Unit normals (P,2), x and y, out of a mask whose signed distance is given, at pixels."""
    smooth = cv2.GaussianBlur(distance.astype(np.float32), (0, 0), 1.0)
    down, right = np.gradient(smooth)
    normals = -np.stack([right[at], down[at]], -1)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-6)


def _add_normal_equations(matrix, right, rows, off, weight):
    """Add one silhouette's normal equations, its own shift and size eliminated (their prior is of unit variance)."""
    betas = matrix.shape[0]
    weighted = rows * weight[:, None]
    full, side = rows.T @ weighted, weighted.T @ off
    own = full[betas:, betas:] + np.eye(rows.shape[1] - betas)
    across = np.linalg.solve(own, full[betas:, :betas])
    matrix += full[:betas, :betas] - full[:betas, betas:] @ across
    right += side[:betas] - across.T @ side[betas:]
