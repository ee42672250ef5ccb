"""Bundle adjustment: cameras of some frames, points of the scene and one focal length, from where the points are seen.

A point is a direction from a fixed base, where a camera that sees it stood, and the inverse of its distance from there, so that points
far away are as well conditioned as near ones. Levenberg and Marquardt's method with weights that let go of outliers (Geman and McClure),
of an observation and of a whole point; the points are eliminated first (Schur complement). A camera hardly changes its speed
(camera_inertia.py), which holds what the points leave open.

Source: Triggs et al. 2000, "Bundle adjustment: a modern synthesis"; Civera et al. 2008, "Inverse depth parametrization".
"""

from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.rotations import rotmat_from_rotvec, skew_matrix
from .camera_inertia import Inertia, at_rate, inertia
from .point_tracks import PointTracks

NOISE = 0.5  # px of the small image, standard deviation of an observation
# The same at least, however well a path fits: what a rolling shutter or a lens bends is taken up by the path.
LEAST_NOISE = 0.4
# A corner's errors repeat in all frames that see it: deviations are so many times those of independent ones.
REPEATED_ERRORS = 3.0
OUTLIER_SCALE = 1.5  # px of the small image, from which weights fall
# px of the small image, root of a point's mean loss, from which it lets go as a whole: what seems to be a corner where an edge passes
# before another moves along them, and is wrong by less than OUTLIER_SCALE in all frames that see it. A good point's is near 0.4.
WRONG_POINT = 0.8
NEAREST = 1e-3  # smallest depth of a point, in its distances, that is projected
POINT_STIFFNESS, CAMERA_STIFFNESS = 1e-3, 1e-3  # keep the equations solvable of a point or a camera that no view tells


@dataclass(frozen=True)
class Scene:
    """K cameras and P points.

    rotations: (K,3,3), camera_from_first. centres: (K,3), in the first camera's axes. base: (P,3), directions: (P,3) of length 1, and
    inverse: (P,), 1 / distance: a point lies at base + direction / inverse. log_focal: of px.
    """

    rotations: FloatArray
    centres: FloatArray
    base: FloatArray
    directions: FloatArray
    inverse: FloatArray
    log_focal: float

    def some(self, cameras: IntArray, points: IntArray) -> "Scene":
        """Those cameras and points."""
        parts = self.base[points], self.directions[points], self.inverse[points]
        return Scene(self.rotations[cameras], self.centres[cameras], *parts, self.log_focal)

    @property
    def focal(self) -> float:
        """px."""
        return float(np.exp(self.log_focal))

    @property
    def places(self) -> FloatArray:
        """(P,3); a point without a distance lies far away."""
        return self.base + self.directions / np.maximum(self.inverse, 1e-6)[:, None]


def residuals(tracks: PointTracks, scene: Scene) -> FloatArray:
    """Errors (N,2) px of the small image: where each point would be seen, less where it is; infinite behind the camera."""
    seen = _in_camera(tracks, scene)[2]
    depth = np.where(seen[:, 2:] > NEAREST, seen[:, 2:], np.nan)
    errors = (scene.focal * seen[:, :2] / depth - tracks.pixels) / tracks.pixel
    return np.asarray(np.where(np.isnan(errors), np.inf, errors))


def depths(tracks: PointTracks, scene: Scene) -> FloatArray:
    """How far (N,) each observation's point lies before its camera, in the path's units."""
    return _in_camera(tracks, scene)[2][:, 2] / np.maximum(scene.inverse[tracks.points], 1e-9)


def explained(tracks: PointTracks, scene: Scene, reach: float) -> float:
    """The share of observations that lie within `reach`, px of the small image, of their points."""
    errors = residuals(tracks, scene)
    return float((np.linalg.norm(errors, axis=1) < reach).mean()) if len(errors) else 0.0


def robust_cost(errors: FloatArray, scale: float) -> float:
    """The sum over errors (N,2) of e^2 / (1 + e^2 / scale^2). Source: Geman and McClure 1987."""
    square = np.minimum((errors**2).sum(-1), 1e9)
    return float((square / (1 + square / scale**2)).sum())


def adjust_scene(tracks: PointTracks, scene: Scene, prior: tuple[float, float], steps: int, scale: float = OUTLIER_SCALE) -> Scene:
    """Fit cameras, points and focal length. The first camera and the size of the path stay.

    Args:
        prior: the focal length's logarithm and its standard deviation. steps: at most. scale: px of the small image, of outliers.
    """
    damping, cost = 1e-3, _total_cost(tracks, scene, prior, scale)
    for _ in range(steps):
        system = _Equations(tracks, scene, prior, scale)
        for _attempt in range(4):
            trial = system.step(damping)
            trial_cost = _total_cost(tracks, trial, prior, scale)
            if trial_cost < cost:
                break
            damping = min(damping * 8, 1e6)
        else:
            return scene
        is_settled = cost - trial_cost < 1e-4 * cost
        scene, cost, damping = trial, trial_cost, max(damping / 5, 1e-8)
        if is_settled:
            return scene
    return scene


def centre_deviations(tracks: PointTracks, scene: Scene, prior: tuple[float, float]) -> tuple[FloatArray, float]:
    """Standard deviations (K,) of the cameras' places, in the path's units, and of the focal length's logarithm."""
    variances = _Equations(tracks, scene, prior, OUTLIER_SCALE).variances()
    own = variances[:-1].reshape(-1, 6)[:, 3:].sum(-1)
    return np.sqrt(np.maximum(own, 0)), float(np.sqrt(max(variances[-1], 0)))


def noise_factor(tracks: PointTracks, scene: Scene) -> float:
    """How large the errors of a fitted scene are over NOISE, at least LEAST_NOISE; 1 where there are hardly more of them than unknowns.

    Source: Triggs et al. 2000, the variance of unit weight.
    """
    spare = 2 * len(tracks.frames) - 6 * tracks.num_frames - 3 * tracks.num_points
    if spare < len(tracks.frames) / 2:
        return 1.0
    return max(float(np.sqrt(robust_cost(residuals(tracks, scene), OUTLIER_SCALE) / spare)), LEAST_NOISE) / NOISE


def _total_cost(tracks: PointTracks, scene: Scene, prior: tuple[float, float], scale: float) -> float:
    deviation = (scene.log_focal - prior[0]) / max(prior[1], 1e-5)
    uneven = _inertia(tracks, scene).cost(scene.rotations, scene.centres)
    return _point_cost(tracks, residuals(tracks, scene), scale) / NOISE**2 + deviation**2 + uneven


def _point_cost(tracks: PointTracks, errors: FloatArray, scale: float) -> float:
    """The robust cost of errors (N,2), px^2, of points each of which lets go as a whole too."""
    count = np.bincount(tracks.points, minlength=tracks.num_points)
    mean = _mean_losses(tracks, errors, scale)
    return float((count * mean / (1 + mean / _wrong_point(scale) ** 2)).sum())


def _wrong_point(scale: float) -> float:
    """WRONG_POINT while weights fall from `scale` px: a start that is far off must not make all points wrong."""
    return WRONG_POINT * scale / OUTLIER_SCALE


def _mean_losses(tracks: PointTracks, errors: FloatArray, scale: float) -> FloatArray:
    """The mean robust loss (P,) px^2 of each point's errors (N,2)."""
    square = np.minimum((errors**2).sum(-1), 1e9)
    count = np.bincount(tracks.points, minlength=tracks.num_points)
    return np.asarray(np.bincount(tracks.points, square / (1 + square / scale**2), tracks.num_points) / np.maximum(count, 1))


def _inertia(tracks: PointTracks, scene: Scene) -> Inertia:
    """What holds the cameras' steps, as sure as the points, whose errors repeat, count."""
    return inertia(tracks.times, 1 / max(float(np.median(np.abs(scene.inverse))), 1e-9), at_rate(tracks.rate) / REPEATED_ERRORS)


def _in_camera(tracks: PointTracks, scene: Scene) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each observation's camera (N,3,3), the way (N,3) from it to the point's base, and the point (N,3) in its axes, over its distance."""
    rotations = scene.rotations[tracks.frames]
    way = scene.base[tracks.points] - scene.centres[tracks.frames]
    line = scene.directions[tracks.points] + scene.inverse[tracks.points][:, None] * way
    return rotations, way, (rotations @ line[:, :, None])[:, :, 0]


def tangents(directions: FloatArray) -> FloatArray:
    """Two directions (...,3,2) across each of `directions` (...,3) of length 1."""
    least = np.eye(3)[np.abs(directions).argmin(-1)]
    first = np.cross(directions, least)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(directions, first)], -1)


def derivatives(tracks: PointTracks, scene: Scene, across: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Of the errors by the camera's turn and place (N,2,6), the point's direction and inverse (N,2,3), and the focal length (N,2,1).

    across: (P,3,2), as of `tangents`, along which directions change.
    """
    rotations, way, seen = _in_camera(tracks, scene)
    depth = np.maximum(seen[:, 2], NEAREST)
    q = seen[:, :2] / depth[:, None]
    scale = scene.focal / tracks.pixel
    by_seen = np.zeros((len(seen), 2, 3))
    by_seen[:, 0, 0] = by_seen[:, 1, 1] = scale / depth
    by_seen[:, :, 2] = -(scale / depth)[:, None] * q
    by_line = by_seen @ rotations
    inverse = scene.inverse[tracks.points][:, None, None]
    of_camera = np.concatenate([-by_seen @ skew_matrix(seen), -inverse * by_line], -1)
    of_point = np.concatenate([by_line @ across[tracks.points], by_line @ way[:, :, None]], -1)
    return of_camera, of_point, (scale * q)[:, :, None]


class _Equations:
    """The normal equations about a scene: of the cameras and the focal length (6K+1), and of each point (3)."""

    def __init__(self, tracks: PointTracks, scene: Scene, prior: tuple[float, float], scale: float) -> None:
        self._scene, self._tangents = scene, tangents(scene.directions)
        cameras, points = len(scene.centres), len(scene.inverse)
        errors = residuals(tracks, scene)
        of_its_point = 1 / (1 + _mean_losses(tracks, errors, scale) / _wrong_point(scale) ** 2) ** 2
        is_seen: BoolArray = np.logical_and(np.isfinite(errors[:, 0]), np.isfinite(errors[:, 1]))
        errors = np.where(is_seen[:, None], errors, 0.0)
        weights = is_seen * of_its_point[tracks.points] / (1 + (errors**2).sum(-1) / scale**2) ** 2 / NOISE**2
        of_camera, of_point, of_focal = derivatives(tracks, scene, self._tangents)
        root = np.sqrt(weights)[:, None, None]
        of_camera, of_point, of_focal = of_camera * root, of_point * root, of_focal * root
        errors = errors[:, :, None] * root
        starts = np.searchsorted(tracks.points, np.arange(points))
        self._of_points = _sum_by(np.swapaxes(of_point, 1, 2) @ of_point, starts) + POINT_STIFFNESS * np.eye(3)
        self._point_gradient = _sum_by((np.swapaxes(of_point, 1, 2) @ errors)[:, :, 0], starts)
        between = np.zeros((6 * cameras + 1, points, 3))
        blocks = between[:-1].reshape(cameras, 6, points, 3)
        np.add.at(np.moveaxis(blocks, 1, 2), (tracks.frames, tracks.points), np.swapaxes(of_camera, 1, 2) @ of_point)
        between[-1] = _sum_by((np.swapaxes(of_focal, 1, 2) @ of_point)[:, 0], starts)
        self._between = between
        self._of_cameras = np.zeros((6 * cameras + 1, 6 * cameras + 1))
        squares = np.zeros((cameras, 6, 6))
        np.add.at(squares, tracks.frames, np.swapaxes(of_camera, 1, 2) @ of_camera)
        for camera, square in enumerate(squares):
            self._of_cameras[6 * camera : 6 * camera + 6, 6 * camera : 6 * camera + 6] = square
        of_steps, pull = _inertia(tracks, scene).equations(scene.rotations, scene.centres)
        self._of_cameras[:-1, :-1] += of_steps
        border = np.zeros((cameras, 6))
        np.add.at(border, tracks.frames, (np.swapaxes(of_camera, 1, 2) @ of_focal)[:, :, 0])
        stiffness = max(prior[1], 1e-5) ** -2
        self._of_cameras[:-1, -1] = self._of_cameras[-1, :-1] = border.ravel()
        self._of_cameras[-1, -1] = (of_focal**2).sum() + stiffness
        gradient = np.zeros((cameras, 6))
        np.add.at(gradient, tracks.frames, (np.swapaxes(of_camera, 1, 2) @ errors)[:, :, 0])
        common = float((of_focal * errors).sum()) + stiffness * (scene.log_focal - prior[0])
        self._gradient = np.append(gradient.ravel() + pull, common)

    def _reduced(self, damping: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The cameras' equations without the points, their gradient, and between times each point's inverse."""
        diagonal = np.einsum("pii->pi", self._of_points)
        of_points = self._of_points + damping * diagonal[:, :, None] * np.eye(3)
        solved = np.einsum("cpi,pij->cpj", self._between, np.linalg.inv(of_points), optimize=True)
        flat = self._between.reshape(len(self._between), -1)
        reduced = self._of_cameras - solved.reshape(len(flat), -1) @ flat.T
        reduced[np.diag_indices(len(flat))] += damping * np.diag(self._of_cameras) + CAMERA_STIFFNESS
        gradient = self._gradient - solved.reshape(len(flat), -1) @ self._point_gradient.ravel()
        greatest = max(float(np.diag(self._of_cameras).max()), 1.0)
        reduced[np.diag_indices(len(flat))] += 1e-9 * greatest
        held = 1e3 * greatest
        reduced[:6, :6] += held * np.eye(6)
        path = self._scene.centres - self._scene.centres[0]
        path = path / max(float(np.linalg.norm(path)), 1e-9)
        size = np.append(np.column_stack([np.zeros_like(path), path]).ravel(), 0.0)
        reduced += held * np.outer(size, size)
        return reduced, gradient, solved

    def step(self, damping: float) -> Scene:
        """The scene after one damped step."""
        scene = self._scene
        reduced, gradient, _solved = self._reduced(damping)
        common = -np.linalg.solve(reduced, gradient)
        diagonal = np.einsum("pii->pi", self._of_points)
        of_points = self._of_points + damping * diagonal[:, :, None] * np.eye(3)
        right = self._point_gradient + np.einsum("cpi,c->pi", self._between, common)
        of_point = -np.linalg.solve(of_points, right[:, :, None])[:, :, 0]
        camera = common[:-1].reshape(-1, 6)
        directions = scene.directions + (self._tangents @ np.clip(of_point[:, :2, None], -0.3, 0.3))[:, :, 0]
        return replace(
            scene,
            rotations=rotmat_from_rotvec(np.clip(camera[:, :3], -0.5, 0.5)) @ scene.rotations,
            centres=scene.centres + camera[:, 3:],
            directions=directions / np.linalg.norm(directions, axis=-1, keepdims=True),
            inverse=scene.inverse + of_point[:, 2],
            log_focal=scene.log_focal + float(np.clip(common[-1], -0.3, 0.3)),
        )

    def variances(self) -> FloatArray:
        """Of the cameras' unknowns and of the focal length's logarithm (6K+1,)."""
        return np.diag(np.linalg.pinv(self._reduced(0.0)[0], hermitian=True))


def _sum_by(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums (P,...) over the observations of each point; every point has some."""
    return np.add.reduceat(values, starts, axis=0)
