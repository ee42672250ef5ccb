"""Residuals of the ground: what touches it neither slides nor sinks, and what is up."""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from . import weights
from .body_points import PosedPoints
from .equations import FLOOR, LEAN, LENS, NUM_WORLD, PATH, UP, Equations
from .residuals import World, cauchy, geman_mcclure


@dataclass(frozen=True)
class ContactSpeed:
    """Points in contact do not move. rows: (K,). durations: (F-1,) s. weights: (F-1,K). outliers: (F-1,K), sigma from which they let go."""

    rows: IntArray
    durations: FloatArray
    weights: FloatArray
    outliers: float | FloatArray = weights.SOLE_OUTLIER

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        path = points.rows[:, self.rows]
        scale = 1 / (weights.SOLE_SPEED_SIGMA * self.durations)[:, None, None]
        residual = scale * (path[1:] - path[:-1])
        loss, weight = geman_mcclure((residual**2).sum(-1), self.outliers)
        weight = self.weights * weight
        if equations is not None:
            weighted = (weight[..., None] * scale) * residual
            equations.gradient[1:, self.rows] += weighted
            equations.gradient[:-1, self.rows] -= weighted
            block = weight * scale[..., 0] ** 2
            equations.within[1:, self.rows] += block[..., None, None] * np.eye(3)
            equations.within[:-1, self.rows] += block[..., None, None] * np.eye(3)
            equations.next[:, self.rows] -= block
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class ContactPlace:
    """Points in contact stay where they rest. rows: (K,). places: (F,K,3) m, camera axes. weights: (F,K)."""

    rows: IntArray
    places: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = (points.rows[:, self.rows] - self.places) / weights.HOLD_SIGMA
        loss, weight = geman_mcclure((residual**2).sum(-1), weights.SOLE_OUTLIER)
        if equations is not None:
            pull = self.weights * weight / weights.HOLD_SIGMA
            equations.gradient[:, self.rows] += pull[..., None] * residual
            equations.within[:, self.rows] += (pull / weights.HOLD_SIGMA)[..., None, None] * np.eye(3)
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class Heights:
    """Points in contact lie on the floor, and no point lies below it.

    rows: (K,). radii: (K,) or (F,K) m, heights at which they touch. contacts: (F,K), weights. contact_sigma: m. weights: (F,), of points
    below the floor, and below_sigma: m. is_up_free: whether gravity gives way too. outlier: of contact_sigma, from which points let go.
    """

    rows: IntArray
    radii: FloatArray
    contacts: FloatArray
    contact_sigma: float
    weights: FloatArray
    below_sigma: float
    is_up_free: bool
    outlier: float | FloatArray = weights.SOLE_OUTLIER

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        path = points.rows[:, self.rows]
        height = path @ world.up + world.floor - self.radii
        contact, inlier = geman_mcclure((height / self.contact_sigma) ** 2, self.outlier)
        below = np.minimum(height, 0) / self.below_sigma
        energy = (self.contacts * contact).sum() + (self.weights[:, None] * below**2).sum()
        if equations is not None:
            curvature = self.contacts * inlier / self.contact_sigma**2 + self.weights[:, None] * (height < 0) / self.below_sigma**2
            pull = curvature * height
            equations.gradient[:, self.rows] += pull[..., None] * world.up
            equations.within[:, self.rows] += curvature[..., None, None] * np.outer(world.up, world.up)
            change = np.zeros((*height.shape, NUM_WORLD))
            change[..., FLOOR] = 1
            if self.is_up_free:
                change[..., UP] = path @ world.up_basis.T
            columns = slice(NUM_WORLD)
            equations.world[:, self.rows, :, columns] += (curvature[..., None] * world.up)[..., None] * change[:, :, None]
            equations.world_gradient[columns] += np.einsum("fk,fkw->w", pull, change)
            equations.world_within[columns, columns] += np.einsum("fk,fkv,fkw->vw", curvature, change, change)
        return float(energy)


@dataclass(frozen=True)
class WorldPrior:
    """Up is where the start had it, lifters lean little, the lens and the size of the camera's path are the assumed ones, and the camera is
    above the floor.

    up: (3,). sigma: (2,) rad, of the camera's pitch and roll. lens_sigma, path_sigma: of the logarithms of the focal length and of the
    path's size. weight: how often these priors count.
    """

    up: FloatArray
    sigma: FloatArray
    lens_sigma: float
    path_sigma: float
    weight: float

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        # Pitch moves up in the camera's y and z, roll in its x.
        pitch, roll = 1 / np.maximum(self.sigma, weights.MIN_UP_SIGMA) ** 2
        precision, change = self.weight * np.array([roll, pitch, pitch]), world.up - self.up
        lean_precision = self.weight / np.array(weights.LEAN_SIGMA) ** 2
        factors = ((LENS, world.zoom, self.weight / self.lens_sigma**2), (PATH, world.growth, self.weight / self.path_sigma**2))
        sunk = min(world.floor - weights.LEAST_CAMERA_HEIGHT, 0.0) / weights.CAMERA_HEIGHT_SIGMA
        loss, inlier = cauchy(np.array(sunk**2), weights.CAMERA_HEIGHT_OUTLIER)
        if equations is not None:
            if sunk < 0:
                equations.world_gradient[FLOOR] += self.weight * inlier * sunk / weights.CAMERA_HEIGHT_SIGMA
                equations.world_within[FLOOR, FLOOR] += self.weight * inlier / weights.CAMERA_HEIGHT_SIGMA**2
            for column, factor, factor_precision in factors:
                equations.world_gradient[column] += factor_precision * factor
                equations.world_within[column, column] += factor_precision
            equations.world_gradient[UP] += world.up_basis @ (precision * change)
            equations.world_within[UP, UP] += (world.up_basis * precision) @ world.up_basis.T
            equations.world_gradient[LEAN] += lean_precision * world.lean
            equations.world_within[LEAN, LEAN] += np.diag(lean_precision)
        energy = (precision * change**2).sum() + (lean_precision * world.lean**2).sum() + self.weight * float(loss)
        return float(energy + sum(factor_precision * factor**2 for _column, factor, factor_precision in factors))
