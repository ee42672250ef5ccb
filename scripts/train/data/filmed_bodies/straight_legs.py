"""Legs as straight as people's: the recordings' knees hardly ever bend by less than 15 degrees, also where somebody stands.

Their skeletons place the joint in front of the knee, and the open body's knees are bent by 9 degrees at rest. A detector that looks at
bodies with such knees only would teach the lifter that straight legs look bent.
"""

import numpy as np
import torch

from blender_meshrec.bodies.lbs import forward_kinematics, local_rotmats
from blender_meshrec.bodies.smpl import Smpl
from blender_meshrec.core.array_types import FloatArray
from blender_meshrec.core.rotations import rotmat_from_rotvec
from blender_meshrec.core.skeletons import SMPL_JOINTS

STRAIGHTENED_FRACTION = 0.7  # of clips
MOST_STRAIGHTENING = 0.45  # rad, the largest part of a knee's bend that is taken away
_LEGS = [[SMPL_JOINTS.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]


def draw_straightening(rng: np.random.Generator) -> float:
    """The angle, rad, by which the knees of a clip are straightened at most."""
    return float(rng.uniform(0, MOST_STRAIGHTENING)) if rng.random() < STRAIGHTENED_FRACTION else 0.0


def straighten_legs(body: Smpl, rotmats: FloatArray, betas: FloatArray, most: float) -> tuple[FloatArray, FloatArray]:
    """Turn thighs and shins towards each other until the knee is straight, by at most `most` rad; feet stay as turned.

    Args:
        rotmats: (F,24,3,3), local. betas: (B,).

    Returns:
        local rotations (F,24,3,3), and the distance (F,) m by which the lower ankle is lower than before, below the pelvis.
    """
    rest = body.rest_joints(torch.as_tensor(betas, dtype=torch.float32)[None])
    joints, rotations = (values.numpy().astype(float) for values in forward_kinematics(_tensor(rotmats), rest, body.tree))
    for hip, knee, ankle in _LEGS:
        thigh, shin = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
        axis = np.cross(thigh, shin)
        sine, cosine = np.linalg.norm(axis, axis=-1), (thigh * shin).sum(-1)
        half = 0.5 * np.minimum(most, np.arctan2(sine, cosine))
        turn = (half / np.maximum(sine, 1e-9))[:, None] * axis
        rotations[:, hip] = rotmat_from_rotvec(turn) @ rotations[:, hip]
        rotations[:, knee] = rotmat_from_rotvec(-turn) @ rotations[:, knee]
    straight = local_rotmats(_tensor(rotations), body.tree)
    after = forward_kinematics(straight, rest, body.tree)[0].numpy()
    ankles = [leg[2] for leg in _LEGS]
    lower = (joints[:, ankles, 1] - joints[:, :1, 1]).min(1) - (after[:, ankles, 1] - after[:, :1, 1]).min(1)
    return straight.numpy(), lower


def _tensor(values: FloatArray) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
