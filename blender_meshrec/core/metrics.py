"""How good a motion is: the numbers that reports, benchmarks and tests share.

F frames, J joints. Positions are in metres, times in seconds, unless a docstring says otherwise. Measures over no
frames, or too few for a difference, are nan: not known, which is not the same as good.
"""

import numpy as np

from .cameras import project
from .skeletons import limb_indices

CONFIDENCE_THRESHOLD = 0.5


def reprojection_error(joints, joint_names, keypoints, keypoint_names, intrinsics, boxes):
    """How far joints land from where a detector saw them.

    Args:
        joints: (F,J,3) m, in camera axes. keypoints: (F,K,3) px and confidence. intrinsics: (3,3) px.
        boxes: (F,4) px: left, top, right, bottom.

    Returns:
        (median in px, median as a share of the person's box height), over the 12 limb joints with confidence above 0.5.
    """
    pixels = project(joints[:, limb_indices(joint_names)], intrinsics)
    seen = np.asarray(keypoints)[:, limb_indices(keypoint_names)]
    distance = np.linalg.norm(pixels - seen[..., :2], axis=-1)
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1e-6)[:, None]
    counted = (seen[..., 2] > CONFIDENCE_THRESHOLD) & np.isfinite(distance)
    return _median(distance[counted]), _median((distance / height)[counted])


def jitter(joints, timestamps):
    """The mean size of the third time derivative of joints (F,J,3), in 10 m/s^3. Footage should stay below 8.

    Source: Yi et al. 2022 (PIP) and after them WHAM and GVHMR, third difference x fps^3 / 10; here with divided
    differences, so that it holds for uneven timestamps too.
    """
    return _mean(np.linalg.norm(_derivative(joints, timestamps, 3), axis=-1)) / 10


def acceleration_error(joints, true_joints, timestamps):
    """The mean distance between two motions' accelerations, m/s^2, of joints (F,J,3)."""
    return _mean(np.linalg.norm(_derivative(np.asarray(joints) - true_joints, timestamps, 2), axis=-1))


def foot_slide(points, contacts, timestamps):
    """The mean speed along the floor of feet that touch it, cm/s.

    Args:
        points: (F,4,3) m, z up: left heel, left toe, right heel, right toe. contacts: (F,4) 0..1, touching above 0.5.

    Counted from one frame to the next where a point touches the floor in both.
    """
    touching = np.asarray(contacts) > CONFIDENCE_THRESHOLD
    both = touching[1:] & touching[:-1]
    moved = np.linalg.norm(np.diff(np.asarray(points)[..., :2], axis=0), axis=-1)
    return 100 * _mean((moved / np.diff(timestamps)[:, None])[both])


def floor_penetration(points, percentile=95):
    """How deep the lowest of some points (F,P,3), z up, goes below z = 0: the given percentile over frames, mm."""
    depth = np.maximum(-np.asarray(points)[..., 2].min(-1), 0)
    return 1000 * float(np.percentile(depth, percentile)) if len(depth) else float("nan")


def mpjpe(joints, true_joints, root=None):
    """Mean distance of joints (F,J,3) from the truth, mm; `root` is the joint both are moved to the origin by, if any."""
    joints, true_joints = np.asarray(joints, float), np.asarray(true_joints, float)
    if root is not None:
        joints, true_joints = joints - joints[:, root, None], true_joints - true_joints[:, root, None]
    return 1000 * _mean(np.linalg.norm(joints - true_joints, axis=-1))


def pa_mpjpe(joints, true_joints):
    """`mpjpe` after each frame's best rotation, scale and shift onto the truth, mm."""
    return mpjpe(align_similarity(joints, true_joints), true_joints)


def align_similarity(source, target):
    """Rotate, scale and move `source` onto `target` (both (..., N, 3)) with the least squared error; returns it moved.

    Source: Umeyama 1991, eq. 39-42.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    from_middle, to_middle = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    source, centred = source - from_middle, target - to_middle
    u, singular, vt = np.linalg.svd(np.swapaxes(centred, -1, -2) @ source)
    signs = np.ones_like(singular)
    signs[..., -1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs[..., None, :]) @ vt
    spread = np.maximum((source**2).sum((-1, -2)), 1e-12)
    scale = ((singular * signs).sum(-1) / spread)[..., None, None]
    return scale * source @ np.swapaxes(rotation, -1, -2) + to_middle


def bone_length_variation(joints, parents):
    """How much bones change their length over a motion of joints (F,J,3): standard deviation over mean, (J-1,)."""
    joints, children = np.asarray(joints, float), np.flatnonzero(np.asarray(parents) >= 0)
    length = np.linalg.norm(joints[:, children] - joints[:, np.asarray(parents)[children]], axis=-1)
    return length.std(0) / np.maximum(length.mean(0), 1e-9)


def contact_f1(contacts, true_contacts):
    """F1 score of contacts (F,4), touching above 0.5: twice the hits over all that either says touch; nan if neither does."""
    found, true = np.asarray(contacts) > CONFIDENCE_THRESHOLD, np.asarray(true_contacts) > CONFIDENCE_THRESHOLD
    claimed = found.sum() + true.sum()
    return 2 * float((found & true).sum()) / float(claimed) if claimed else float("nan")


def _derivative(values, timestamps, order):
    """Divided differences times order!: the derivative of (F, ...) by time, (F - order, ...)."""
    values, times = np.asarray(values, float), np.asarray(timestamps, float)
    for step in range(1, order + 1):
        if len(values) < 2:
            return values[:0]
        span = times[step:] - times[:-step]
        values = step * np.diff(values, axis=0) / span.reshape(-1, *(1,) * (values.ndim - 1))
    return values


def _mean(values):
    return float(np.mean(values)) if np.size(values) else float("nan")


def _median(values):
    return float(np.median(values)) if np.size(values) else float("nan")
