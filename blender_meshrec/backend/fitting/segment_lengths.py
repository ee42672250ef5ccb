"""The lengths of bones over a clip, from joints on their lines of sight."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.cameras import points_on_rays
from ...core.skeletons import H36M17, mirror_indices
from ...core.time_series import weighted_quantile
from .camera_translation import solve_translation
from .reprojection_fit import SEGMENTS

# How well a temporal estimate knows the proportions of bones: standard deviation as a fraction of the length.
PROPORTION_SIGMA = 0.04
MIN_LENGTH = 0.01  # m
_LIMB_SEGMENTS = [k for k, (_start, end) in enumerate(SEGMENTS) if H36M17[end].split("_")[-1] in ("knee", "ankle", "elbow", "wrist")]


def segment_vectors(joints: FloatArray) -> FloatArray:
    """The vectors (F,18,3) of SEGMENTS between joints (F,17,3)."""
    return joints[:, SEGMENTS[:, 1]] - joints[:, SEGMENTS[:, 0]]


def measure_segment_lengths(relative: FloatArray, rays: FloatArray, weights: FloatArray) -> FloatArray:
    """One length for each of SEGMENTS over the clip, (18,) m, left and right alike.

    Args:
        relative: (F,17,3) m about the hip, the 3D estimate. rays: (F,17,2). weights: (F,17) of the keypoints.

    Each frame measures a segment with its ends on their lines of sight and its slant from the estimate. Segments across the line
    of sight are measured well and weigh most, segments along it hardly: a weighted median over the frames.
    """
    joints = relative + solve_translation(relative, rays, weights)[:, None]
    joints = np.where(weights[..., None] > 0.5, points_on_rays(rays, joints[..., 2]), joints)
    segments = segment_vectors(joints)
    length = np.linalg.norm(segments, axis=-1)
    across = (segments[..., :2] ** 2).sum(-1) / np.maximum(length**2, 1e-9)
    evidence = across**2 * (0.01 + weights[:, SEGMENTS[:, 0]] * weights[:, SEGMENTS[:, 1]])
    lengths = np.array([weighted_quantile(length[:, k], evidence[:, k], 0.5) for k in range(len(SEGMENTS))])
    total = evidence.sum(0)
    for pair in _mirrored_segments():
        lengths[pair] = np.average(lengths[pair], weights=total[pair])
    return np.maximum(lengths, MIN_LENGTH)


def regularize_segment_lengths(lengths: FloatArray, relative: FloatArray, noise: FloatArray) -> FloatArray:
    """Measured lengths of SEGMENTS (18,) m, drawn towards the estimate's proportions where keypoint noise may have lengthened them.

    Args:
        relative: (F,17,3) m, a temporal estimate. noise: (17,) m, the keypoints' standard deviations.

    The distance of two points with errors s1 and s2 is on average (s1^2 + s2^2) / 2L longer than their true distance L: little
    for a thigh, much for half a pelvis.
    """
    estimated = np.median(np.linalg.norm(segment_vectors(relative), axis=-1), 0)
    # Limbs are long enough to give the person's size.
    size = np.median((lengths / np.maximum(estimated, 1e-6))[_LIMB_SEGMENTS])
    estimated = np.maximum(estimated * size, MIN_LENGTH)
    bias = (noise[SEGMENTS] ** 2).sum(1) / (2 * estimated)
    weight = bias**2 / (bias**2 + (PROPORTION_SIGMA * estimated) ** 2)
    return (1 - weight) * lengths + weight * estimated


def _mirrored_segments() -> list[list[int]]:
    """Pairs of segments that mirror each other, as indices of SEGMENTS."""
    mirror, segments = mirror_indices(H36M17), SEGMENTS.tolist()
    mirrored = [[mirror[start], mirror[end]] for start, end in segments]
    return [[k, segments.index(other)] for k, other in enumerate(mirrored) if other in segments and k < segments.index(other)]
