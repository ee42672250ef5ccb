"""Skinning weights over SKEL's 24 joints, from the open body's weights over SMPL's joints.

SKEL's spine joints are the ends of arcs, so the weights of SMPL's spine joints are split between the bones below and above. Weights of
segments that are one joint in SMPL are split too: along the forearm from the ulna to the radius, as pronation twists it, and on the foot
from the talus to the calcaneus.
"""

from collections.abc import Mapping

import numpy as np

from blender_meshrec.core.array_types import AnyArray, FloatArray, IntArray
from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.assets.open_body.skinning import keep_top_four, symmetrise_weights

from .joints import JOINT_MIRROR

# SKEL joint <- SMPL joints, with the fraction of each one's weight.
SMPL_SOURCES = {
    "pelvis": {"pelvis": 1}, "lumbar_body": {"spine1": 1, "spine2": 0.5}, "thorax": {"spine2": 0.5, "spine3": 1, "neck": 0.5},
    "head": {"neck": 0.5, "head": 1}, "femur": {"hip": 1}, "tibia": {"knee": 1}, "toes": {"foot": 1}, "scapula": {"collar": 1},
    "humerus": {"shoulder": 1}, "hand": {"wrist": 1, "hand": 1},
}  # fmt: skip
# Range along the forearm, elbow 0 and wrist 1, in which the weight passes from ulna to radius.
TWIST_RANGE = (-0.05, 0.97)
# Ranges below and in front of the ankle, m, in which the weight passes from talus to calcaneus.
CALCN_DOWN_RANGE = (-0.005, 0.045)
CALCN_FORWARD_RANGE = (0.02, 0.08)


def skin_weights(body: Mapping[str, AnyArray], joints: FloatArray, mirror: IntArray) -> FloatArray:
    """Skinning weights (V,24), at most four per vertex, rows sum to 1, exactly symmetric.

    Args:
        body: the open body's arrays, float64. joints: (24,3) m, SKEL's at rest. mirror: (V,), index of the vertex opposite each vertex.
    """
    smpl, v_template = body["weights"], body["v_template"]
    weights = np.zeros((len(v_template), 24))
    for joint, name in enumerate(SKEL_JOINTS):
        side = {"r": "right_", "l": "left_"}.get(name.partition("_")[2], "")
        for source, fraction in SMPL_SOURCES.get(name if name in SMPL_SOURCES else name[:-2], {}).items():
            weights[:, joint] += fraction * smpl[:, SMPL_JOINTS.index(side + source)]
    for letter, side in (("r", "right"), ("l", "left")):
        ulna, radius, hand, talus, calcn = (SKEL_JOINTS.index(f"{b}_{letter}") for b in ("ulna", "radius", "hand", "talus", "calcn"))
        forearm = joints[hand] - joints[ulna]
        along = (v_template - joints[ulna]) @ forearm / (forearm @ forearm)
        _split_weight(
            weights,
            smpl[:, SMPL_JOINTS.index(f"{side}_elbow")],
            ulna,
            radius,
            np.clip((along - TWIST_RANGE[0]) / (TWIST_RANGE[1] - TWIST_RANGE[0]), 0, 1),
        )
        down, forward = joints[talus, 1] - v_template[:, 1], v_template[:, 2] - joints[talus, 2]
        low = 1 - (1 - smooth_step(down, *CALCN_DOWN_RANGE)) * (1 - smooth_step(forward, *CALCN_FORWARD_RANGE))
        _split_weight(weights, smpl[:, SMPL_JOINTS.index(f"{side}_ankle")], talus, calcn, low)
    return keep_top_four(symmetrise_weights(weights, mirror, JOINT_MIRROR), mirror, JOINT_MIRROR)


def smooth_step(value: FloatArray, begin: float, end: float) -> FloatArray:
    """Smooth step from 0 at `begin` to 1 at `end`."""
    t = np.clip((value - begin) / (end - begin), 0, 1)
    return t * t * (3 - 2 * t)


def _split_weight(weights: FloatArray, whole: FloatArray, first: int, second: int, fraction: FloatArray) -> None:
    """Add a weight (V,) to two joints, in place; fraction: (V,), the second joint's part."""
    weights[:, first] += whole * (1 - fraction)
    weights[:, second] += whole * fraction
