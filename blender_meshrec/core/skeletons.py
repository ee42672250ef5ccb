"""Named joints and keypoints: SMPL's joint tree, Human3.6M's 17 joints (the lifter's skeleton) and the keypoint sets of 2D detectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .array_types import ArrayLike, FloatArray, IntArray
from .frozen_arrays import read_only_array

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
SMPL_PARENTS: IntArray = read_only_array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])

H36M17 = (
    "hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax", "nose",
    "head_top", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
H36M17_PARENTS: IntArray = read_only_array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15])

COCO17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
HALPE26 = (
    *COCO17, "head_top", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
    "left_heel", "right_heel",
)  # fmt: skip
OPENPOSE25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist", "hip",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe",
    "right_heel",
)  # fmt: skip
BLAZEPOSE33 = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_big_toe", "right_big_toe",
)  # fmt: skip

# The limb joints that all keypoint sets and bodies share. Reprojection error and PA-MPJPE are measured over them.
LIMB_JOINTS = tuple(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right"))


@dataclass(frozen=True)
class KeypointSet:
    """The ordered names of a detector's 2D keypoints; `index` maps a name to its position."""

    name: str
    points: tuple[str, ...]
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {point: i for i, point in enumerate(self.points)})

    def __len__(self) -> int:
        return len(self.points)


KEYPOINT_SETS = {
    name: KeypointSet(name, points)
    for name, points in {
        "h36m17": H36M17,
        "coco17": COCO17,
        "halpe26": HALPE26,
        "openpose25": OPENPOSE25,
        "blazepose33": BLAZEPOSE33,
    }.items()
}


def limb_indices(names: Sequence[str]) -> IntArray:
    """Positions of the twelve LIMB_JOINTS in a sequence of names, (12,)."""
    return np.array([list(names).index(joint) for joint in LIMB_JOINTS])


def mirror_indices(names: Sequence[str]) -> IntArray:
    """For each of N names, the position of its counterpart on the other side, (N,); a name without a side maps to itself."""
    swapped = (name.replace("left", "#").replace("right", "left").replace("#", "right") for name in names)
    return np.array([list(names).index(name) for name in swapped])


# Joints of h36m17 that a keypoint set may lack, as weighted sums of keypoints it has. "spine" is the middle of the torso.
# "head_top" extrapolates from the middle of the shoulders through the middle of the ears.
_JOINT_MIXTURES = {
    "hip": {"left_hip": 0.5, "right_hip": 0.5},
    "thorax": {"left_shoulder": 0.5, "right_shoulder": 0.5},
    "spine": {"left_shoulder": 0.25, "right_shoulder": 0.25, "left_hip": 0.25, "right_hip": 0.25},
    "head_top": {"left_ear": 0.85, "right_ear": 0.85, "left_shoulder": -0.35, "right_shoulder": -0.35},
}


def h36m17_weights_from_names(points: Sequence[str]) -> FloatArray:
    """Linear map from named keypoints to h36m17, (17, len(points)); rows sum to 1.

    Joints that are among the keypoints are copied; the others are fixed mixtures of shoulders, hips and ears.
    The row of a joint that the keypoints cannot give is zero.
    """
    index = {point: i for i, point in enumerate(points)}
    weights = np.zeros((len(H36M17), len(points)))
    for row, joint in enumerate(H36M17):
        mixture = {joint: 1.0} if joint in index else _JOINT_MIXTURES.get(joint, {})
        if all(point in index for point in mixture):
            for point, weight in mixture.items():
                weights[row, index[point]] = weight
    return weights


def h36m17_weights(keypoint_set: str) -> FloatArray:
    """`h36m17_weights_from_names` for a keypoint set, (17, K)."""
    return h36m17_weights_from_names(KEYPOINT_SETS[keypoint_set].points)


def to_h36m17(keypoints: ArrayLike, keypoint_set: str) -> FloatArray:
    """Map detected keypoints to h36m17.

    Args:
        keypoints: (..., K, C); the last channel is the confidence.
        keypoint_set: one of KEYPOINT_SETS.

    Returns:
        (..., 17, C). The confidence of a mixture is the lowest of its parts, and 0 where the set cannot give the joint.
    """
    return mix_keypoints(keypoints, h36m17_weights(keypoint_set))


def mix_keypoints(keypoints: ArrayLike, weights: FloatArray) -> FloatArray:
    """Weighted sums of keypoints.

    Args:
        keypoints: (..., K, C); the last channel is the confidence.
        weights: (N, K).

    Returns:
        (..., N, C). The confidence of a sum is the lowest of its parts, and 0 where there is none.
    """
    keypoints = np.asarray(keypoints, float)
    mixed = np.einsum("jk,...kc->...jc", weights, keypoints)
    for row, used in enumerate(weights != 0):
        mixed[..., row, -1] = keypoints[..., used, -1].min(-1) if used.any() else 0.0
    return mixed
