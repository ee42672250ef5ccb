"""Joints on their lines of sight: a batched Gauss-Newton fit of 17 joints a frame, frame by frame.

The cost has four terms: the keypoints (precise across the line of sight), the bone lengths (precise, and the same in every
frame), the 3D estimate's bone directions (rough: depth is the weak side of every monocular method), and the hip's depth.
Frames are independent here; time enters through the inputs, which are smooth already.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17, H36M17_PARENTS

BONES = np.array([(parent, child) for child, parent in enumerate(H36M17_PARENTS) if parent >= 0])
# Pairs that are no bones but keep their distance: hips and shoulders, without which a torso may fold along the line of sight.
GIRDLE_PAIRS = np.array([(H36M17.index(f"left_{girdle}"), H36M17.index(f"right_{girdle}")) for girdle in ("hip", "shoulder")])
SEGMENTS = np.concatenate([BONES, GIRDLE_PAIRS])
HIP = H36M17.index("hip")
NUM_JOINTS = len(H36M17)

# Standard deviations, metres at the person's distance.
KEYPOINT_SIGMA = 0.01  # 2D keypoints, beside their measured noise
LENGTH_SIGMAS = (0.03, 0.015)  # lengths over the clip, loosely first: a limb seen at full length may lean either way
DIRECTION_SIGMA = 0.06  # a bone's end relative to its start in the 3D estimate
DEPTH_SIGMA = 0.02  # the hip's depth, as solved over the whole clip
ROBUST_SCALE = 3.0  # standard deviations from which a keypoint's pull fades (Geman and McClure 1987)
STEPS = 3  # Levenberg-Marquardt steps for each of LENGTH_SIGMAS
DAMPING = 1e-3
CHUNK_FRAMES = 256  # frames solved at once: (256, 51, 51) doubles are 5 MB


class NormalEquations(NamedTuple):
    """Energy (F,), matrix (F,17,17,3,3) and gradient (F,17,3) of half the energy."""

    energy: FloatArray
    matrix: FloatArray
    gradient: FloatArray


def fit_reprojection(
    joints: FloatArray, rays: FloatArray, weights: FloatArray, lengths: FloatArray, noise: FloatArray | float = 0.0
) -> FloatArray:
    """Move joints onto the lines of sight of their keypoints, with bones of constant length.

    Args:
        joints: (F,17,3) m in camera axes, the first guess; its bone vectors and its hip's depth are also the prior.
        rays: (F,17,2), the keypoints as x/z and y/z. weights: (F,17) 0..1 of the keypoints.
        lengths: (18,) m, of SEGMENTS. noise: (17,) m, or one number: standard deviation of the keypoints beside KEYPOINT_SIGMA.

    Returns:
        (F,17,3) m. A joint whose keypoint has no weight keeps the prior's bone vector from its parent.
    """
    fitted = np.empty_like(joints)
    sigma = np.broadcast_to(np.hypot(KEYPOINT_SIGMA, noise), NUM_JOINTS)
    for start in range(0, len(joints), CHUNK_FRAMES):
        rows = slice(start, start + CHUNK_FRAMES)
        fitted[rows] = ReprojectionProblem(joints[rows], rays[rows], weights[rows], lengths, sigma).solve()
    return fitted


@dataclass(frozen=True)
class ReprojectionProblem:
    """The cost of the joints of F frames.

    prior: (F,17,3) m. rays: (F,17,2). weights: (F,17). lengths: (18,) m, of SEGMENTS. sigma: (17,) m, of the keypoints.
    """

    prior: FloatArray
    rays: FloatArray
    weights: FloatArray
    lengths: FloatArray
    sigma: FloatArray

    @cached_property
    def distance(self) -> FloatArray:
        """The person's distance (F,) m, which turns image errors into metres."""
        return np.maximum(self.prior[:, HIP, 2], 1e-3)

    @cached_property
    def bone_vectors(self) -> FloatArray:
        """The prior's bone vectors (F,16,3) m."""
        return self.prior[:, BONES[:, 1]] - self.prior[:, BONES[:, 0]]

    @cached_property
    def prior_matrix(self) -> FloatArray:
        """The constant part of the normal equations, (F,17,17,3,3): bone directions and the hip's depth."""
        matrix = np.zeros((NUM_JOINTS, NUM_JOINTS, 3, 3))
        block = np.eye(3) / DIRECTION_SIGMA**2
        for parent, child in BONES:
            matrix[parent, parent] += block
            matrix[child, child] += block
            matrix[parent, child] -= block
            matrix[child, parent] -= block
        matrix[HIP, HIP, 2, 2] += 1 / DEPTH_SIGMA**2
        matrix[HIP, HIP] += np.eye(3) * 1e-3  # without any keypoint the hip stays
        return np.tile(matrix, (len(self.prior), 1, 1, 1, 1))

    def solve(self) -> FloatArray:
        """The joints (F,17,3) m of least cost, by Levenberg-Marquardt with a damping for each frame."""
        frames, size = len(self.prior), 3 * NUM_JOINTS
        joints = self.prior.copy()
        damping = np.full(frames, DAMPING)
        for length_sigma in LENGTH_SIGMAS:
            current = self.linearise(joints, length_sigma)
            for _ in range(STEPS):
                square = current.matrix.transpose(0, 1, 3, 2, 4).reshape(frames, size, size)
                np.einsum("fii->fi", square)[:] *= 1 + damping[:, None]
                step = np.linalg.solve(square, current.gradient.reshape(frames, size, 1)).reshape(joints.shape)
                moved = joints - step
                trial = self.linearise(moved, length_sigma)
                is_better = trial.energy < current.energy
                joints[is_better] = moved[is_better]
                for accepted, new in zip(current, trial):
                    accepted[is_better] = new[is_better]
                damping = np.clip(np.where(is_better, damping / 4, damping * 8), 1e-6, 1e3)
        return joints

    def linearise(self, joints: FloatArray, length_sigma: float) -> NormalEquations:
        """The normal equations about joints (F,17,3) m."""
        matrix, gradient = self.prior_matrix.copy(), np.zeros_like(joints)
        energy = self._add_keypoint_term(matrix, gradient, joints)
        energy += self._add_length_term(matrix, gradient, joints, length_sigma)
        energy += self._add_direction_term(gradient, joints)
        energy += self._add_depth_term(gradient, joints)
        return NormalEquations(energy, matrix, gradient)

    def _add_keypoint_term(self, matrix: FloatArray, gradient: FloatArray, joints: FloatArray) -> FloatArray:
        """Residual (x/z - u) times the person's distance, in `sigma`, of each joint's two image axes."""
        distance = self.distance[:, None, None]
        depth = np.maximum(joints[..., 2:], 0.1 * distance)
        scale = distance / self.sigma[:, None]
        residual = (joints[..., :2] / depth - self.rays) * scale
        squared = (residual**2).sum(-1)
        pull = self.weights / (1 + squared / ROBUST_SCALE**2) ** 2
        jacobian = np.zeros((*joints.shape[:2], 2, 3))
        jacobian[..., 0, 0] = jacobian[..., 1, 1] = (scale / depth)[..., 0]
        jacobian[..., 2] = -scale * joints[..., :2] / depth**2
        diagonal = np.arange(NUM_JOINTS)
        matrix[:, diagonal, diagonal] += np.einsum("fj,fjra,fjrb->fjab", pull, jacobian, jacobian)
        gradient += np.einsum("fj,fjr,fjra->fja", pull, residual, jacobian)
        return (self.weights * squared / (1 + squared / ROBUST_SCALE**2)).sum(1)

    def _add_length_term(self, matrix: FloatArray, gradient: FloatArray, joints: FloatArray, length_sigma: float) -> FloatArray:
        """Residual of each segment's length, in `length_sigma`."""
        segments = joints[:, SEGMENTS[:, 1]] - joints[:, SEGMENTS[:, 0]]
        length = np.maximum(np.linalg.norm(segments, axis=-1), 1e-6)
        along = segments / length[..., None]
        block = along[..., :, None] * along[..., None, :] / length_sigma**2
        pull = ((length - self.lengths) / length_sigma**2)[..., None] * along
        for k, (start, end) in enumerate(SEGMENTS):
            matrix[:, start, start] += block[:, k]
            matrix[:, end, end] += block[:, k]
            matrix[:, start, end] -= block[:, k]
            matrix[:, end, start] -= block[:, k]
            gradient[:, end] += pull[:, k]
            gradient[:, start] -= pull[:, k]
        return (((length - self.lengths) / length_sigma) ** 2).sum(1)

    def _add_direction_term(self, gradient: FloatArray, joints: FloatArray) -> FloatArray:
        """Residual of each bone vector against the prior's; its matrix is constant (`prior_matrix`)."""
        residual = joints[:, BONES[:, 1]] - joints[:, BONES[:, 0]] - self.bone_vectors
        pull = residual / DIRECTION_SIGMA**2
        for k, (start, end) in enumerate(BONES):
            gradient[:, end] += pull[:, k]
            gradient[:, start] -= pull[:, k]
        return ((residual / DIRECTION_SIGMA) ** 2).sum((1, 2))

    def _add_depth_term(self, gradient: FloatArray, joints: FloatArray) -> FloatArray:
        """Residual of the hip's depth against the prior's; its matrix is constant (`prior_matrix`)."""
        residual = joints[:, HIP, 2] - self.prior[:, HIP, 2]
        gradient[:, HIP, 2] += residual / DEPTH_SIGMA**2
        return (residual / DEPTH_SIGMA) ** 2
