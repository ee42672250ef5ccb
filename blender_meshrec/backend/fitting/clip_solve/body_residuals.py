"""Residuals of the body: its pose and shape are likely ones."""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray
from ....core.rotations import right_jacobian_inverse, rotvec_from_rotmat
from ....core.skeletons import SMPL_JOINTS
from . import weights
from .body_points import MOVING, OFFSET_COLUMNS, PosedPoints, Shape
from .equations import Equations
from .residuals import World, geman_mcclure

KNEES = [MOVING.index(SMPL_JOINTS.index(name)) for name in ("left_knee", "right_knee")]


@dataclass(frozen=True)
class PosePrior:
    """Rotations stay near the start's. rotmats: (F,K,3,3) of the moving joints. weights: (F,), or (F,K) for each joint."""

    rotmats: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        rotvec = rotvec_from_rotmat(np.swapaxes(self.rotmats, -1, -2) @ points.state.rotmats[:, list(MOVING)])
        precision = self.weights.reshape(len(self.weights), -1, 1) / pose_sigmas() ** 2
        if equations is not None:
            inverse = right_jacobian_inverse(rotvec)
            weighted = np.swapaxes(inverse, -1, -2) * precision[:, :, None, :]
            equations.turn_gradient += (weighted @ rotvec[..., None])[..., 0]
            equations.turns[0][...] += weighted @ inverse
        return float((precision * rotvec**2).sum())


def pose_sigmas() -> FloatArray:
    """Sigmas (K,3) rad of the moving joints."""
    sigmas = np.full((len(MOVING), 3), weights.POSE_SIGMA)
    for row, joint in enumerate(MOVING):
        name = SMPL_JOINTS[joint]
        sigmas[row] = weights.KNEE_SIGMAS if name.endswith("knee") else weights.POSE_SIGMAS.get(name, weights.POSE_SIGMA)
    return sigmas


@dataclass(frozen=True)
class StandingKnees:
    """Knees are nearly straight while their feet bear weight: people spare their muscles. weights: (F,2), left and right."""

    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        rotvec = rotvec_from_rotmat(points.state.rotmats[:, [MOVING[knee] for knee in KNEES]])
        residual = (rotvec[..., 0] - weights.STANDING_FLEXION) / weights.STANDING_SIGMA
        loss, weight = geman_mcclure(residual**2, weights.STANDING_OUTLIER)
        if equations is not None:
            jacobian = right_jacobian_inverse(rotvec)[..., 0, :] / weights.STANDING_SIGMA
            weighted = (self.weights * weight)[..., None] * jacobian
            equations.turn_gradient[:, KNEES] += weighted * residual[..., None]
            equations.turns[0][:, KNEES] += weighted[..., :, None] * jacobian[..., None, :]
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class ShapePrior:
    """The shape is the start's, and markers lie near the body's own points. weight: how often the prior counts. stature_sigma: of the
    first shape unknown, the stature of an open size, in betas; None as of all others.

    The start knows the population, and the girth that silhouettes show. Betas have a limit, too: errors that are the same in all frames
    outweigh a prior that each frame repeats, and would make a body that nobody has.
    """

    weight: float
    stature_sigma: float | None = None

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        shape, offsets = points.state.shape, points.state.offsets
        sigmas = np.concatenate([np.full(len(shape), weights.SHAPE_SIGMA), offset_sigmas()])
        if self.stature_sigma is not None:
            sigmas[0] = self.stature_sigma  # the first direction of an open size, of `shape_of_stature`
        residual = np.concatenate([shape, offsets]) / sigmas
        beyond, by_shape = _beyond_population(points.shape, shape)
        if equations is not None:
            equations.clip_gradient = self.weight * residual / sigmas
            equations.clip_within = self.weight * np.diag(sigmas**-2)
            equations.clip_gradient[: len(shape)] += self.weight * beyond @ by_shape
            equations.clip_within[: len(shape), : len(shape)] += self.weight * by_shape.T @ by_shape
        return self.weight * float((residual**2).sum() + (beyond**2).sum())


def _beyond_population(shape: Shape, unknowns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """By how much betas are farther from the average body than people are, or than the start is, (B,) in sigmas, and (B,S) by unknowns."""
    betas = shape.betas(unknowns)
    limit = np.maximum(weights.SHAPE_LIMIT, np.abs(shape.start))
    beyond = (betas - np.clip(betas, -limit, limit)) / weights.SHAPE_LIMIT_SIGMA
    return beyond, shape.basis * (beyond != 0)[:, None] / weights.SHAPE_LIMIT_SIGMA


def offset_sigmas() -> FloatArray:
    """Sigmas (M,) m of the marker offsets."""
    return np.array([weights.OFFSET_SIGMA[marker] for marker, _axis in OFFSET_COLUMNS])
