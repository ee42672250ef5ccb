"""Residuals of the image and of the lifter: where a body's markers are seen, and which way its bones point."""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.rotations import skew_matrix
from . import weights
from .body_points import BONE_ROWS, PosedPoints
from .equations import LEAN, LENS, Equations
from .residuals import World, geman_mcclure


@dataclass(frozen=True)
class Reprojection:
    """Points on the lines of sight of their keypoints.

    rows: (K,). rays: (F,K,2), x/z and y/z. weights: (F,K). sigma: (K,) or (F,K), as a ray. Errors are measured across the line of sight at
    `distance` (F,) m, which does not change, so that no body shrinks or comes nearer to be less wrong.
    """

    rows: IntArray
    rays: FloatArray
    weights: FloatArray
    sigma: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        seen = points.rows[:, self.rows]
        depth = np.maximum(seen[..., 2:], 0.1)
        scale = np.exp(world.zoom)
        seen_rays = scale * seen[..., :2] / depth
        residual = (seen_rays - self.rays) / self.sigma[..., None]
        squared = (residual**2).sum(-1)
        loss, weight = geman_mcclure(squared, weights.KEYPOINT_OUTLIER)
        loss = loss + weights.MIN_OUTLIER_WEIGHT * squared
        weight = self.weights * (weight + weights.MIN_OUTLIER_WEIGHT)
        if equations is not None:
            jacobian = np.zeros((*squared.shape, 2, 3))
            jacobian[..., 0, 0] = jacobian[..., 1, 1] = scale / (self.sigma * depth[..., 0])
            jacobian[..., 2] = -seen_rays / (depth * self.sigma[..., None])
            weighted = weight[..., None, None] * jacobian
            equations.gradient[:, self.rows] += np.einsum("fkra,fkr->fka", weighted, residual)
            equations.within[:, self.rows] += np.einsum("fkra,fkrb->fkab", weighted, jacobian)
            by_lens = seen_rays / self.sigma[..., None]
            equations.world[:, self.rows, :, LENS] += np.einsum("fkra,fkr->fka", weighted, by_lens)[..., None]
            equations.world_gradient[LENS] += (weight[..., None] * by_lens * residual).sum()
            equations.world_within[LENS, LENS] += (weight[..., None] * by_lens**2).sum()
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class LiftedBones:
    """Bones between markers as long as at the start and in the direction of the lifted ones, which all lean alike.

    vectors: (F,16,3) m. weights: (F,16).
    """

    vectors: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        target = self.vectors + np.cross(world.lean, self.vectors)
        residual = (points.rows[:, BONE_ROWS] - target) / weights.BONE_SIGMA
        if equations is not None:
            weight = self.weights[..., None] / weights.BONE_SIGMA
            equations.gradient[:, BONE_ROWS] += weight * residual
            equations.within[:, BONE_ROWS] += (weight / weights.BONE_SIGMA)[..., None] * np.eye(3)
            lean = skew_matrix(self.vectors) / weights.BONE_SIGMA  # d(-lean x v) = v x d(lean)
            equations.world[:, BONE_ROWS, :, LEAN] += weight[..., None] * lean
            equations.world_gradient[LEAN] += np.einsum("fk,fkra,fkr->a", self.weights, lean, residual)
            equations.world_within[LEAN, LEAN] += np.einsum("fk,fkra,fkrb->ab", self.weights, lean, lean)
        return float((self.weights * (residual**2).sum(-1)).sum())
