"""Quality measures of a motion's path in the world: drift, the camera's level, and peak speeds.

Worlds are z up, in metres. Their origins and headings are conventions, so every measure first aligns the two motions, as its docstring
says. F frames, J joints. A measure over too few frames is nan.
"""

import numpy as np

from .array_types import ArrayLike, FloatArray
from .metrics import find_similarity, mpjpe, transform_similarity

SEGMENT_FRAMES = 100  # the literature's segments, of footage at 30 frames a second
PEAK_PERCENTILE = 95  # of speeds; the fastest frames are often the capture's own errors


def wa_mpjpe(joints: ArrayLike, true_joints: ArrayLike, segment: int | None = None) -> float:
    """WA-MPJPE, mm: `mpjpe` of joints (F,J,3) after one similarity for all frames, or for each `segment` frames.

    Source: Ye et al. 2023 (SLAHMR), and after them WHAM and GVHMR, who align segments of 100 frames.
    """
    length = segment or max(len(np.asarray(joints)), 1)
    return _segment_mpjpe(joints, true_joints, length, aligned_frames=length)


def w_mpjpe(joints: ArrayLike, true_joints: ArrayLike, segment: int = SEGMENT_FRAMES) -> float:
    """W-MPJPE, mm: `mpjpe` of joints (F,J,3) over segments, each aligned by the similarity of its first two frames; so it grows with drift.

    Source: Ye et al. 2023 (SLAHMR), and after them WHAM and GVHMR.
    """
    return _segment_mpjpe(joints, true_joints, segment, aligned_frames=2)


def heading_mpjpe(joints: ArrayLike, true_joints: ArrayLike) -> float:
    """`mpjpe` of joints (F,J,3), mm, after one rotation about z and one translation for all frames: sizes and levels are measured too."""
    return mpjpe(align_heading(joints, true_joints), true_joints)


def align_heading(source: ArrayLike, target: ArrayLike) -> FloatArray:
    """`source` rotated about z and moved onto `target` (both (F,J,3), z up) with the least squared error."""
    source, target = np.asarray(source, float), np.asarray(target, float)
    source_mean, target_mean = source.mean((0, 1)), target.mean((0, 1))
    (x, y), (true_x, true_y) = (
        (points - mean)[..., :2].reshape(-1, 2).T for points, mean in ((source, source_mean), (target, target_mean))
    )
    angle = np.arctan2((x * true_y - y * true_x).sum(), (x * true_x + y * true_y).sum())
    sine, cosine = np.sin(angle), np.cos(angle)
    return (source - source_mean) @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]]) + target_mean


def root_translation_error(root: ArrayLike, true_root: ArrayLike) -> float:
    """Mean distance of the roots' paths (F,3) in % of the true path's length, after one rigid transform for all frames.

    Source: Shin et al. 2024 (WHAM), RTE.
    """
    root, true_root = np.asarray(root, float), np.asarray(true_root, float)
    length = np.linalg.norm(np.diff(true_root, axis=0), axis=-1).sum()
    if not length > 0:
        return float("nan")
    aligned = transform_similarity(root, *find_similarity(root, true_root, with_scale=False))
    return 100 * float(np.linalg.norm(aligned - true_root, axis=-1).mean() / length)


def camera_level(camera_from_world: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Pitch (...) and roll (...), degrees, of cameras (..., 3, 3) or (..., 4, 4) with OpenCV axes in a world with z up.

    A positive pitch looks down. The roll is that of the world's up towards the image's right. A camera that looks straight down has
    roll 0, since there a turn about the line of sight changes the heading alone.
    """
    up = np.asarray(camera_from_world, float)[..., :3, 2]
    return np.degrees(np.arctan2(-up[..., 2], -up[..., 1])), np.degrees(np.arcsin(np.clip(up[..., 0], -1, 1)))


def peak_speed(points: ArrayLike, timestamps: ArrayLike) -> float:
    """The 95th percentile of the speeds of points (F,P,3), m/s."""
    points, times = np.asarray(points, float), np.asarray(timestamps, float)
    if len(points) < 2:
        return float("nan")
    speeds = np.linalg.norm(np.diff(points, axis=0), axis=-1) / np.diff(times)[:, None]
    return float(np.percentile(speeds, PEAK_PERCENTILE))


def _segment_mpjpe(joints: ArrayLike, true_joints: ArrayLike, length: int, aligned_frames: int) -> float:
    """Mean distance of joints (F,J,3), mm, over segments of `length` frames, each aligned by the similarity of its first frames.

    A rest counts if it is at least half as long, or everything.
    """
    joints, true_joints = np.asarray(joints, float), np.asarray(true_joints, float)
    if not len(joints):
        return float("nan")
    distances: list[FloatArray] = []
    for begin in range(0, max(len(joints) - (length + 1) // 2, 0) + 1, length):
        ours, true = joints[begin : begin + length], true_joints[begin : begin + length]
        similarity = find_similarity(ours[:aligned_frames].reshape(-1, 3), true[:aligned_frames].reshape(-1, 3))
        distances.append(np.linalg.norm(transform_similarity(ours.reshape(-1, 3), *similarity) - true.reshape(-1, 3), axis=-1))
    return 1000 * float(np.concatenate(distances).mean())
