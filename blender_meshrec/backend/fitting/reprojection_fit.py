"""Joints on their lines of sight: a batched Gauss-Newton fit of 17 joints a frame to what is known of them.

Known are the 2D points (well, across the line of sight), the bones' lengths (well, and the same in every frame) and the
3D estimate's bone directions (roughly: its depth is the weak side of every monocular method). Frames do not depend on each
other here; time enters through the inputs, which are smooth already.
"""

import numpy as np

from ...core.skeletons import H36M17, H36M17_PARENTS

BONES = np.array([(parent, child) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0])
# Pairs that are no bones but keep their distance: hips and shoulders, without which a torso may fold along the line of sight.
GIRDLE_PAIRS = np.array([(H36M17.index(f"left_{girdle}"), H36M17.index(f"right_{girdle}")) for girdle in ("hip", "shoulder")])
SEGMENTS = np.concatenate([BONES, GIRDLE_PAIRS])
HIP = H36M17.index("hip")

# Standard deviations, metres at the person's distance.
KEYPOINT_SIGMA = 0.01  # 2D points; beyond three times this their pull fades (Geman and McClure 1987)
LENGTH_SIGMAS = (0.03, 0.015)  # lengths over the clip, loosely first: a limb seen at full length may lean either way
DIRECTION_SIGMA = 0.06  # a bone's end in the 3D estimate, seen from its start
DEPTH_SIGMA = 0.02  # the hip's distance, as the whole clip tells it
ROBUST_SCALE = 3.0
STEPS = 3
DAMPING = 1e-3
CHUNK = 256  # frames solved at once: (256, 51, 51) doubles are 5 MB


def fit_reprojection(joints, rays, weights, lengths, noise=0.0):
    """Move joints so that they meet their 2D points with bones of constant length.

    Args:
        joints: (F,17,3) m in camera axes, the first guess; its bone vectors and its hip's depth are also the prior.
        rays: (F,17,2), the 2D points as x/z and y/z. weights: (F,17) 0..1 of the 2D points.
        lengths: (18,) m, of SEGMENTS. noise: (17,) m, or one number: how much worse than KEYPOINT_SIGMA the 2D points are known.

    Returns:
        (F,17,3) m. A joint whose 2D point has no weight hangs where the prior has it, from the joint before it.
    """
    fitted = np.empty_like(joints)
    sigma = np.broadcast_to(np.hypot(KEYPOINT_SIGMA, noise), 17)
    for start in range(0, len(joints), CHUNK):
        rows = slice(start, start + CHUNK)
        fitted[rows] = _fit_chunk(joints[rows], rays[rows], weights[rows], lengths, sigma)
    return fitted


def _fit_chunk(prior, rays, weights, lengths, sigma):
    frames = len(prior)
    distance = np.maximum(prior[:, HIP, 2], 1e-3)
    directions = prior[:, BONES[:, 1]] - prior[:, BONES[:, 0]]
    fixed = _prior_matrix(frames)
    joints = prior.copy()
    damping = np.full(frames, DAMPING)
    for tolerance in LENGTH_SIGMAS:
        energy, matrix, gradient = _linearise(joints, prior, fixed, directions, rays, weights, distance, lengths, tolerance, sigma)
        for _ in range(STEPS):
            square = matrix.transpose(0, 1, 3, 2, 4).reshape(frames, 51, 51)
            np.einsum("fii->fi", square)[:] *= 1 + damping[:, None]
            moved = joints - np.linalg.solve(square, gradient.reshape(frames, 51, 1)).reshape(frames, 17, 3)
            trial = _linearise(moved, prior, fixed, directions, rays, weights, distance, lengths, tolerance, sigma)
            better = trial[0] < energy
            joints[better] = moved[better]
            for kept, new in zip((energy, matrix, gradient), trial):
                kept[better] = new[better]
            damping = np.clip(np.where(better, damping / 4, damping * 8), 1e-6, 1e3)
    return joints


def _linearise(joints, prior, fixed, directions, rays, weights, distance, lengths, tolerance, sigma=KEYPOINT_SIGMA):
    """Energy (F,), the matrix (F,17,17,3,3) and the gradient (F,17,3) of the normal equations."""
    matrix, gradient = fixed.copy(), np.zeros_like(joints)
    energy = _add_keypoint_term(matrix, gradient, joints, rays, weights, distance, sigma)
    energy += _add_length_term(matrix, gradient, joints, lengths, tolerance)
    energy += _add_direction_term(gradient, joints, directions)
    off = joints[:, HIP, 2] - prior[:, HIP, 2]
    gradient[:, HIP, 2] += off / DEPTH_SIGMA**2
    return energy + (off / DEPTH_SIGMA) ** 2, matrix, gradient


def _prior_matrix(frames):
    """The constant part of the normal equations, (F,17,17,3,3): bone directions and the hip's depth."""
    matrix = np.zeros((17, 17, 3, 3))
    for parent, child in BONES:
        matrix[parent, parent] += np.eye(3) / DIRECTION_SIGMA**2
        matrix[child, child] += np.eye(3) / DIRECTION_SIGMA**2
        matrix[parent, child] -= np.eye(3) / DIRECTION_SIGMA**2
        matrix[child, parent] -= np.eye(3) / DIRECTION_SIGMA**2
    matrix[HIP, HIP, 2, 2] += 1 / DEPTH_SIGMA**2
    matrix[HIP, HIP] += np.eye(3) * 1e-3  # where nothing is seen at all the hip stays
    return np.tile(matrix, (frames, 1, 1, 1, 1))


def _add_keypoint_term(matrix, gradient, joints, rays, weights, distance, sigma):
    """Residual (x/z - u) times the person's distance, in `sigma`, of each joint's two image axes."""
    depth = np.maximum(joints[..., 2:], 0.1 * distance[:, None, None])
    scale = distance[:, None, None] / np.broadcast_to(sigma, 17)[:, None]
    residual = (joints[..., :2] / depth - rays) * scale
    squared = (residual**2).sum(-1)
    pull = weights / (1 + squared / ROBUST_SCALE**2) ** 2
    slope = np.zeros((*joints.shape[:2], 2, 3))
    slope[..., 0, 0] = slope[..., 1, 1] = (scale / depth)[..., 0]
    slope[..., 2] = -scale * joints[..., :2] / depth**2
    each = np.arange(17)
    matrix[:, each, each] += np.einsum("fj,fjra,fjrb->fjab", pull, slope, slope)
    gradient += np.einsum("fj,fjr,fjra->fja", pull, residual, slope)
    return (weights * squared / (1 + squared / ROBUST_SCALE**2)).sum(1)


def _add_length_term(matrix, gradient, joints, lengths, tolerance):
    start, end = SEGMENTS.T
    rod = joints[:, end] - joints[:, start]
    length = np.maximum(np.linalg.norm(rod, axis=-1), 1e-6)
    along = rod / length[..., None]
    block = along[..., :, None] * along[..., None, :] / tolerance**2
    push = ((length - lengths) / tolerance**2)[..., None] * along
    for k, (a, b) in enumerate(SEGMENTS):
        matrix[:, a, a] += block[:, k]
        matrix[:, b, b] += block[:, k]
        matrix[:, a, b] -= block[:, k]
        matrix[:, b, a] -= block[:, k]
        gradient[:, b] += push[:, k]
        gradient[:, a] -= push[:, k]
    return (((length - lengths) / tolerance) ** 2).sum(1)


def _add_direction_term(gradient, joints, directions):
    off = joints[:, BONES[:, 1]] - joints[:, BONES[:, 0]] - directions
    difference = off / DIRECTION_SIGMA**2
    for k, (a, b) in enumerate(BONES):
        gradient[:, b] += difference[:, k]
        gradient[:, a] -= difference[:, k]
    return ((off / DIRECTION_SIGMA) ** 2).sum((1, 2))
