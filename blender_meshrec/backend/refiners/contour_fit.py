"""Fit betas to silhouettes: Gauss-Newton on the distances between the body's outlines and the observed ones.

Holes, held objects and people who touch are outliers: the farther the observed outline is from the body's, and the less their
directions agree, the less it weighs; and every silhouette weighs as a few measurements only, for its pixels' errors are
correlated. Clothes make people wider: by how much trunk, arms and legs are, is an unknown of the clip beside the betas. The body's
position and size in the image are free, a little, in every silhouette, so that an offset is not explained by girth.

Source: fitting parameters to a contour by signed distances is an old idea; weighting, freedoms and constants are ours.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch

from ...bodies.silhouette_rendering import JointMotion, SurfacePoints, rasterise
from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.skeletons import SMPL_JOINTS
from ...methods.silhouette_refinement import SilhouetteCrops

NUM_ITERATIONS = 4
# Surface points within this distance of the body's own outline represent it, px.
RIM_WIDTH = 1.6
# Standard deviation of an outline for reasons other than shape (clothes, the segmentation, limbs slightly off), px of 96; from
# MAX_OUTLINE_OFFSET on it is another object's.
OUTLINE_SIGMA, MAX_OUTLINE_OFFSET = 1.5, 5.0
# The number of independent measurements that a silhouette is worth.
EFFECTIVE_MEASUREMENTS = 12.0
# Standard deviations of a body's offset in its crop, px, and of its relative size.
SHIFT_SIGMA, SCALE_SIGMA = 1.5, 0.02
# Cosine between the outlines' normals below which they belong to different objects.
MIN_NORMAL_COSINE = 0.5
# What clothes add to the body's outline, m: mean and standard deviation, of each part alike in all silhouettes of a clip, since they
# are the same clothes; and the joints (SMPL's names, without their sides) whose skin the parts are. Head, hands and feet add nothing.
CLOTHES_MEAN, CLOTHES_SIGMA = 0.01, 0.015
CLOTHED_PARTS = (("pelvis", "spine1", "spine2", "spine3", "collar"), ("hip", "knee"), ("shoulder", "elbow"))
# The crop's outer pixels, px, in which no outline shows.
EDGE_WIDTH = 2


class GaussianPrior(NamedTuple):
    """A Gaussian distribution of betas: mean (B,), precision (B,B)."""

    mean: FloatArray
    precision: FloatArray


class OutlineEquations(NamedTuple):
    """Linear equations of one silhouette's P outline points.

    jacobian: (P,B+C+3) px, outward motion of the outline by betas, by the clothes of C parts, m, by offset and by size, the latter three
    in their standard deviations. offsets: (P,) px, by how much it should move outwards. weights: (P,).
    """

    jacobian: FloatArray
    offsets: FloatArray
    weights: FloatArray


class ObservedOutline(NamedTuple):
    """An observed silhouette: signed distance (S,S) px, outward normals (S,S,2), and the pixels (S,S) in which an outline can show."""

    distance: FloatArray
    normals: FloatArray
    usable: BoolArray


class OutlineMatches(NamedTuple):
    """Surface points (P,) on the body's outline with an observed outline near them.

    normals: (P,2), outward, x and y. offsets: (P,) px to the observed outline, positive outwards. weights: (P,) 0..1.
    num_candidates: outline points, whether matched or not.
    """

    points: IntArray
    normals: FloatArray
    offsets: FloatArray
    weights: FloatArray
    num_candidates: int


def fit_contours(
    surface: SurfacePoints,
    crops: SilhouetteCrops,
    trust: FloatArray,
    betas: FloatArray,
    rotmats: torch.Tensor,
    transl: torch.Tensor,
    prior: GaussianPrior,
) -> FloatArray:
    """The betas (B,) of maximum posterior probability under S silhouettes and a prior.

    Args:
        trust: (S,) 0..1. betas: (B,), the first guess. rotmats: (S,J,3,3), local. transl: (S,3) m.
    """
    masks = crops.silhouettes.numpy()
    observed = [observe_outline(mask, _away_from_edges(inside)) for mask, inside in zip(masks, crops.inside.numpy(), strict=True)]
    clothed, motions = clothed_parts(surface), surface.joint_motion(rotmats)
    betas, clothes = np.asarray(betas, float), np.full(len(CLOTHED_PARTS), CLOTHES_MEAN)
    for _ in range(NUM_ITERATIONS):
        repeated = torch.as_tensor(betas, dtype=torch.float32).expand(len(masks), -1)
        points, _joints = surface.pose(repeated, rotmats, transl)
        rendered, _nearness = rasterise(points, crops.windows, masks.shape[-1])
        matrix = np.zeros((len(betas) + len(clothes),) * 2)
        matrix[: len(betas), : len(betas)] = prior.precision
        np.fill_diagonal(matrix[len(betas) :, len(betas) :], 1 / CLOTHES_SIGMA**2)
        right = np.concatenate([prior.precision @ (prior.mean - betas), np.full(len(clothes), CLOTHES_MEAN / CLOTHES_SIGMA**2)])
        for row in np.flatnonzero(trust > 0):
            equations = outline_equations(
                surface, clothed, points[row], crops.windows[row], motions[row], rendered[row].numpy(), observed[row]
            )
            if len(equations.offsets):
                _add_normal_equations(matrix, right, equations, trust[row])
        step = np.linalg.solve(matrix, right)
        betas, clothes = betas + step[: len(betas)], step[len(betas) :]
    return betas


def clothed_parts(surface: SurfacePoints) -> FloatArray:
    """(N,C) 0 or 1, which of CLOTHED_PARTS each of the surface's points is on."""
    joint = surface.lbs_weights[:, surface.smpl_joint_indices].argmax(1).numpy()
    names = np.array([name.removeprefix("left_").removeprefix("right_") for name in SMPL_JOINTS])[joint]
    return np.stack([np.isin(names, part) for part in CLOTHED_PARTS], 1).astype(float)


def signed_distance(mask: BoolArray) -> FloatArray:
    """Distance (S,S) px of each pixel's centre from a mask's outline, positive inside."""
    image = mask.astype(np.uint8)
    inside, outside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (image, 1 - image))
    return np.where(image, inside - 0.5, 0.5 - outside)


def observe_outline(mask: BoolArray, usable: BoolArray) -> ObservedOutline:
    """The outline of an observed silhouette (S,S); usable: (S,S), as of ObservedOutline."""
    distance = signed_distance(mask)
    return ObservedOutline(distance, outward_normals(distance), usable)


def outline_equations(
    surface: SurfacePoints,
    clothed: FloatArray,
    points: torch.Tensor,
    window: torch.Tensor,
    motion: JointMotion,
    rendered: BoolArray,
    observed: ObservedOutline,
) -> OutlineEquations:
    """The equations of one silhouette.

    Args:
        clothed: (N,C), of `clothed_parts`. points: (N,3) m, posed. window: (4,) of the crop. motion: the body's joints'.
        rendered: (S,S), the body's silhouette.
    """
    side = len(rendered)
    pixels = ((points[:, :2] / points[:, 2:] - window[:2]) / window[2:] * side).numpy()
    matches = _match_outlines(pixels, rendered, observed)
    if not len(matches.points):
        return OutlineEquations(np.zeros((0, 0)), matches.offsets, matches.weights)
    chosen, normals = matches.points, matches.normals
    derivatives = surface.shape_jacobian(motion, torch.as_tensor(chosen)).numpy()
    x, y, z = points[chosen].numpy().T
    per_ray = normals * (side / window[2:].numpy())
    per_metre = per_ray[:, 0] / z, per_ray[:, 1] / z, -(per_ray[:, 0] * x + per_ray[:, 1] * y) / z**2
    by_betas = np.zeros_like(derivatives[:, 0])
    for axis, factor in enumerate(per_metre):
        by_betas += factor[:, None] * derivatives[:, axis]
    by_clothes = clothed[chosen] * np.linalg.norm(per_metre[:2], axis=0)[:, None]
    by_size = (normals * (pixels[chosen] - pixels.mean(0))).sum(-1, keepdims=True)
    jacobian = np.concatenate([by_betas, by_clothes, normals * SHIFT_SIGMA, by_size * SCALE_SIGMA], 1)
    # Divided by the candidates, so that a silhouette fades out where few points find an outline to match.
    weights = matches.weights * EFFECTIVE_MEASUREMENTS / (matches.num_candidates * OUTLINE_SIGMA**2)
    return OutlineEquations(jacobian, matches.offsets, weights)


def _match_outlines(pixels: FloatArray, rendered: BoolArray, observed: ObservedOutline) -> OutlineMatches:
    """Match surface points at pixels (N,2) on the body's outline with the observed outline."""
    side = len(rendered)
    cells = np.floor(pixels).astype(int)
    is_within = ((cells >= 0) & (cells < side)).all(1)
    columns, rows = np.clip(cells, 0, side - 1).T
    distance = signed_distance(rendered)
    is_on_rim = is_within & rendered[rows, columns] & (distance[rows, columns] < RIM_WIDTH) & observed.usable[rows, columns]
    points = np.flatnonzero(is_on_rim)
    rows, columns = rows[points], columns[points]
    normals, observed_normals = outward_normals(distance)[rows, columns], observed.normals[rows, columns]
    offsets = observed.distance[rows, columns] - distance[rows, columns]
    # Tukey's weight, for outlines that run the same way.
    weights = np.clip(1 - (offsets / MAX_OUTLINE_OFFSET) ** 2, 0, 1) ** 2 * ((normals * observed_normals).sum(-1) > MIN_NORMAL_COSINE)
    matched = weights > 0
    return OutlineMatches(points[matched], normals[matched], offsets[matched], weights[matched], len(points))


def _away_from_edges(inside: BoolArray) -> BoolArray:
    """The pixels (S,S) that are not near the image's edge, in crops whose pixels `inside` (S,S) are in the image."""
    padded = np.pad(inside, 1, constant_values=True).astype(np.uint8)
    kernel = np.ones((2 * EDGE_WIDTH + 1, 2 * EDGE_WIDTH + 1))
    return cv2.erode(padded, kernel)[1:-1, 1:-1] > 0


def outward_normals(distance: FloatArray) -> FloatArray:
    """Unit normals (S,S,2), x and y, out of a mask with a signed distance (S,S)."""
    smooth = cv2.GaussianBlur(distance.astype(np.float32), (0, 0), 1.0)
    down, right = np.gradient(smooth)
    return -np.stack([right, down], -1) / np.maximum(np.hypot(right, down), 1e-6)[..., None]


def _add_normal_equations(matrix: FloatArray, right: FloatArray, equations: OutlineEquations, trust: float) -> None:
    """Add one silhouette's normal equations to matrix (B+C,B+C) and right (B+C,), its offset and size eliminated (unit variance)."""
    jacobian, num_shared = equations.jacobian, matrix.shape[0]
    weighted = jacobian * (trust * equations.weights)[:, None]
    full, side = jacobian.T @ weighted, weighted.T @ equations.offsets
    nuisance = full[num_shared:, num_shared:] + np.eye(jacobian.shape[1] - num_shared)
    eliminated = np.linalg.solve(nuisance, full[num_shared:, :num_shared])
    matrix += full[:num_shared, :num_shared] - full[:num_shared, num_shared:] @ eliminated
    right += side[:num_shared] - eliminated.T @ side[num_shared:]
