"""An artist's corrections in the whole-clip solve: observations that do not count, joints that were dragged, and frames that stay."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ....core.array_types import BoolArray, FloatArray, IntArray
from ....core.cameras import rays_from_pixels
from ....core.skeletons import H36M17
from .body_points import BONES, FOOT_POINTS, MOVING, NUM_JOINTS, PosedPoints
from .equations import LENS, PATH, Equations
from .residuals import Residual, World

PIN_SIGMA = 0.003  # m at the joint's distance, across the line of sight, of a joint that was dragged
PIN_DEPTH_SIGMA = 0.01  # m along it, where the artist has posed the joint in space
KEPT_SIGMA = 0.002  # m, of joints in frames that stay as they are
WEAK_PRIOR = 0.05  # weight of the start's rotations where an artist says that they are wrong


@dataclass(frozen=True)
class CorrectionEvidence:
    """What an artist has said of F frames of a person.

    bad_markers: (F,17), h36m17 keypoints and lifted joints that do not count. loose_joints: (F,24), SMPL's, whose start is unsure. pins:
    (F,24,3), pixel x, y in the solve's picture and depth m; nan where there is none. is_kept: (F,), frames whose start stays.
    """

    bad_markers: BoolArray
    loose_joints: BoolArray
    pins: FloatArray
    is_kept: BoolArray

    def frames(self, rows: BoolArray | IntArray | slice) -> "CorrectionEvidence":
        """Of some of the frames."""
        return CorrectionEvidence(self.bad_markers[rows], self.loose_joints[rows], self.pins[rows], self.is_kept[rows])


class Trust(NamedTuple):
    """Weights 0..1 of keypoints (F,17), of lifted bones (F,16), and of the start's rotations (F,K) of the moving joints."""

    keypoints: FloatArray
    bones: FloatArray
    rotations: FloatArray

    @property
    def feet(self) -> FloatArray:
        """Weights (F,6) of FOOT_POINTS: their ankle's."""
        return self.keypoints[:, [H36M17.index(f"{name.split('_')[0]}_ankle") for name in FOOT_POINTS]]


def trust_in(corrections: CorrectionEvidence | None, seen: BoolArray) -> Trust:
    """How much the observations of the frames that are `seen` (F,) count."""
    count = int(seen.sum())
    if corrections is None:
        return Trust(np.ones((count, len(H36M17))), np.ones((count, len(BONES))), np.ones((count, len(MOVING))))
    mine = corrections.frames(seen)
    bones = np.stack([mine.bad_markers[:, begin] | mine.bad_markers[:, end] for begin, end in BONES], 1)
    loose = mine.loose_joints[:, list(MOVING)]
    return Trust(1.0 - mine.bad_markers, 1.0 - bones, np.where(loose, WEAK_PRIOR, 1.0))


def residuals_of_corrections(
    corrections: CorrectionEvidence | None, seen: BoolArray, intrinsics: FloatArray, start: PosedPoints, centres: FloatArray | None
) -> list[Residual]:
    """The pins and the kept frames of a person in the frames that are `seen` (F,).

    start: the posed start in these frames. centres: (F,3) m, of the camera in these frames, or None.
    """
    if corrections is None:
        return []
    mine = corrections.frames(seen)
    is_pinned = ~np.isnan(mine.pins[..., 0])
    residuals: list[Residual] = []
    if is_pinned.any():
        pins = np.nan_to_num(mine.pins)
        rays = rays_from_pixels(pins[..., :2], intrinsics)
        has_depth = is_pinned & ~np.isnan(mine.pins[..., 2])
        away = start.rows[:, 0, 2] - (0.0 if centres is None else centres[:, 2])
        sigma = PIN_SIGMA / np.maximum(away, 0.1)
        residuals.append(Pins(rays, is_pinned.astype(float), pins[..., 2], has_depth.astype(float), sigma, centres))
    if mine.is_kept.any():
        residuals.append(KeptPlaces(start.rows[:, :NUM_JOINTS].copy(), mine.is_kept.astype(float)))
    return residuals


@dataclass(frozen=True)
class Pins:
    """Joints lie where they were dragged.

    rays: (F,24,2), x/z and y/z. weights: (F,24). depths: (F,24) m along the optical axis, and depth_weights: (F,24). sigma: (F,), as a ray,
    at a distance that does not change, so that no body comes nearer to be less wrong. centres: (F,3) m, of the camera, or None if it stays
    at the origin.
    """

    rays: FloatArray
    weights: FloatArray
    depths: FloatArray
    depth_weights: FloatArray
    sigma: FloatArray
    centres: FloatArray | None = None

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        rows = slice(NUM_JOINTS)
        centres = 0.0 if self.centres is None else np.exp(world.growth) * self.centres[:, None]
        seen = points.rows[:, rows] - centres
        depth = np.maximum(seen[..., 2:], 0.1)
        scale = np.exp(world.zoom)
        seen_rays = scale * seen[..., :2] / depth
        sigma = self.sigma[:, None, None]
        residual = (seen_rays - self.rays) / sigma
        along = (seen[..., 2] - self.depths) / PIN_DEPTH_SIGMA
        energy = (self.weights * (residual**2).sum(-1)).sum() + (self.depth_weights * along**2).sum()
        if equations is not None:
            jacobian = np.zeros((*seen.shape[:2], 2, 3))
            jacobian[..., 0, 0] = jacobian[..., 1, 1] = (scale / (sigma * depth))[..., 0]
            jacobian[..., 2] = -seen_rays / (depth * sigma)
            weighted = self.weights[..., None, None] * jacobian
            equations.gradient[:, rows] += np.einsum("fkra,fkr->fka", weighted, residual)
            equations.within[:, rows] += np.einsum("fkra,fkrb->fkab", weighted, jacobian)
            equations.gradient[:, rows, 2] += self.depth_weights * along / PIN_DEPTH_SIGMA
            equations.within[:, rows, 2, 2] += self.depth_weights / PIN_DEPTH_SIGMA**2
            by_lens = seen_rays / sigma
            equations.world[:, rows, :, LENS] += np.einsum("fkra,fkr->fka", weighted, by_lens)[..., None]
            equations.world_gradient[LENS] += (self.weights[..., None] * by_lens * residual).sum()
            equations.world_within[LENS, LENS] += (self.weights[..., None] * by_lens**2).sum()
            if self.centres is not None:
                self._add_path(equations, jacobian, residual, by_lens, along, np.exp(world.growth) * self.centres)
        return float(energy)

    def _add_path(
        self, equations: Equations, jacobian: FloatArray, residual: FloatArray, by_lens: FloatArray, along: FloatArray, centres: FloatArray
    ) -> None:
        """Add what the size of the camera's path changes; centres: (F,3) m, with the present size."""
        by_path = -np.einsum("fkra,fa->fkr", jacobian, centres)
        by_depth = np.broadcast_to(-centres[:, None, 2] / PIN_DEPTH_SIGMA, along.shape)
        weight = self.weights[..., None]
        equations.world[:, :NUM_JOINTS, :, PATH] += np.einsum("fkra,fkr->fka", weight[..., None] * jacobian, by_path)[..., None]
        equations.world[:, :NUM_JOINTS, 2, PATH] += (self.depth_weights * by_depth / PIN_DEPTH_SIGMA)[..., None]
        equations.world_gradient[PATH] += (weight * by_path * residual).sum() + (self.depth_weights * by_depth * along).sum()
        equations.world_within[PATH, PATH] += (weight * by_path**2).sum() + (self.depth_weights * by_depth**2).sum()
        mixed = (weight * by_path * by_lens).sum()
        equations.world_within[PATH, LENS] += mixed
        equations.world_within[LENS, PATH] += mixed


@dataclass(frozen=True)
class KeptPlaces:
    """Joints stay where they were. places: (F,24,3) m, camera axes. weights: (F,)."""

    places: FloatArray
    weights: FloatArray

    def add(self, points: PosedPoints, world: World, equations: Equations | None) -> float:
        residual = (points.rows[:, :NUM_JOINTS] - self.places) / KEPT_SIGMA
        if equations is not None:
            pull = self.weights[:, None, None] / KEPT_SIGMA
            equations.gradient[:, :NUM_JOINTS] += pull * residual
            equations.within[:, :NUM_JOINTS] += (pull / KEPT_SIGMA)[..., None] * np.eye(3)
        return float((self.weights[:, None, None] * residual**2).sum())
