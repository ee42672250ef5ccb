"""How the lifter leans, where up is known beforehand: people who stand are balanced above their feet."""

from typing import NamedTuple

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.rotations import rotmat_from_rotvec
from ...core.skeletons import H36M17
from .body_masses import centre_of_mass
from .robust_weights import cauchy_weight

# Standard deviations, rad: of the lifter's lean along and across the line of sight; of a clip's mean balance; and of one frame's, where
# frames within BALANCE_TIME, s, are one.
LEAN_SIGMA = np.radians([5.0, 1.5])
CLIP_SIGMA, FRAME_SIGMA, BALANCE_TIME = np.radians(1.2), np.radians(4.0), 0.5
MIN_UPRIGHT = 0.8  # height of the middle of the hips over the length of a straight leg, from which a person stands
ROUNDS = 5  # of reweighting frames
_LEG = [H36M17.index(name) for name in ("left_hip", "left_knee", "left_ankle")]


class Lean(NamedTuple):
    """angles: (2,) rad, by which a person leans away from the camera and to the right of its view. seconds: for which they stood."""

    angles: FloatArray
    seconds: float


def lean_of_person(
    joints: FloatArray, soles: FloatArray, touching: BoolArray, camera: FloatArray, timestamps: FloatArray, visible: BoolArray
) -> Lean:
    """The lean of a person who should be balanced.

    Args:
        joints: (F,17,3) m, h36m17, soles: (F,4,3) m, and camera: (F,3) m, in the world, z up. touching: (F,4), of the soles.
        timestamps: (F,) s. visible: (F,).
    """
    bearing = touching.sum(1)
    support = (touching[..., None] * soles).sum(1) / np.maximum(bearing, 1)[:, None]
    centre = centre_of_mass(joints)
    leg = float(np.median(np.linalg.norm(np.diff(joints[:, _LEG], axis=1), axis=-1).sum(1)))
    stands = visible & (bearing > 0) & (joints[:, 0, 2] - support[:, 2] > MIN_UPRIGHT * leg)
    if not stands.any():
        return Lean(np.zeros(2), 0.0)
    away, right = sight_axes(joints[:, 0] - camera)
    rise = (centre - support)[stands]
    angles = np.arctan2(np.stack([(rise * away[stands]).sum(-1), (rise * right[stands]).sum(-1)], -1), rise[:, 2:])
    mean = np.median(angles, 0)
    for _ in range(ROUNDS):
        weight = cauchy_weight(angles - mean, FRAME_SIGMA)
        mean = (weight * angles).sum(0) / weight.sum(0)
    frame = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 0.0
    seconds = frame * int(stands.sum())
    variance = CLIP_SIGMA**2 + FRAME_SIGMA**2 / (1 + seconds / BALANCE_TIME)
    return Lean(mean * LEAN_SIGMA**2 / (LEAN_SIGMA**2 + variance), seconds)


def sight_axes(sight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The horizontal axes away from the camera and to the right, (F,3) each, of lines of sight (F,3) in the world."""
    away = sight * [1, 1, 0]
    away = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
    return away, np.cross(away, [0.0, 0.0, 1.0])


def straightening_turns(lean: Lean, sight: FloatArray) -> FloatArray:
    """The turns (F,3,3) in the world that take a lean away, seen along lines of sight (F,3)."""
    away, right = sight_axes(sight)
    # Up falls away from the camera by a positive turn about -right, and to the right by one about `away`.
    return rotmat_from_rotvec(lean.angles[0] * right - lean.angles[1] * away)
