"""Correction of frames in which a detector has exchanged left and right.

A person seen from the side, or with the face hidden, is easily detected as their mirror image: every left joint is called
right, and what is near is reported as far. Legs that are alike are exchanged alone. A single frame does not reveal this; the frames
before and after do, and so does a second network, which seldom errs in the same frames.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ...core.array_types import FloatArray, IntArray
from ...core.records import Observations
from ...core.skeletons import COCO17, KEYPOINT_SETS, limb_indices
from ..detection.detections import body_size, mirror_permutation, set_limb_indices

# Hypotheses about the keypoints of a frame: as detected; mirrored, depth included; only the names of left and right exchanged; and only
# those of the legs.
UNCHANGED, MIRRORED, RELABELLED, LEGS_RELABELLED = range(4)
HYPOTHESES = (UNCHANGED, MIRRORED, RELABELLED, LEGS_RELABELLED)
LEG_POINTS = ("knee", "ankle", "heel", "big_toe", "small_toe")
# Cost of a changed frame, per second. A jump of the limb joints by 0.3 body sizes and metres in all, at both ends of an
# interval, outweighs about a second of changed frames.
SWAP_COST = 0.3
# Cost, per second, of limb joints that are one body size from where the second look saw them, on average. The second network exchanges legs
# in a third as many frames as the detector (scripts/evaluate/two_networks.py).
CONTRADICTION_COST = 10.0
# Time constant, s, with which the cost of a movement between two frames decays with their distance in time: in a longer gap a
# person may have turned round.
TRANSITION_DECAY = 0.12
# Upper limit of the movement of a single point, in body sizes or metres.
MAX_POINT_DISTANCE = 0.5
# The direction of the face is a feature beside the limb joints, with the weight of this many of them: of a person who stands
# upright all joints are in one plane, and only the nose is in front of or behind it.
FACE_POINTS, FACE_WEIGHT = ("nose", "left_ear", "right_ear"), 3.0


def correct_side_swaps(observations: Observations, timestamps: FloatArray | list[float], cuts: Sequence[int] = ()) -> Observations:
    """Observations in which swapped sides are corrected, in each shot by itself.

    cuts: the first rows of all shots but the first.
    """
    corrected = np.array(observations.keypoints)
    corrected_3d = None if observations.keypoints_3d is None else np.array(observations.keypoints_3d)
    times = np.asarray(timestamps, float)
    for first, last in pairwise([0, *cuts, len(observations)]):
        rows = first + np.flatnonzero(observations.visible[first:last])
        if len(rows) >= 3:
            _correct_shot(observations, times, rows, corrected, corrected_3d)
    return replace(observations, keypoints=corrected, keypoints_3d=corrected_3d)


def _correct_shot(
    observations: Observations, timestamps: FloatArray, rows: IntArray, corrected: FloatArray, corrected_3d: FloatArray | None
) -> None:
    """Correct swapped sides in the rows of one shot, in place.

    The cheapest sequence of hypotheses is chosen (Viterbi): joints should move little from frame to frame, and few frames be
    changed. A person who really turns round does so over several frames, in which no other hypothesis is cheaper.

    timestamps: (F,) s.
    """
    keypoint_set = observations.keypoint_set
    keypoints_3d = None if observations.keypoints_3d is None else observations.keypoints_3d[rows]
    hypotheses = [apply_hypothesis(observations.keypoints[rows], keypoints_3d, hypothesis, keypoint_set) for hypothesis in HYPOTHESES]
    sizes = np.array([body_size(box) for box in observations.boxes[rows]])
    features = np.stack([joint_features(*hypothesis, sizes, keypoint_set) for hypothesis in hypotheses])
    weights = feature_weights(observations.keypoints[rows], keypoint_set)
    contradiction = np.zeros(features.shape[:2])
    if observations.second_look is not None:
        contradiction = np.stack([contradictions(found, observations.second_look[rows], sizes, keypoint_set) for found, _ in hypotheses])
    best = find_cheapest_hypotheses(features, weights, np.diff(timestamps[rows]), contradiction)
    for hypothesis in HYPOTHESES[1:]:
        chosen = best == hypothesis
        changed, changed_3d = hypotheses[hypothesis]
        corrected[rows[chosen]] = changed[chosen]
        if corrected_3d is not None and changed_3d is not None:
            corrected_3d[rows[chosen]] = changed_3d[chosen]


def apply_hypothesis(
    keypoints: FloatArray, keypoints_3d: FloatArray | None, hypothesis: int, keypoint_set: str
) -> tuple[FloatArray, FloatArray | None]:
    """Keypoints (F,K,3) px and (F,K,3) m, or None, as they are under a hypothesis. Each hypothesis is its own inverse."""
    if hypothesis == UNCHANGED:
        return keypoints, keypoints_3d
    order = mirror_permutation(keypoint_set)
    if hypothesis == LEGS_RELABELLED:
        is_leg = [name.endswith(LEG_POINTS) for name in KEYPOINT_SETS[keypoint_set].points]
        order = np.where(is_leg, order, np.arange(len(order)))
    depth_sign = np.array([1.0, 1.0, -1.0 if hypothesis == MIRRORED else 1.0])
    return keypoints[:, order], None if keypoints_3d is None else keypoints_3d[:, order] * depth_sign


def joint_features(keypoints: FloatArray, keypoints_3d: FloatArray | None, sizes: FloatArray, keypoint_set: str) -> FloatArray:
    """Limb joints, and the nose relative to the ears, (F,P,2) in body sizes, or with 3D (F,P,5), the last three in metres."""
    points = KEYPOINT_SETS[keypoint_set].points
    positions = keypoints[..., :2] / np.median(sizes)
    positions = positions if keypoints_3d is None else np.concatenate([positions, keypoints_3d], -1)
    features = positions[:, set_limb_indices(keypoint_set)]
    if not set(FACE_POINTS) <= set(points):
        return features
    nose, *ears = (positions[:, points.index(name)] for name in FACE_POINTS)
    return np.concatenate([features, (nose - np.mean(ears, 0))[:, None]], 1)


def feature_weights(keypoints: FloatArray, keypoint_set: str) -> FloatArray:
    """The weights of `joint_features`, (F,P), by the confidence of their points."""
    points = KEYPOINT_SETS[keypoint_set].points
    weights = keypoints[:, set_limb_indices(keypoint_set), 2] + 0.05
    if not set(FACE_POINTS) <= set(points):
        return weights
    face = keypoints[:, [points.index(name) for name in FACE_POINTS], 2].min(1, keepdims=True)
    return np.concatenate([weights, FACE_WEIGHT * (face + 0.05)], 1)


def contradictions(keypoints: FloatArray, second_look: FloatArray, sizes: FloatArray, keypoint_set: str) -> FloatArray:
    """How far, (F,) body sizes, the limb joints of keypoints (F,K,3) are on average from where the second look (F,17,3) is sure of them."""
    limbs, second = keypoints[:, set_limb_indices(keypoint_set)], second_look[:, limb_indices(COCO17)]
    distance = np.minimum(np.linalg.norm(limbs[..., :2] - second[..., :2], axis=-1) / sizes[:, None], MAX_POINT_DISTANCE)
    return (distance * second[..., 2]).sum(1) / np.maximum(second[..., 2].sum(1), 1e-6)


def find_cheapest_hypotheses(features: FloatArray, weights: FloatArray, gaps: FloatArray, contradiction: FloatArray) -> IntArray:
    """The hypothesis of each frame in the cheapest sequence, (F,).

    Args:
        features: (H,F,P,2 or 5), under each of H hypotheses. weights: (F,P). gaps: (F-1,) s between frames. contradiction: (H,F), as of
            `contradictions`.
    """
    num_hypotheses, num_frames = features.shape[:2]
    pair_weights = np.minimum(weights[1:], weights[:-1])
    pair_weights = pair_weights / pair_weights.sum(1, keepdims=True)
    # moves[a, b, f]: the movement from frame f under hypothesis a to frame f + 1 under hypothesis b
    steps = features[None, :, 1:] - features[:, None, :-1]
    distance = np.minimum(np.linalg.norm(steps[..., :2], axis=-1), MAX_POINT_DISTANCE)
    if features.shape[-1] > 2:
        distance = distance + np.minimum(np.linalg.norm(steps[..., 2:], axis=-1), MAX_POINT_DISTANCE)
    moves = (distance * pair_weights).sum(-1) * np.exp(-gaps / TRANSITION_DECAY)
    swap_costs = np.append(0.0, np.full(num_hypotheses - 1, SWAP_COST))[:, None] + CONTRADICTION_COST * contradiction
    swap_costs = swap_costs * np.append(gaps, gaps.min())
    cost = swap_costs[:, 0]
    came_from = np.zeros((num_frames, num_hypotheses), int)
    for f in range(1, num_frames):
        path_costs = cost[:, None] + moves[:, :, f - 1]
        came_from[f] = path_costs.argmin(0)
        cost = path_costs.min(0) + swap_costs[:, f]
    best = np.zeros(num_frames, int)
    best[-1] = cost.argmin()
    for f in range(num_frames - 1, 0, -1):
        best[f - 1] = came_from[f, best[f]]
    return best
