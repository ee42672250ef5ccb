"""Quality measures of a motion, used by reports, benchmarks and tests.

F frames, J joints. Positions are in metres, times in seconds, unless a docstring says otherwise. A measure over no frames, or
over too few for a difference, is nan: unknown, which is not the same as good.
"""

from collections.abc import Sequence

import numpy as np

from .array_types import ArrayLike, FloatArray
from .cameras import project
from .skeletons import limb_indices

CONFIDENCE_THRESHOLD = 0.5


def reprojection_error(
    joints: FloatArray,
    joint_names: Sequence[str],
    keypoints: ArrayLike,
    keypoint_names: Sequence[str],
    intrinsics: ArrayLike,
    boxes: FloatArray,
) -> tuple[float, float]:
    """Distance in the image between projected joints and detected keypoints.

    Args:
        joints: (F,J,3) m, in camera axes. keypoints: (F,K,3) px and confidence. intrinsics: (3,3) px.
        boxes: (F,4) px: left, top, right, bottom.

    Returns:
        Median in px and median as a fraction of the box height, over the 12 limb joints with a confidence above 0.5.
    """
    pixels = project(joints[:, limb_indices(joint_names)], intrinsics)
    detected = np.asarray(keypoints)[:, limb_indices(keypoint_names)]
    distance = np.linalg.norm(pixels - detected[..., :2], axis=-1)
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1e-6)[:, None]
    counted = (detected[..., 2] > CONFIDENCE_THRESHOLD) & np.isfinite(distance)
    return _median(distance[counted]), _median((distance / height)[counted])


def jitter(joints: ArrayLike, timestamps: ArrayLike) -> float:
    """Mean magnitude of the third time derivative of joints (F,J,3), in 10 m/s^3. Footage should stay below 8.

    Source: Yi et al. 2022 (PIP), and after them WHAM and GVHMR: third difference x fps^3 / 10. Here with divided differences,
    so that uneven timestamps are allowed.
    """
    return _mean(np.linalg.norm(_derivative(joints, timestamps, 3), axis=-1)) / 10


def acceleration_error(joints: ArrayLike, true_joints: ArrayLike, timestamps: ArrayLike) -> float:
    """Mean distance between the accelerations of two motions with joints (F,J,3), m/s^2."""
    return _mean(np.linalg.norm(_derivative(np.asarray(joints) - np.asarray(true_joints), timestamps, 2), axis=-1))


def foot_slide(points: ArrayLike, contacts: ArrayLike, timestamps: ArrayLike) -> float:
    """Mean horizontal speed of feet in contact, cm/s.

    Args:
        points: (F,4,3) m, z up: left heel, left toe, right heel, right toe. contacts: (F,4) 0..1, in contact above 0.5.

    Only steps between two frames that are both in contact count.
    """
    touching = np.asarray(contacts) > CONFIDENCE_THRESHOLD
    both = touching[1:] & touching[:-1]
    moved = np.linalg.norm(np.diff(np.asarray(points)[..., :2], axis=0), axis=-1)
    return 100 * _mean((moved / np.diff(timestamps)[:, None])[both])


def floor_penetration(points: ArrayLike, percentile: float = 95) -> float:
    """Depth below z = 0 of the lowest of points (F,P,3), z up: the given percentile over frames, mm."""
    depth = np.maximum(-np.asarray(points)[..., 2].min(-1), 0)
    return 1000 * float(np.percentile(depth, percentile)) if len(depth) else float("nan")


def mpjpe(joints: ArrayLike, true_joints: ArrayLike, root: int | None = None) -> float:
    """Mean per-joint position error of joints (F,J,3), mm; both are first centered on the joint `root` where one is given."""
    joints, true_joints = np.asarray(joints, float), np.asarray(true_joints, float)
    if root is not None:
        joints, true_joints = joints - joints[:, root, None], true_joints - true_joints[:, root, None]
    return 1000 * _mean(np.linalg.norm(joints - true_joints, axis=-1))


def pa_mpjpe(joints: ArrayLike, true_joints: ArrayLike) -> float:
    """`mpjpe` after aligning each frame by the best rotation, scale and translation, mm."""
    return mpjpe(align_similarity(joints, true_joints), true_joints)


def align_similarity(source: ArrayLike, target: ArrayLike) -> FloatArray:
    """`source` rotated, scaled and moved onto `target` (both (..., N, 3)) with the least squared error."""
    return transform_similarity(source, *find_similarity(source, target))


def transform_similarity(points: ArrayLike, scale: FloatArray, rotation: FloatArray, transl: FloatArray) -> FloatArray:
    """Points (..., N, 3) under similarities of scale (...), rotation (..., 3, 3) and transl (..., 3)."""
    return scale[..., None, None] * np.asarray(points, float) @ np.swapaxes(rotation, -1, -2) + transl[..., None, :]


def find_similarity(source: ArrayLike, target: ArrayLike, with_scale: bool = True) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The similarity that maps `source` onto `target` (both (..., N, 3)) with the least squared error.

    Returns:
        scale (...), 1 unless `with_scale`; rotation (..., 3, 3); transl (..., 3): target ~ scale * source @ rotation^T + transl.

    Source: Umeyama 1991, eq. 39-42.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    source_mean, target_mean = source.mean(-2), target.mean(-2)
    source, target = source - source_mean[..., None, :], target - target_mean[..., None, :]
    u, singular, vt = np.linalg.svd(np.swapaxes(target, -1, -2) @ source)
    signs = np.ones_like(singular)
    signs[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs[..., None, :]) @ vt
    spread = np.maximum((source**2).sum((-1, -2)), 1e-12)
    scale = (singular * signs).sum(-1) / spread if with_scale else np.ones_like(spread)
    return scale, rotation, target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]


def bone_length_variation(joints: ArrayLike, parents: ArrayLike) -> FloatArray:
    """Variation of bone lengths over a motion of joints (F,J,3): standard deviation over mean, (J-1,)."""
    joints, children = np.asarray(joints, float), np.flatnonzero(np.asarray(parents) >= 0)
    length = np.linalg.norm(joints[:, children] - joints[:, np.asarray(parents)[children]], axis=-1)
    return length.std(0) / np.maximum(length.mean(0), 1e-9)


def contact_f1(contacts: ArrayLike, true_contacts: ArrayLike) -> float:
    """F1 score of contacts (F,4), in contact above 0.5; nan if neither the contacts nor the truth have any."""
    found, true = np.asarray(contacts) > CONFIDENCE_THRESHOLD, np.asarray(true_contacts) > CONFIDENCE_THRESHOLD
    claimed = found.sum() + true.sum()
    return 2 * float((found & true).sum()) / float(claimed) if claimed else float("nan")


def _derivative(values: ArrayLike, timestamps: ArrayLike, order: int) -> FloatArray:
    """Divided differences times order!: the derivative of values (F, ...) by time, (F - order, ...)."""
    values, times = np.asarray(values, float), np.asarray(timestamps, float)
    for step in range(1, order + 1):
        if len(values) < 2:
            return values[:0]
        span = times[step:] - times[:-step]
        values = step * np.diff(values, axis=0) / span.reshape(-1, *(1,) * (values.ndim - 1))
    return values


def _mean(values: FloatArray) -> float:
    return float(np.mean(values)) if np.size(values) else float("nan")


def _median(values: FloatArray) -> float:
    return float(np.median(values)) if np.size(values) else float("nan")
