"""From joints about a hip to joints in front of the camera: on their lines of sight, with constant bone lengths."""

from dataclasses import dataclass, replace

import numpy as np

from ...core.array_types import ArrayLike, BoolArray, FloatArray
from ...core.cameras import rays_from_pixels
from ...core.records import Estimate
from ...core.rotations import turn_between
from ...core.time_series import LONGEST_GAP, interpolate_over_time
from .camera_translation import JOINT_OUTLIER, solve_smooth_translation, solve_translation
from .keypoint_noise import keypoint_noise, keypoint_weights
from .reprojection_fit import BONES, fit_reprojection
from .robust_weights import cauchy_weight
from .segment_lengths import measure_segment_lengths, regularize_segment_lengths
from .smoothing import smooth_positions, smooth_whittaker

OUTLIER_CUTOFF = 4.0  # Hz; a joint far off its own motion below this is an outlier
# Depth is smoothed this many times more than the image axes, unless the estimate is temporal.
DEPTH_SMOOTHING_FACTOR = 2.0
# A temporal estimate is not smoothed before the fit, and its keypoints by this factor less: the fit weighs one against the other.
PREFIT_SMOOTHING = 0.3
# Keypoint error is taken as this many times the high-frequency noise: much of it is slow.
NOISE_FACTOR = 4.0


@dataclass(frozen=True)
class CameraSpaceJoints:
    """One person before the camera: joints (F,17,3) m h36m17 in camera axes (OpenCV), confidence (F,17).

    bone_lengths: (16,) m, the same in every frame, from each joint but the hip to its parent.
    """

    joints: FloatArray
    confidence: FloatArray
    bone_lengths: FloatArray


def with_focal_length(person: CameraSpaceJoints, zoom: float) -> CameraSpaceJoints:
    """The joints on the lines of sight of a focal length exp(zoom) times as long: farther away, and turned with the line to the hip."""
    hip = person.joints[:, :1]
    moved = hip * [1, 1, np.exp(zoom)]
    turn = turn_between(hip[:, 0], moved[:, 0])
    return replace(person, joints=moved + (person.joints - hip) @ np.swapaxes(turn, -1, -2))


def scaled(person: CameraSpaceJoints, scale: float) -> CameraSpaceJoints:
    """The joints of a person so many times larger, and farther away."""
    return replace(person, joints=scale * person.joints, bone_lengths=scale * person.bone_lengths)


def solve_camera_space(
    estimate: Estimate,
    keypoints: ArrayLike,
    visible: ArrayLike,
    intrinsics: ArrayLike,
    image_size: ArrayLike,
    timestamps: ArrayLike,
    smoothing: float = 1.0,
    scale: float = 1.0,
) -> CameraSpaceJoints:
    """Move an estimate to where its keypoints are seen.

    Args:
        estimate: of F frames. keypoints: (F,17,3) px and confidence, h36m17. visible: (F,).
        intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s. smoothing: strength, 0 is off.
        scale: factor by which the person is larger than the estimate, and so farther away.

    Returns:
        CameraSpaceJoints. Rows without the person are interpolated, held at the ends, and have confidence 0.

    Both the measurements and the fit are smoothed, the fit as bone directions: bones keep their lengths.
    """
    visible, times = np.asarray(visible, bool), np.asarray(timestamps, float)
    points = np.asarray(keypoints, float)[visible]
    observed = _ObservedFrames(
        relative=scale * np.asarray(estimate.joints, float)[visible],
        rays=rays_from_pixels(points[..., :2], intrinsics),
        weights=keypoint_weights(points, image_size),
        contacts=None if estimate.contacts is None else np.asarray(estimate.contacts, float)[visible],
        times=times[visible],
    )
    root, directions, lengths = _solve_observed_frames(observed, smoothing, estimate.is_temporal)
    # Frames without the person are interpolated bone by bone; longer gaps are held.
    root, directions = (interpolate_over_time(times, times[visible], values, LONGEST_GAP) for values in (root, directions))
    joints = root + _joints_from_bones(_with_lengths(directions, lengths))
    return CameraSpaceJoints(joints, np.asarray(estimate.confidence, float) * visible[:, None], lengths)


@dataclass(frozen=True)
class _ObservedFrames:
    """The F frames with the person: the estimate (F,17,3) m about the hip, rays (F,17,2) and weights (F,17) of its keypoints,
    contacts (F,4) or None, times (F,) s."""

    relative: FloatArray
    rays: FloatArray
    weights: FloatArray
    contacts: FloatArray | None
    times: FloatArray


def _solve_observed_frames(observed: _ObservedFrames, smoothing: float, is_temporal: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Hip (F,1,3) m, bone vectors (F,16,3) m and bone lengths (16,) m."""
    relative, weights, times = observed.relative, observed.weights, observed.times
    rays = _interpolate_missing_rays(observed.rays, weights, times)
    if smoothing > 0 and not is_temporal:
        relative = smooth_estimate(relative, times, smoothing)
    noise = NOISE_FACTOR * (keypoint_noise(rays, weights, times) * np.median(solve_translation(relative, rays, weights)[:, 2]))
    rays = smooth_positions(rays, times, PREFIT_SMOOTHING * smoothing if is_temporal else smoothing, weights)
    segment_lengths = measure_segment_lengths(relative, rays, weights)
    if is_temporal:
        segment_lengths = regularize_segment_lengths(segment_lengths, relative, noise)
    lengths = segment_lengths[: len(BONES)]
    figure = _joints_from_bones(_with_lengths(_bone_vectors(relative), lengths))
    transl = solve_smooth_translation(relative, rays, weights, times, observed.contacts)
    joints = fit_reprojection(figure + transl[:, None], rays, weights, segment_lengths, noise)
    root, directions = joints[:, :1], _with_lengths(_bone_vectors(joints), lengths)
    if smoothing > 0:
        depth_factor = 1.0 if is_temporal else DEPTH_SMOOTHING_FACTOR
        root, directions = (smooth_camera_space(values, times, smoothing, depth_factor=depth_factor) for values in (root, directions))
    return root, directions, lengths


def smooth_camera_space(
    values: FloatArray,
    times: FloatArray,
    strength: float,
    confidence: FloatArray | None = None,
    depth_factor: float = DEPTH_SMOOTHING_FACTOR,
) -> FloatArray:
    """Smooth vectors (F,J,3) in camera axes, depth more than the image axes: its errors come and go in bursts."""
    across = smooth_positions(values[..., :2], times, strength, confidence)
    return np.concatenate([across, smooth_positions(values[..., 2:], times, depth_factor * strength, confidence)], -1)


def smooth_estimate(relative: FloatArray, times: FloatArray, strength: float = 1.0) -> FloatArray:
    """Smooth an estimate's joints (F,J,3) in camera axes, without their outliers."""
    return smooth_camera_space(relative, times, strength, _inlier_weights(relative, times))


def _inlier_weights(relative: FloatArray, times: FloatArray) -> FloatArray:
    """Weights (F,J) 0..1 of joints (F,J,3) m: near 0 where a joint jumps away from its neighbours in time."""
    weights = np.ones(relative.shape[:2])
    for _ in range(3):
        smooth = smooth_whittaker(relative.reshape(len(times), -1), times, OUTLIER_CUTOFF, np.repeat(weights, 3, 1))
        weights = cauchy_weight(np.linalg.norm(relative - smooth.reshape(relative.shape), axis=-1), JOINT_OUTLIER)
    return weights


def _interpolate_missing_rays(rays: FloatArray, weights: BoolArray | FloatArray, times: FloatArray) -> FloatArray:
    """Rays (F,K,2), interpolated over time where a keypoint has no weight (F,K)."""
    rays = rays.copy()
    for joint in range(rays.shape[1]):
        is_known = weights[:, joint] > 0
        if is_known.any():
            rays[:, joint] = interpolate_over_time(times, times[is_known], rays[is_known, joint])
    return rays


def _bone_vectors(joints: FloatArray) -> FloatArray:
    """Bone vectors (F,16,3) of joints (F,17,3)."""
    return joints[:, BONES[:, 1]] - joints[:, BONES[:, 0]]


def _with_lengths(directions: FloatArray, lengths: FloatArray) -> FloatArray:
    """Bone vectors (F,16,3) scaled to lengths (16,)."""
    return directions * (lengths / np.maximum(np.linalg.norm(directions, axis=-1), 1e-6))[..., None]


def _joints_from_bones(bone_vectors: FloatArray) -> FloatArray:
    """Joints (F,17,3) about the hip of bone vectors (F,16,3)."""
    joints = np.zeros((len(bone_vectors), len(BONES) + 1, 3))
    for k, (parent, child) in enumerate(BONES):
        joints[:, child] = joints[:, parent] + bone_vectors[:, k]
    return joints
