"""Joints of people whom several cameras see, and, where they are not known, the cameras: one least-squares problem over chosen frames.

A moment is one person in one frame; moments share nothing but the cameras. The terms are those of the whole-clip solve, on bare joints:

* each joint lies on the lines of sight of its keypoints (Geman-McClure);
* bones point where each view's lifter has them, which leans by a small angle in all moments of a view;
* bones keep their lengths;
* cameras and clocks are near where they were assumed to be.

The moments' joints are eliminated (Schur complement); what remains is a small dense system of the cameras. Levenberg-Marquardt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.cameras import rigid_transform
from ...core.rotations import rotmat_from_rotvec, rotvec_from_rotmat, skew_matrix
from ..fitting.clip_solve.body_points import BONES
from ..fitting.clip_solve.residuals import geman_mcclure

# Unknowns of a view: its camera's turn, shift and lens, the lean of its lifter, its clock.
TURN, SHIFT, ZOOM, LEAN, DELAY = slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 10), slice(10, 11)
NUM_UNKNOWNS = 11
JOINTS = 17
STARTS, ENDS = (np.array(rows) for rows in zip(*BONES, strict=True))
# Detectors see one joint at places of the body so far apart from different sides, m: at first, at least and at most.
JOINT_SIGMA, LEAST_JOINT_SIGMA, LARGEST_JOINT_SIGMA = 0.01, 0.002, 0.015
RAYLEIGH_MEDIAN = 1.177  # of the length of a vector of two standard normal numbers
OUTLIER, MIN_OUTLIER_WEIGHT = 4.0, 0.05  # sigma from which a keypoint lets go, and what it keeps
LENGTH_SIGMA = 0.012  # m, of a bone in a moment
LEAN_SIGMA = np.radians(3.0)
LENS_DIFFERENCE = 0.1  # of the logarithms of the focal lengths of cameras that are probably of one kind
# Errors of keypoints and lifters repeat in neighbouring moments: so many count as one against what is assumed of cameras.
PRIOR_MOMENTS = 10.0
MAX_STEPS, CONVERGED = 30, 1e-4
MAX_DAMPING = 1e6
CHUNK = 512  # moments solved at once


@dataclass(frozen=True)
class Cameras:
    """V cameras: they see a point x of the first one's axes at rotmat x + transl.

    rotmat: (V,3,3). transl: (V,3) m. zoom: (V,), logarithms of the focal lengths over those of the rays. lean: (V,3) rad, of the lifters.
    delay: (V,) s, of the clocks beyond those of the rays.
    """

    rotmat: FloatArray
    transl: FloatArray
    zoom: FloatArray
    lean: FloatArray
    delay: FloatArray

    @classmethod
    def placed(cls, view_from_first: FloatArray) -> "Cameras":
        """Cameras at (V,4,4), with the lenses and clocks of the rays."""
        views = len(view_from_first)
        return cls(view_from_first[:, :3, :3], view_from_first[:, :3, 3], np.zeros(views), np.zeros((views, 3)), np.zeros(views))

    def moved(self, step: FloatArray) -> "Cameras":
        """After a step (V,11)."""
        turn = rotmat_from_rotvec(step[:, TURN])
        return Cameras(
            turn @ self.rotmat,
            (turn @ self.transl[..., None])[..., 0] + step[:, SHIFT],
            self.zoom + step[:, 6],
            self.lean + step[:, LEAN],
            self.delay + step[:, 10],
        )

    def change_from(self, other: "Cameras") -> FloatArray:
        """The step (V,11) from another state to this one."""
        turn = self.rotmat @ np.swapaxes(other.rotmat, -1, -2)
        shift = self.transl - (turn @ other.transl[..., None])[..., 0]
        rest = (self.zoom - other.zoom)[:, None], self.lean - other.lean, (self.delay - other.delay)[:, None]
        return np.concatenate([rotvec_from_rotmat(turn), shift, *rest], 1)

    @property
    def matrices(self) -> FloatArray:
        """The views' placements, (V,4,4) from the first one's axes."""
        return rigid_transform(self.rotmat, self.transl)

    def seen(self, points: FloatArray) -> FloatArray:
        """Points (M,J,3) in the axes of each camera, (V,M,J,3)."""
        return np.einsum("vab,mjb->vmja", self.rotmat, points) + self.transl[:, None, None]


@dataclass(frozen=True)
class Moments:
    """What V views show of M moments.

    rays: (V,M,17,2), x/z and y/z, and rates: (V,M,17,2) 1/s, how they change as the view's clock is read later. weights: (V,M,17).
    sigma: (V,M,17), of a ray, of the keypoint alone. bones: (V,M,16,3) m, lifted, in each view's axes, and precision: (V,M,16,3,3) m^-2 of
    their errors, 0 where a view does not show the person. lengths: (M,16) m, of the bones. joint_sigma: m, of
    where different views see a joint.
    """

    rays: FloatArray
    rates: FloatArray
    weights: FloatArray
    sigma: FloatArray
    bones: FloatArray
    precision: FloatArray
    lengths: FloatArray
    joint_sigma: float = JOINT_SIGMA

    def __len__(self) -> int:
        return self.lengths.shape[0]

    def take(self, rows: BoolArray | IntArray | slice) -> "Moments":
        """Some of the moments."""
        return Moments(
            self.rays[:, rows],
            self.rates[:, rows],
            self.weights[:, rows],
            self.sigma[:, rows],
            self.bones[:, rows],
            self.precision[:, rows],
            self.lengths[rows],
            self.joint_sigma,
        )

    def with_lengths_of(self, points: FloatArray, people: Sequence[BoolArray], is_size_seen: bool) -> "Moments":
        """The moments with the lengths of bones that points (M,17,3) have, in the median over each person's moments.

        people: which moments (M,) are whose. is_size_seen: whether lengths are as seen, else their sum stays.
        """
        found = np.linalg.norm(points[:, ENDS] - points[:, STARTS], axis=-1)
        lengths = self.lengths.copy()
        for rows in people:
            lengths[rows] = np.median(found[rows], 0)
        return self.with_lengths(lengths if is_size_seen else lengths * (self.lengths.sum() / lengths.sum()))

    def with_joint_sigma_of(self, points: FloatArray, cameras: Cameras) -> "Moments":
        """The moments with the joint_sigma that points (M,17,3) m before cameras show, in moments that two views show."""
        several = ((self.weights > 0.5).sum(0) > 1)[None] & (self.weights > 0.5)
        if not several.any():
            return self
        seen, _rays, residual, sigma = _reprojection(self, cameras, points)
        off = np.linalg.norm(residual, axis=-1) * sigma * seen[..., 2]
        found = float(np.median(off[several])) / RAYLEIGH_MEDIAN
        return replace(self, joint_sigma=float(np.clip(found, LEAST_JOINT_SIGMA, LARGEST_JOINT_SIGMA)))

    def with_lengths(self, lengths: FloatArray) -> "Moments":
        """The moments with bones of lengths (M,16) m."""
        vectors = self.bones / np.maximum(np.linalg.norm(self.bones, axis=-1, keepdims=True), 1e-9)
        return replace(self, bones=vectors * lengths[None, ..., None], lengths=lengths)


@dataclass(frozen=True)
class CameraPrior:
    """Where cameras were assumed, and how well: sigma (V,11), 0 for what is known. start: of the adjustment, if other.

    lens_groups: indices of views that have lenses of one kind, if they are unknown: those differ by LENS_DIFFERENCE.
    """

    cameras: Cameras
    sigma: FloatArray
    start: Cameras | None = None
    lens_groups: Sequence[Sequence[int]] = ()

    @property
    def is_free(self) -> BoolArray:
        """(V,11)."""
        return self.sigma > 0

    @property
    def precision(self) -> FloatArray:
        """The inverse covariance (V*11,V*11) of what is free, 0 elsewhere."""
        sigma = np.where(self.is_free, self.sigma, np.inf).reshape(-1)
        precision = np.diag(1 / sigma**2)
        for group in self.lens_groups:
            columns = np.array([view * NUM_UNKNOWNS + ZOOM.start for view in group])
            precision[np.ix_(columns, columns)] += (np.eye(len(group)) - 1 / len(group)) / LENS_DIFFERENCE**2
        return precision


@dataclass(frozen=True)
class Adjusted:
    """The result: points (M,17,3) m in the first view's axes, cameras, energy (M,) of each moment, and sigma (V,11) of the cameras."""

    points: FloatArray
    cameras: Cameras
    energy: FloatArray
    sigma: FloatArray


def adjust_joints(moments: Moments, points: FloatArray, prior: CameraPrior, max_steps: int = MAX_STEPS) -> Adjusted:
    """Adjust joints, and the cameras as far as they are free, from a start of points (M,17,3) m in the first view's axes."""
    cameras, damping = prior.start or prior.cameras, 1e-3
    weight = max(1.0, len(moments) / PRIOR_MOMENTS)
    energy = _energies(moments, points, cameras).sum() + _prior_energy(prior, cameras, weight)
    for _ in range(max_steps):
        system = _linearise(moments, points, cameras)
        is_done = False
        while damping < MAX_DAMPING:
            step, camera_step = _solve(system, prior, cameras, weight, damping)
            new_points, new_cameras = points + step, cameras.moved(camera_step)
            new_energy = _energies(moments, new_points, new_cameras).sum() + _prior_energy(prior, new_cameras, weight)
            if new_energy <= energy:
                is_done = energy - new_energy <= CONVERGED * energy
                points, cameras, energy, damping = new_points, new_cameras, new_energy, max(damping / 10, 1e-9)
                break
            damping *= 10
        else:
            break
        if is_done:
            break
    sigma = _camera_sigma(_linearise(moments, points, cameras), prior, weight) if prior.is_free.any() else np.zeros(prior.sigma.shape)
    return Adjusted(points, cameras, _energies(moments, points, cameras), sigma)


def solve_joints(moments: Moments, points: FloatArray, cameras: Cameras) -> FloatArray:
    """Joints (M,17,3) m of any number of moments before known cameras."""
    prior = CameraPrior(cameras, np.zeros((len(cameras.zoom), NUM_UNKNOWNS)))
    parts = [slice(first, first + CHUNK) for first in range(0, len(moments), CHUNK)]
    return np.concatenate([adjust_joints(moments.take(part), points[part], prior).points for part in parts] or [points])


@dataclass(frozen=True)
class _System:
    """Normal equations: within (M,51,51) and gradient (M,51) of the joints, arrow (M,51,C), corner (C,C), camera_gradient (C,)."""

    within: FloatArray
    gradient: FloatArray
    arrow: FloatArray
    corner: FloatArray
    camera_gradient: FloatArray


def _reprojection(moments: Moments, cameras: Cameras, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Points as the cameras see them (V,M,17,3), their rays (V,M,17,2), residuals (V,M,17,2), and the residuals' sigma (V,M,17)."""
    seen = cameras.seen(points)
    depth = np.maximum(seen[..., 2], 0.1)
    rays = np.exp(cameras.zoom)[:, None, None, None] * seen[..., :2] / depth[..., None]
    sigma = np.hypot(moments.joint_sigma / depth, moments.sigma)
    delayed = moments.rays + cameras.delay[:, None, None, None] * moments.rates
    return seen, rays, (rays - delayed) / sigma[..., None], sigma


def _robust(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    loss, weight = geman_mcclure(squared, OUTLIER)
    return loss + MIN_OUTLIER_WEIGHT * squared, weight + MIN_OUTLIER_WEIGHT


def _bone_residuals(moments: Moments, cameras: Cameras, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The bones as the views see them (V,M,16,3) m, and how far they are off the lifted ones."""
    bones = np.einsum("vab,mjb->vmja", cameras.rotmat, points[:, ENDS] - points[:, STARTS])
    return bones, bones - moments.bones - np.cross(cameras.lean[:, None, None], moments.bones)


def _energies(moments: Moments, points: FloatArray, cameras: Cameras) -> FloatArray:
    """The energy (M,) of each moment."""
    residual = _reprojection(moments, cameras, points)[2]
    energy = (moments.weights * _robust((residual**2).sum(-1))[0]).sum((0, 2))
    off = _bone_residuals(moments, cameras, points)[1]
    energy += np.einsum("vmba,vmbac,vmbc->m", off, moments.precision, off, optimize=True)
    lengths = np.linalg.norm(points[:, ENDS] - points[:, STARTS], axis=-1)
    return energy + (((lengths - moments.lengths) / LENGTH_SIGMA) ** 2).sum(1)


def _prior_energy(prior: CameraPrior, cameras: Cameras, weight: float) -> float:
    change = cameras.change_from(prior.cameras).reshape(-1)
    return float(weight * (change @ prior.precision @ change))


def _linearise(moments: Moments, points: FloatArray, cameras: Cameras) -> _System:
    views, count = len(cameras.zoom), len(moments)
    within = np.zeros((count, JOINTS, JOINTS, 3, 3))
    gradient = np.zeros((count, JOINTS, 3))
    arrow = np.zeros((count, JOINTS, 3, views, NUM_UNKNOWNS))
    corner, camera_gradient = np.zeros((views, NUM_UNKNOWNS, NUM_UNKNOWNS)), np.zeros((views, NUM_UNKNOWNS))
    seen, rays, residual, sigma = _reprojection(moments, cameras, points)
    weight = moments.weights * _robust((residual**2).sum(-1))[1]
    bones, off = _bone_residuals(moments, cameras, points)
    diagonal = np.arange(JOINTS)
    for view in range(views):
        rotmat, scale = cameras.rotmat[view], np.exp(cameras.zoom[view])
        depth = np.maximum(seen[view, ..., 2], 0.1)
        by_seen = np.zeros((count, JOINTS, 2, 3))
        by_seen[..., 0, 0] = by_seen[..., 1, 1] = scale / (sigma[view] * depth)
        by_seen[..., 2] = -rays[view] / (depth * sigma[view])[..., None]
        by_view = np.zeros((count, JOINTS, 2, NUM_UNKNOWNS))
        by_view[..., TURN], by_view[..., SHIFT] = -by_seen @ skew_matrix(seen[view]), by_seen
        by_view[..., 6], by_view[..., 10] = (values / sigma[view][..., None] for values in (rays[view], -moments.rates[view]))
        by_point = by_seen @ rotmat
        weighted = weight[view][..., None, None] * by_point
        within[:, diagonal, diagonal] += np.einsum("mjra,mjrb->mjab", weighted, by_point)
        gradient += np.einsum("mjra,mjr->mja", weighted, residual[view])
        arrow[:, :, :, view] += np.einsum("mjra,mjrw->mjaw", weighted, by_view)
        weighted_view = weight[view][..., None, None] * by_view
        corner[view] += np.tensordot(weighted_view, by_view, ((0, 1, 2), (0, 1, 2)))
        camera_gradient[view] += np.tensordot(weighted_view, residual[view], ((0, 1, 2), (0, 1, 2)))
        _add_lifted(
            within, gradient, arrow[:, :, :, view], (corner[view], camera_gradient[view]), rotmat, bones[view], off[view], moments, view
        )
    _add_lengths(within, gradient, points, moments.lengths)
    size = views * NUM_UNKNOWNS
    full = np.zeros((size, size))
    for view in range(views):
        own = slice(view * NUM_UNKNOWNS, (view + 1) * NUM_UNKNOWNS)
        full[own, own] = corner[view]
    return _System(
        within.swapaxes(2, 3).reshape(count, 3 * JOINTS, 3 * JOINTS),
        gradient.reshape(count, -1),
        arrow.reshape(count, 3 * JOINTS, size),
        full,
        camera_gradient.reshape(-1),
    )


def _add_lifted(
    within: FloatArray,
    gradient: FloatArray,
    arrow: FloatArray,
    corner: tuple[FloatArray, FloatArray],
    rotmat: FloatArray,
    bones: FloatArray,
    off: FloatArray,
    moments: Moments,
    view: int,
) -> None:
    """Add one view's lifted bones. arrow: (M,17,3,11) and corner: (11,11) and (11,), of that view."""
    precision = moments.precision[view]
    pull = (precision @ off[..., None])[..., 0]
    block = rotmat.T @ precision @ rotmat
    _add_bone_blocks(within, gradient, block, pull @ rotmat)
    by_view = np.zeros((*off.shape[:2], 3, NUM_UNKNOWNS))
    by_view[..., TURN], by_view[..., LEAN] = -skew_matrix(bones), skew_matrix(moments.bones[view])
    weighted = precision @ by_view
    mixed = rotmat.T @ weighted
    for bone, (start, end) in enumerate(BONES):
        arrow[:, end] += mixed[:, bone]
        arrow[:, start] -= mixed[:, bone]
    corner[0][...] += np.tensordot(by_view, weighted, ((0, 1, 2), (0, 1, 2)))
    corner[1][...] += np.tensordot(by_view, pull, ((0, 1, 2), (0, 1, 2)))


def _add_lengths(within: FloatArray, gradient: FloatArray, points: FloatArray, lengths: FloatArray) -> None:
    """Add that bones keep their lengths (M,16) m."""
    bones = points[:, ENDS] - points[:, STARTS]
    found = np.maximum(np.linalg.norm(bones, axis=-1), 1e-6)
    along = bones / found[..., None]
    block = along[..., :, None] * along[..., None, :] / LENGTH_SIGMA**2
    _add_bone_blocks(within, gradient, block, along * ((found - lengths) / LENGTH_SIGMA**2)[..., None])


def _add_bone_blocks(within: FloatArray, gradient: FloatArray, block: FloatArray, pull: FloatArray) -> None:
    """Add blocks (M,16,3,3) and gradients (M,16,3) of bones to those of their two joints."""
    for bone, (start, end) in enumerate(BONES):
        for row, row_sign in ((start, -1), (end, 1)):
            gradient[:, row] += row_sign * pull[:, bone]
            for column, column_sign in ((start, -1), (end, 1)):
                within[:, row, column] += row_sign * column_sign * block[:, bone]


def _solve(system: _System, prior: CameraPrior, cameras: Cameras, weight: float, damping: float) -> tuple[FloatArray, FloatArray]:
    """Steps (M,17,3) of the joints and (V,11) of the cameras."""
    free = np.flatnonzero(prior.is_free)
    within = system.within.copy()
    rows = np.arange(within.shape[1])
    within[:, rows, rows] *= 1 + damping
    within[:, rows, rows] += 1e-6
    right = np.concatenate([system.arrow[..., free], system.gradient[..., None]], -1)
    solution = np.linalg.solve(within, right)
    step = np.zeros(prior.sigma.size)
    if len(free):
        product = np.einsum("mac,mad->cd", system.arrow[..., free], solution, optimize=True)
        precision = weight * prior.precision[np.ix_(free, free)]
        change = cameras.change_from(prior.cameras).reshape(-1)[free]
        matrix = system.corner[np.ix_(free, free)] + precision - product[:, :-1]
        matrix[np.diag_indices(len(free))] *= 1 + damping
        step[free] = -np.linalg.solve(matrix, system.camera_gradient[free] + precision @ change - product[:, -1])
    joints = -(solution[..., -1] + solution[..., :-1] @ step[free])
    return joints.reshape(len(joints), JOINTS, 3), step.reshape(prior.sigma.shape)


def _camera_sigma(system: _System, prior: CameraPrior, weight: float) -> FloatArray:
    """Standard deviations (V,11) of the cameras, 0 where they are known: errors of PRIOR_MOMENTS moments are taken to be the same."""
    free = np.flatnonzero(prior.is_free)
    within = system.within + 1e-6 * np.eye(system.within.shape[1])
    product = np.einsum("mac,mad->cd", system.arrow[..., free], np.linalg.solve(within, system.arrow[..., free]), optimize=True)
    matrix = system.corner[np.ix_(free, free)] + weight * prior.precision[np.ix_(free, free)] - product
    sigma = np.zeros(prior.sigma.size)
    sigma[free] = np.sqrt(weight * np.maximum(np.diag(np.linalg.inv(matrix)), 0))
    return sigma.reshape(prior.sigma.shape)
