"""Skin weights over SKEL's 24 joints, from the open body's over SMPL's.

SKEL's arcs end where its spine joints lie, so the skin between follows the bones below and above by shares that rise where SMPL's
did. What SMPL lacks is split here: the forearm's skin goes from the ulna to the radius on the way to the wrist, as
pronation twists it; the foot's from the talus to the calcaneus.
"""

import numpy as np

from blender_meshrec.core.skel.vocabulary import SKEL_JOINTS
from blender_meshrec.core.skeletons import SMPL_JOINTS
from scripts.assets.open_body.skinning import keep_top_four, symmetrise_weights

from .joints import JOINT_MIRROR

# SKEL joint <- SMPL joints, with the share of each's weight.
SMPL_SOURCES = {
    "pelvis": {"pelvis": 1}, "lumbar_body": {"spine1": 1, "spine2": 0.5}, "thorax": {"spine2": 0.5, "spine3": 1, "neck": 0.5},
    "head": {"neck": 0.5, "head": 1}, "femur": {"hip": 1}, "tibia": {"knee": 1}, "toes": {"foot": 1}, "scapula": {"collar": 1},
    "humerus": {"shoulder": 1}, "hand": {"wrist": 1, "hand": 1},
}  # fmt: skip
# Along the forearm, elbow 0 and wrist 1, where the radius begins to take the skin and where it has all of it.
TWIST_RANGE = (-0.05, 0.97)
# From the ankle down, m, where the calcaneus begins to take the skin and where it has all of it; forward likewise.
CALCN_DOWN_RANGE = (-0.005, 0.045)
CALCN_FORWARD_RANGE = (0.02, 0.08)


def skin_weights(body, joints, mirror):
    """Skin weights (V,24), at most four a vertex, rows sum to 1, exactly symmetric.

    Args:
        body: the open body's arrays, float64. joints: (24,3) m, SKEL's at rest. mirror: (V,) the vertex opposite each vertex.
    """
    smpl, v_template = body["weights"], body["v_template"]
    weights = np.zeros((len(v_template), 24))
    for joint, name in enumerate(SKEL_JOINTS):
        side = {"r": "right_", "l": "left_"}.get(name.partition("_")[2], "")
        for source, share in SMPL_SOURCES.get(name if name in SMPL_FRACTIONS else name[:-2], {}).items():
            weights[:, joint] += share * smpl[:, SMPL_JOINTS.index(side + source)]
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


def smooth_step(value, begin, end):
    """0 before `begin`, 1 after `end`, smooth between."""
    t = np.clip((value - begin) / (end - begin), 0, 1)
    return t * t * (3 - 2 * t)


def _split_weight(weights, whole, first, second, share):
    weights[:, first] += whole * (1 - share)
    weights[:, second] += whole * share
