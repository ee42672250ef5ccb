"""Residuals of the image and of the lifter: where a body's markers are seen, and which way its bones point."""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.rotations import skew_matrix
from . import weights
from .body_points import BONE_ROWS, PosedPoints
from .equations import LEAN, LENS, PATH, Equations
from .residuals import World, geman_mcclure


@dataclass(frozen=True)
class Reprojection:
    """Points on the lines of sight of their keypoints.

    rows: (K,). rays: (F,K,2), x/z and y/z. weights: (F,K). sigma: (K,) or (F,K), as a ray. Errors are measured across the line of sight at
    `distance` (F,) m, which does not change, so that no body shrinks or comes nearer to be less wrong. centres: (F,3) m, of the camera,
    or None if it stays at the origin.
    """

    rows: IntArray
    rays: FloatArray
    weights: FloatArray
    sigma: FloatArray
    centres: FloatArray | None = None

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        centres = None if self.centres is None else np.exp(world.growth) * self.centres[:, None]
        seen = points.rows[:, self.rows] - (0.0 if centres is None else centres)
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
            by_world, columns = (seen_rays / self.sigma[..., None])[..., None], LENS
            if centres is not None:
                by_path = -(jacobian @ centres[..., None])
                by_world, columns = np.concatenate([by_world, by_path], -1), slice(LENS.start, PATH.stop)
            equations.world[:, self.rows, :, columns] += np.einsum("fkra,fkrw->fkaw", weighted, by_world)
            equations.world_gradient[columns] += np.einsum("fk,fkrw,fkr->w", weight, by_world, residual)
            equations.world_within[columns, columns] += np.einsum("fk,fkrv,fkrw->vw", weight, by_world, by_world)
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class LiftedBones:
    """Bones between markers as long as at the start and in the direction of the lifted ones, which all lean alike.

    vectors: (F,16,3) m. precision: (F,16,3,3) m^-2, the inverse covariance of their errors, times the frame's weight.
    """

    vectors: FloatArray
    precision: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = points.rows[:, BONE_ROWS] - self.vectors - np.cross(world.lean, self.vectors)
        weighted = (self.precision @ residual[..., None])[..., 0]
        if equations is not None:
            equations.gradient[:, BONE_ROWS] += weighted
            equations.within[:, BONE_ROWS] += self.precision
            lean = skew_matrix(self.vectors)  # d(-lean x v) = v x d(lean)
            weighted_lean = self.precision @ lean
            equations.world[:, BONE_ROWS, :, LEAN] += weighted_lean
            equations.world_gradient[LEAN] += np.einsum("fkra,fkr->a", lean, weighted)
            equations.world_within[LEAN, LEAN] += np.einsum("fkra,fkrb->ab", lean, weighted_lean)
        return float((weighted * residual).sum())
