"""The camera of every frame, from the points that the key frames placed, on a path without jumps.

The points stay; each frame's turn and place are fitted to where it sees them. Where it sees few, what holds it is that a camera hardly
changes its speed from one frame to the next.
"""

import numpy as np
from scipy.linalg import solveh_banded  # pyrefly: ignore[untyped-import] - scipy ships no type stubs

from ...core.array_types import BoolArray, FloatArray, IntArray
from ...core.rotations import quat_from_rotmat, rotmat_from_quat, rotmat_from_rotvec, skew_matrix, slerp
from ...core.time_series import bracketing_samples
from .camera_inertia import Inertia, at_rate, inertia
from .point_tracks import PointTracks
from .scene_adjustment import NEAREST, NOISE, Scene, residuals

LEAST_STIFFNESS = 1e-6  # of the inertia's: keeps the equations of a frame solvable that sees nothing
OUTLIER_SCALES = (6.0, 3.0, 1.5, 1.5, 1.5, 1.5)  # px of the small image, from which weights fall; one a step


def interpolate_cameras(keys: IntArray, rotations: FloatArray, centres: FloatArray, num_frames: int) -> tuple[FloatArray, FloatArray]:
    """Rotations (F,3,3) and centres (F,3) between those (K,3,3), (K,3) of key frames (K,); before and after them the nearest's."""
    before, after, weight = bracketing_samples(np.arange(num_frames, dtype=float), keys.astype(float))
    quat = quat_from_rotmat(rotations)
    turned = rotmat_from_quat(slerp(quat[before], quat[after], weight))
    return turned, centres[before] + weight[:, None] * (centres[after] - centres[before])


def fit_all_frames(tracks: PointTracks, scene: Scene, distance: float) -> Scene:
    """A scene whose cameras, all frames', are fitted to its points.

    Args:
        tracks: observations of the scene's points in all frames. distance: of the scene, in the path's units.
    """
    held = inertia(tracks.times, distance, at_rate(tracks.rate))
    for scale in OUTLIER_SCALES:
        squares, gradient = _image_equations(tracks, scene, scale)
        band = _with_inertia(squares, gradient, scene, held)
        step = -np.asarray(solveh_banded(band, gradient.ravel(), lower=True)).reshape(-1, 6)
        turns = rotmat_from_rotvec(np.clip(step[:, :3], -0.3, 0.3))
        scene = Scene(
            turns @ scene.rotations,
            scene.centres + np.clip(step[:, 3:], -distance, distance),
            scene.base,
            scene.directions,
            scene.inverse,
            scene.log_focal,
        )
    return scene


def _image_equations(tracks: PointTracks, scene: Scene, scale: float) -> tuple[FloatArray, FloatArray]:
    """Normal equations of each frame (F,6,6) and gradient (F,6), of turn and place, from where it sees the points."""
    errors = residuals(tracks, scene)
    is_seen: BoolArray = np.logical_and(np.isfinite(errors[:, 0]), np.isfinite(errors[:, 1]))
    errors = np.where(is_seen[:, None], errors, 0.0)
    weights = (is_seen / (1 + (errors**2).sum(-1) / scale**2) ** 2 / NOISE**2)[:, None, None]
    rotations = scene.rotations[tracks.frames]
    inverse = scene.inverse[tracks.points]
    line = scene.directions[tracks.points] + inverse[:, None] * (scene.base[tracks.points] - scene.centres[tracks.frames])
    seen = (rotations @ line[:, :, None])[:, :, 0]
    depth = np.maximum(seen[:, 2], NEAREST)
    by_seen = np.zeros((len(seen), 2, 3))
    by_seen[:, 0, 0] = by_seen[:, 1, 1] = scene.focal / tracks.pixel / depth
    by_seen[:, :, 2] = -by_seen[:, :1, 0] * seen[:, :2] / depth[:, None]
    by_camera = np.concatenate([-by_seen @ skew_matrix(seen), -inverse[:, None, None] * (by_seen @ rotations)], -1)
    turned = np.swapaxes(by_camera, 1, 2) * weights
    squares, gradient = np.zeros((tracks.num_frames, 6, 6)), np.zeros((tracks.num_frames, 6))
    np.add.at(squares, tracks.frames, turned @ by_camera)
    np.add.at(gradient, tracks.frames, (turned @ errors[:, :, None])[:, :, 0])
    return squares, gradient


def _with_inertia(squares: FloatArray, gradient: FloatArray, scene: Scene, held: Inertia) -> FloatArray:
    """The equations of all frames as a lower band (18,6F), with what holds changes of the steps; its gradient is added in place."""
    frames = len(squares)
    band = np.zeros((18, 6 * frames))
    for below in range(6):
        inner = np.arange(6 - below)
        band[below].reshape(frames, 6)[:, : 6 - below] = squares[:, inner + below, inner]
    band[0] += LEAST_STIFFNESS * np.tile(held.stiffness, frames)
    if frames < 3:
        return band
    pull, curvature = held.linearised(scene.rotations, scene.centres)
    factors = held.factors
    for i in range(3):
        rows = slice(i, frames - 2 + i)
        gradient[rows] += factors[:, i : i + 1] * pull
        for j in range(i + 1):  # frame j is not after frame i
            band[6 * (i - j)].reshape(frames, 6)[j : frames - 2 + j] += (factors[:, i] * factors[:, j])[:, None] * curvature
    return band
