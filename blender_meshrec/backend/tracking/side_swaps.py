"""Putting left and right back where a detector mixed them up for a while.

Seen edge on, or with the face hidden, a whole body is easily taken for its mirror image: every left joint is called
right, and what is near is told as far. In one frame nothing gives that away; the frames before and after do.
"""

from dataclasses import replace

import numpy as np

from ...core.skeletons import KEYPOINT_SETS, limb_indices
from ..detection.detections import body_size, mirror_permutation

# How a frame is read: as it is; told the wrong way round, depth included; only named the wrong way round.
UNCHANGED, MIRRORED, RELABELLED = range(3)
# What it costs to doubt the detector, a second. A jump of the limb joints by 0.3 body sizes and metres in all, at both
# ends of a stretch, outweighs about a second of doubt.
SWAP_COST = 0.3
# Frames farther apart than this, s, say little about each other: a person may have turned round.
TRANSITION_DECAY = 0.12
# A single point counts at most this much, in body sizes or metres.
MAX_POINT_DISTANCE = 0.5
# Where the face points is followed beside the limb joints, and counts as so many of them: who stands upright has all joints in one
# plane, and only the nose is before or behind it.
FACE_POINTS, FACE_WEIGHT = ("nose", "left_ear", "right_ear"), 3.0


def correct_side_swaps(observations, timestamps):
    """Observations with stretches of swapped sides corrected.

    timestamps: (F,) s. The cheapest reading of all frames together is taken (Viterbi): joints should move little from
    frame to frame, and the detector be believed where nothing speaks against it. Who really turns round does so over
    several frames in which no other reading is cheaper.
    """
    rows = np.flatnonzero(observations.visible)
    if len(rows) < 3:
        return observations
    metres = None if observations.keypoints_3d is None else observations.keypoints_3d[rows]
    readings = [
        apply_hypothesis(observations.keypoints[rows], metres, how, observations.keypoint_set) for how in (UNCHANGED, MIRRORED, RELABELLED)
    ]
    sizes = np.array([body_size(box) for box in observations.boxes[rows]])
    features = np.stack([joint_features(*reading, sizes, observations.keypoint_set) for reading in readings])
    weight = feature_weights(observations.keypoints[rows], observations.keypoint_set)
    gaps = np.diff(np.asarray(timestamps)[rows])
    best = find_cheapest_hypotheses(features, weight, gaps)
    keypoints = np.array(observations.keypoints)
    keypoints_3d = None if observations.keypoints_3d is None else np.array(observations.keypoints_3d)
    for how in (MIRRORED, RELABELLED):
        chosen = best == how
        keypoints[rows[chosen]] = readings[how][0][chosen]
        if keypoints_3d is not None:
            keypoints_3d[rows[chosen]] = readings[how][1][chosen]
    return replace(observations, keypoints=keypoints, keypoints_3d=keypoints_3d)


def apply_hypothesis(keypoints, keypoints_3d, hypothesis, keypoint_set):
    """Keypoints (F,K,3) and metres (F,K,3) or None, read another way. Each way undoes itself."""
    if hypothesis == UNCHANGED:
        return keypoints, keypoints_3d
    order = mirror_permutation(keypoint_set)
    depth = np.array([1.0, 1.0, -1.0 if hypothesis == MIRRORED else 1.0])
    return keypoints[:, order], None if keypoints_3d is None else keypoints_3d[:, order] * depth


def joint_features(keypoints, keypoints_3d, sizes, keypoint_set):
    """Limb joints, and the nose seen from the ears, (F,P,2) in body sizes or (F,P,5) with 3D: differences say how far they went."""
    points = KEYPOINT_SETS[keypoint_set].points
    measured = keypoints[..., :2] / np.median(sizes)
    measured = measured if keypoints_3d is None else np.concatenate([measured, keypoints_3d], -1)
    features = measured[:, limb_indices(points)]
    if not set(FACE_POINTS) <= set(points):
        return features
    nose, *ears = (measured[:, points.index(name)] for name in FACE_POINTS)
    return np.concatenate([features, (nose - np.mean(ears, 0))[:, None]], 1)


def feature_weights(keypoints, keypoint_set):
    """How much each of `joint_features` counts, (F,P), by the confidence of its points."""
    points = KEYPOINT_SETS[keypoint_set].points
    weight = keypoints[:, limb_indices(points), 2] + 0.05
    if not set(FACE_POINTS) <= set(points):
        return weight
    face = keypoints[:, [points.index(name) for name in FACE_POINTS], 2].min(1, keepdims=True)
    return np.concatenate([weight, FACE_WEIGHT * (face + 0.05)], 1)


def find_cheapest_hypotheses(features, weights, gaps):
    """The reading of each frame, (F,) int.

    Args:
        features: (R,F,P,2 or 5), one for each reading. weights: (F,P). gaps: (F-1,) s.
    """
    readings, frames = features.shape[:2]
    pair_weight = np.minimum(weights[1:], weights[:-1])
    pair_weight = pair_weight / pair_weight.sum(1, keepdims=True)
    # jumps[a, b, f]: how far joints go from frame f read as a to frame f + 1 read as b
    steps = features[None, :, 1:] - features[:, None, :-1]
    distance = np.minimum(np.linalg.norm(steps[..., :2], axis=-1), MAX_POINT_DISTANCE)
    if features.shape[-1] > 2:
        distance = distance + np.minimum(np.linalg.norm(steps[..., 2:], axis=-1), MAX_POINT_DISTANCE)
    jumps = (distance * pair_weight).sum(-1) * np.exp(-gaps / TRANSITION_DECAY)
    doubt = np.array([0.0, SWAP_COST, SWAP_COST])[:readings, None] * np.append(gaps, gaps.min())
    cost = doubt[:, 0]
    came_from = np.zeros((frames, readings), int)
    for f in range(1, frames):
        through = cost[:, None] + jumps[:, :, f - 1]
        came_from[f] = through.argmin(0)
        cost = through.min(0) + doubt[:, f]
    best = np.zeros(frames, int)
    best[-1] = cost.argmin()
    for f in range(frames - 1, 0, -1):
        best[f - 1] = came_from[f, best[f]]
    return best
