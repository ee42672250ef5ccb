"""Residuals of further views of the clip: where a body's markers are seen there, which way its bones point, and where the camera is.

They are those of image_residuals.py behind a rigid transform: a point x of the first view's axes is at R x + t in the other's. Where the
other camera is not known exactly, R, t and its lens are unknowns of the clip.
"""

from dataclasses import dataclass

import numpy as np

from ....core.array_types import FloatArray, IntArray
from ....core.rotations import rotvec_from_rotmat, skew_matrix
from . import weights
from .body_points import BONE_ROWS, PosedPoints
from .equations import VIEW_LEAN, VIEW_LENS, VIEW_SHIFT, VIEW_TURN, Equations, view_columns
from .residuals import ViewPlace, World, geman_mcclure

_PLACE = slice(VIEW_TURN.start, VIEW_LENS.stop)  # turn, shift and lens, in a row


@dataclass(frozen=True)
class ViewReprojection:
    """Points on the lines of sight of their keypoints in a further view.

    view: its number from 0. rows: (K,). rays: (F,K,2), x/z and y/z. weights: (F,K). sigma: (F,K), as a ray.
    """

    view: int
    rows: IntArray
    rays: FloatArray
    weights: FloatArray
    sigma: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        place = world.views[self.view]
        seen = points.rows[:, self.rows] @ place.rotmat.T + place.transl
        depth = np.maximum(seen[..., 2:], 0.1)
        scale = np.exp(place.zoom)
        seen_rays = scale * seen[..., :2] / depth
        residual = (seen_rays - self.rays) / self.sigma[..., None]
        squared = (residual**2).sum(-1)
        loss, weight = geman_mcclure(squared, weights.KEYPOINT_OUTLIER)
        loss = loss + weights.MIN_OUTLIER_WEIGHT * squared
        if equations is not None:
            weight = self.weights * (weight + weights.MIN_OUTLIER_WEIGHT)
            by_seen = np.zeros((*squared.shape, 2, 3))
            by_seen[..., 0, 0] = by_seen[..., 1, 1] = scale / (self.sigma * depth[..., 0])
            by_seen[..., 2] = -seen_rays / (depth * self.sigma[..., None])
            by_point = by_seen @ place.rotmat
            by_place = np.concatenate([-by_seen @ skew_matrix(seen), by_seen, (seen_rays / self.sigma[..., None])[..., None]], -1)
            weighted = weight[..., None, None] * by_point
            columns = view_columns(self.view, _PLACE)
            equations.gradient[:, self.rows] += np.einsum("fkra,fkr->fka", weighted, residual)
            equations.within[:, self.rows] += np.einsum("fkra,fkrb->fkab", weighted, by_point)
            equations.world[:, self.rows, :, columns] += np.einsum("fkra,fkrw->fkaw", weighted, by_place)
            equations.world_gradient[columns] += np.einsum("fk,fkrw,fkr->w", weight, by_place, residual, optimize=True)
            equations.world_within[columns, columns] += np.einsum("fk,fkrv,fkrw->vw", weight, by_place, by_place, optimize=True)
        return float((self.weights * loss).sum())


@dataclass(frozen=True)
class ViewBones:
    """Bones between markers in the direction of those that are lifted in a further view, which all lean alike.

    view: its number from 0. vectors: (F,16,3) m and precision: (F,16,3,3) m^-2 as of LiftedBones, in that view's axes.
    """

    view: int
    vectors: FloatArray
    precision: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        place = world.views[self.view]
        bones = points.rows[:, BONE_ROWS] @ place.rotmat.T
        residual = bones - self.vectors - np.cross(place.lean, self.vectors)
        weighted = (self.precision @ residual[..., None])[..., 0]
        if equations is not None:
            equations.gradient[:, BONE_ROWS] += weighted @ place.rotmat
            equations.within[:, BONE_ROWS] += place.rotmat.T @ self.precision @ place.rotmat
            by_turn, by_lean = -skew_matrix(bones), skew_matrix(self.vectors)
            changes = ((VIEW_TURN, by_turn), (VIEW_LEAN, by_lean))
            for part, change in changes:
                columns = view_columns(self.view, part)
                weighted_change = self.precision @ change
                equations.world[:, BONE_ROWS, :, columns] += place.rotmat.T @ weighted_change
                equations.world_gradient[columns] += np.einsum("fkra,fkr->a", change, weighted)
                for other_part, other in changes:
                    others = view_columns(self.view, other_part)
                    equations.world_within[others, columns] += np.einsum("fkra,fkrb->ab", other, weighted_change)
        return float((weighted * residual).sum())


@dataclass(frozen=True)
class ViewSigma:
    """How well a further view is known beforehand: its camera's direction, rad, its place, m, and the logarithm of its focal length.

    0 where it is given and does not change.
    """

    turn: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0

    def free_columns(self, view: int) -> list[slice]:
        """The columns of what may change."""
        parts = ((VIEW_TURN, self.turn), (VIEW_SHIFT, self.shift), (VIEW_LENS, self.zoom))
        return [view_columns(view, part) for part, sigma in parts if sigma > 0]


@dataclass(frozen=True)
class ViewPrior:
    """A further view's camera is where it was before the solve, and its lifter leans little.

    view: its number from 0. place: before the solve. weight: how often the prior counts.
    """

    view: int
    place: ViewPlace
    sigma: ViewSigma
    weight: float

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        place = world.views[self.view]
        turn = place.rotmat @ self.place.rotmat.T
        change = np.concatenate(
            [
                rotvec_from_rotmat(turn),
                place.transl - turn @ self.place.transl,
                [place.zoom - self.place.zoom],
                place.lean - self.place.lean,
            ]
        )
        own = self.sigma
        sigma = np.array([*[own.turn or 1.0] * 3, *[own.shift or 1.0] * 3, own.zoom or 1.0, *weights.LEAN_SIGMA])
        precision = self.weight / sigma**2
        if equations is not None:
            columns = view_columns(self.view, slice(0, len(precision)))
            equations.world_gradient[columns] += precision * change
            equations.world_within[columns, columns] += np.diag(precision)
        return float((precision * change**2).sum())
