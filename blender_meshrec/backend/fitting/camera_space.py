"""From joints about a hip to joints in front of the camera: where the person is, on the lines of sight, with constant bones."""

from dataclasses import dataclass

import numpy as np

from ...core.skeletons import H36M17, mirror_indices
from .smoothing import smooth_positions, smooth_whittaker
from ...core.time_series import interpolate_over_time, weighted_quantile
from .camera_translation import JOINT_OUTLIER, solve_smooth_translation, solve_translation
from .reprojection_fit import BONES, SEGMENTS, fit_reprojection

# 2D confidence from which a point counts at all, and from which it counts in full.
MIN_CONFIDENCE, FULL_CONFIDENCE = 0.2, 0.7
OUTLIER_CUTOFF = 4.0
# How much more than across the line of sight depth is smoothed along it, where the estimate trembles.
DEPTH_SMOOTHING_FACTOR = 2.0
# A steady estimate is not smoothed before the fit, and its 2D points by this share: the fit itself weighs one against the other.
PREFIT_SMOOTHING = 0.3
# A 2D point's error, of which much is slow, is so many times its tremble. Frames farther apart than this, s, do not tell
# tremble from motion. The median length of a vector of two normal numbers.
NOISE_FACTOR, MAX_FRAME_INTERVAL, RAYLEIGH_MEDIAN = 4.0, 0.055, 1.177
# A steady estimate knows the proportions of bones this well: a standard deviation, as a share.
PROPORTION_SIGMA = 0.04
# A point this share of the picture outside its edge has been guessed and counts nothing.
EDGE_MARGIN = 0.02
_LIMB_SEGMENTS = [k for k, rod in enumerate(SEGMENTS) if H36M17[rod[1]].split("_")[-1] in ("knee", "ankle", "elbow", "wrist")]


@dataclass(frozen=True)
class CameraSpaceJoints:
    """One person before the camera: joints (F,17,3) m h36m17 in camera axes (OpenCV), confidence (F,17).

    bone_lengths: (16,) m, the same in every frame, from each joint but the hip to its parent.
    """

    joints: np.ndarray
    confidence: np.ndarray
    bone_lengths: np.ndarray


def solve_camera_space(estimate, keypoints, visible, intrinsics, image_size, timestamps, smoothing=1.0, scale=1.0):
    """Put an estimate where its 2D points say it is.

    Args:
        estimate: an Estimate of F frames. keypoints: (F,17,3) px and confidence, h36m17. visible: (F,).
        intrinsics: (3,3) px. image_size: (width, height) px. timestamps: (F,) s. smoothing: strength, 0 is off.
        scale: how many times larger than the estimate the person is, and so farther away.

    Returns:
        CameraSpaceJoints. Rows without the person are interpolated, held at the ends, and have confidence 0.

    Both the measurements and the fit are smoothed, the fit as bone directions: bones keep their lengths.
    """
    known = np.asarray(visible, bool)
    times = np.asarray(timestamps, float)
    points = np.asarray(keypoints, float)[known]
    weights = keypoint_weights(points, image_size)
    rays, relative = _rays_from_pixels(points[..., :2], intrinsics), scale * np.asarray(estimate.joints, float)[known]
    contacts = None if estimate.contacts is None else np.asarray(estimate.contacts, float)[known]
    root, directions, bones = _solve_visible_frames(relative, rays, weights, contacts, times[known], smoothing, estimate.is_temporal)
    # Frames without the person lie between their neighbours, limb by limb.
    root, directions = (interpolate_over_time(times, times[known], values) for values in (root, directions))
    joints = root + _joints_from_bones(_set_lengths(directions, bones))
    return CameraSpaceJoints(joints, np.asarray(estimate.confidence, float) * known[:, None], bones)


def _solve_visible_frames(relative, rays, weights, contacts, times, smoothing, steady):
    """Hip (F,1,3) m, bone vectors (F,16,3) and bone lengths (16,) m over the frames in which the person is seen."""
    for joint in range(rays.shape[1]):
        seen = weights[:, joint] > 0
        if seen.any():
            rays[:, joint] = interpolate_over_time(times, times[seen], rays[seen, joint])
    if smoothing > 0 and not steady:
        relative = smooth_estimate(relative, times, smoothing)
    noise = keypoint_noise(rays, weights, times) * np.median(solve_translation(relative, rays, weights)[:, 2])
    rays = smooth_positions(rays, times, PREFIT_SMOOTHING * smoothing if steady else smoothing, weights)
    lengths = measure_segment_lengths(relative, rays, weights)
    if steady:
        lengths = regularize_segment_lengths(lengths, relative, NOISE_FACTOR * noise)
    bones = lengths[: len(BONES)]
    figure = _joints_from_bones(_set_lengths(relative[:, BONES[:, 1]] - relative[:, BONES[:, 0]], bones))
    transl = solve_smooth_translation(relative, rays, weights, times, contacts)
    joints = fit_reprojection(figure + transl[:, None], rays, weights, lengths, NOISE_FACTOR * noise)
    root, directions = joints[:, :1], _set_lengths(joints[:, BONES[:, 1]] - joints[:, BONES[:, 0]], bones)
    if smoothing > 0:
        depth = 1.0 if steady else DEPTH_SMOOTHING_FACTOR
        root, directions = (smooth_camera_space(values, times, smoothing, depth_factor=depth) for values in (root, directions))
    return root, directions, bones


def smooth_camera_space(values, times, strength, confidence=None, depth_factor=DEPTH_SMOOTHING_FACTOR):
    """Smooth vectors (F,J,3) in camera axes, depth more than the rest: a detector's guesses at it come and go in bursts."""
    across = smooth_positions(values[..., :2], times, strength, confidence)
    return np.concatenate([across, smooth_positions(values[..., 2:], times, depth_factor * strength, confidence)], -1)


def smooth_estimate(relative, times, strength=1.0):
    """An estimate's joints (F,J,3) in camera axes that trembles and slips, smoothed."""
    return smooth_camera_space(relative, times, strength, _inlier_weights(relative, times))


def keypoint_noise(rays, weights, times):
    """How far each 2D point trembles about its path, (17,): a standard deviation, in units of the rays (F,17,2).

    The median third difference of neighbouring frames, over what white noise of unit size makes of it. Motion hardly shows
    in it where frames follow fast; where they do not, nothing is known, which is 0.
    """
    stencil = np.array([-1.0, 3.0, -3.0, 1.0])
    if len(times) < 8 or np.median(np.diff(times)) > MAX_FRAME_INTERVAL:
        return np.zeros(rays.shape[1])
    third = sum(factor * rays[k : len(rays) - 3 + k] for k, factor in enumerate(stencil))
    known = np.min([weights[k : len(rays) - 3 + k] for k in range(4)], 0)
    size = np.linalg.norm(third, axis=-1) / (np.linalg.norm(stencil) * RAYLEIGH_MEDIAN)
    return np.array([weighted_quantile(size[:, k], known[:, k] + 1e-6, 0.5) for k in range(rays.shape[1])])


def keypoint_weights(keypoints, image_size):
    """How much 2D points (F,K,3) count, (F,K) 0..1: by their confidence, and not at all outside the picture."""
    size = np.asarray(image_size, float)
    margin = EDGE_MARGIN * size.max()
    inside = ((keypoints[..., :2] > -margin) & (keypoints[..., :2] < size + margin)).all(-1)
    return np.clip((keypoints[..., 2] - MIN_CONFIDENCE) / (FULL_CONFIDENCE - MIN_CONFIDENCE), 0, 1) * inside


def measure_segment_lengths(relative, rays, weights):
    """One length for each of SEGMENTS over the clip, (18,) m, left and right alike.

    Each frame measures a rod with its ends on their lines of sight and its slant from the estimate. Rods across the line
    of sight are measured well and count most; a rod that points at the camera says little: weighted median over frames.
    """
    moved = relative + solve_translation(relative, rays, weights)[:, None]
    ends = np.concatenate([rays * moved[..., 2:], moved[..., 2:]], -1)
    known = weights[..., None] > 0.5
    ends = np.where(known, ends, moved)
    rod = ends[:, SEGMENTS[:, 1]] - ends[:, SEGMENTS[:, 0]]
    length = np.linalg.norm(rod, axis=-1)
    across = (rod[..., :2] ** 2).sum(-1) / np.maximum(length**2, 1e-9)
    count = across**2 * (0.01 + weights[:, SEGMENTS[:, 0]] * weights[:, SEGMENTS[:, 1]])
    lengths = np.array([weighted_quantile(length[:, k], count[:, k], 0.5) for k in range(len(SEGMENTS))])
    evidence = count.sum(0)
    for pair in map(list, _mirrored_segments()):
        lengths[pair] = np.average(lengths[pair], weights=evidence[pair])
    return np.maximum(lengths, 0.01)


def regularize_segment_lengths(lengths, relative, noise):
    """Measured lengths of SEGMENTS (18,) m, drawn towards a steady estimate's proportions as far as noise may have drawn them out.

    Args:
        relative: (F,17,3) m, the estimate. noise: (17,) m, the 2D points' standard deviations.

    The distance of two points that err by s1 and s2 is on average (s1^2 + s2^2) / 2L longer than their true distance L: little
    for a thigh, much for half a pelvis.
    """
    estimated = np.median(np.linalg.norm(relative[:, SEGMENTS[:, 1]] - relative[:, SEGMENTS[:, 0]], axis=-1), 0)
    # Limbs are long enough to tell the person's size.
    estimated = np.maximum(estimated * np.median((lengths / np.maximum(estimated, 1e-6))[_LIMB_SEGMENTS]), 0.01)
    bias = (noise[SEGMENTS] ** 2).sum(1) / (2 * estimated)
    share = bias**2 / (bias**2 + (PROPORTION_SIGMA * estimated) ** 2)
    return (1 - share) * lengths + share * estimated


def _rays_from_pixels(pixels, intrinsics):
    """Pixels (F,K,2) as x/z and y/z."""
    homogeneous = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], -1)
    return (homogeneous @ np.linalg.inv(intrinsics).T)[..., :2]


def _inlier_weights(relative, times):
    """How far each joint is from a slip, (F,17) 0..1: near 0 where it jumps away from its neighbours in time."""
    trust = np.ones(relative.shape[:2])
    for _ in range(3):
        smooth = smooth_whittaker(relative.reshape(len(times), -1), times, OUTLIER_CUTOFF, np.repeat(trust, 3, 1))
        off = np.linalg.norm(relative - smooth.reshape(relative.shape), axis=-1)
        trust = 1 / (1 + (off / JOINT_OUTLIER) ** 2)
    return trust


def _set_lengths(directions, lengths):
    """Bone vectors (F,16,3) brought to their lengths (16,)."""
    return directions * (lengths / np.maximum(np.linalg.norm(directions, axis=-1), 1e-6))[..., None]


def _joints_from_bones(directions):
    """Joints (F,17,3) about the hip of bone vectors (F,16,3)."""
    joints = np.zeros((len(directions), 17, 3))
    for k, (parent, child) in enumerate(BONES):
        joints[:, child] = joints[:, parent] + directions[:, k]
    return joints


def _mirrored_segments():
    """Rods of one side and their twins on the other, [(rod, twin), ...]."""
    mirror, rods = mirror_indices(H36M17), SEGMENTS.tolist()
    pairs = [(k, rods.index([mirror[a], mirror[b]])) for k, (a, b) in enumerate(rods) if [mirror[a], mirror[b]] in rods]
    return [(k, twin) for k, twin in pairs if k < twin]
