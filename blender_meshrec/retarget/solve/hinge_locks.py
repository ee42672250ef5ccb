"""Elbows and knees that a rig locks to one axis: the upper limb takes over the rotation that the lock refuses.

A hinge can bend but not choose its plane. The upper bone turns about its own length until the hinge's plane holds the lower bone's
direction, so that elbow, wrist, knee and ankle are where they were planned; only the lower bone's own twist is lost.
"""

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import right_multiply, rotation_about_axis, transpose, unit_vector
from ..rig import SIDES
from .forward_kinematics import BoneArrays
from .rest_pose import ARM, LEG, RestPose

# Sines of a limb's bend between which its plane gradually determines the upper bone's twist: a straight limb has no plane.
_MIN_BEND_SINE, _FULL_BEND_SINE = 0.01, 0.04


def fit_hinges(rest: RestPose, bone_rotations: BoneArrays) -> None:
    """Turn the bones of limbs whose lower part is locked to one axis, in place, so that the lock refuses nothing but twist.

    Args:
        bone_rotations: bone -> (F,3,3) in the rest pose's axes.
    """
    for side in SIDES:
        for upper_part, lower_part, end_part in (ARM, LEG):
            upper, lower = (rest.slots.get(f"{side}_{part}", []) for part in (upper_part, lower_part))
            if upper and lower and _is_hinge(rest, upper[-1], lower[0]):
                _fit_hinge(rest, bone_rotations, upper, lower, f"{side}_{lower_part}", f"{side}_{end_part}")


def _is_hinge(rest: RestPose, upper: int, lower: int) -> bool:
    """Whether a lower bone is locked to one axis, and an upper bone above it is free."""
    rig = rest.rig
    follows = upper in rest.chain_to_root(int(rig.parents[lower])) and bool(rig.inherit_rotation[lower])
    return follows and int(rig.lock_rotation[lower].sum()) == 2 and not rig.lock_rotation[upper].any()


def _fit_hinge(rest: RestPose, bone_rotations: BoneArrays, upper: list[int], lower: list[int], slot: str, below: str) -> None:
    top, hinge = upper[-1], lower[0]
    axis = rest.rotations[hinge] @ np.eye(3)[~rest.rig.lock_rotation[hinge]][0]  # of the hinge, at rest
    upper_direction = unit_vector(rest.heads[hinge] - rest.heads[upper[0]])
    lower_direction = rest.segment_direction(slot, below)
    delta = right_multiply(bone_rotations[top], rest.rotations[top].T)
    lower_delta = right_multiply(bone_rotations[hinge], rest.rotations[hinge].T)
    wanted = transpose(delta) @ (lower_delta @ lower_direction)[..., None]
    bend, twist = _solve_hinge(axis, upper_direction, lower_direction, wanted[..., 0])
    turn = delta @ rotation_about_axis(upper_direction, twist) @ transpose(delta)
    for bone in upper:
        bone_rotations[bone] = turn @ bone_rotations[bone]
    fitted = turn @ delta @ rotation_about_axis(axis, bend)
    correction = fitted @ transpose(lower_delta)
    for bone in lower:
        bone_rotations[bone] = correction @ bone_rotations[bone]


def _solve_hinge(axis: FloatArray, upper: FloatArray, lower: FloatArray, wanted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The bend (F,) of a hinge and the twist (F,) of the bone above it, rad, with which the lower bone points to `wanted` (F,3).

    Args:
        axis, upper, lower: unit vectors (3,) at rest, of the hinge and of the two bones. wanted: unit vectors in the same axes.
    """
    across = np.cross(axis, lower)
    along_axis = (axis @ lower) * axis
    constant, cosine, sine = upper @ along_axis, upper @ (lower - along_axis), upper @ across
    middle = np.arctan2(sine, cosine)
    half = np.arccos(np.clip((wanted @ upper - constant) / max(float(np.hypot(sine, cosine)), 1e-9), -1, 1))
    bend_sine = np.linalg.norm(np.cross(upper, wanted), axis=-1)
    solutions: list[tuple[float, FloatArray, FloatArray]] = []
    for sign in (1.0, -1.0):
        bend = middle + sign * half
        pointed = along_axis + np.cos(bend)[:, None] * (lower - along_axis) + np.sin(bend)[:, None] * across
        side = np.cross(upper, pointed)
        twist = np.arctan2((side * wanted).sum(-1), (pointed * wanted).sum(-1) - (pointed @ upper) * (wanted @ upper))
        solutions.append((float((np.abs(twist) * bend_sine).sum()), bend, twist))
    # A joint bends to one side throughout: the one for which the upper bone twists less.
    _, bend, twist = min(solutions, key=lambda solution: solution[0])
    weight = np.clip((bend_sine - _MIN_BEND_SINE) / (_FULL_BEND_SINE - _MIN_BEND_SINE), 0, 1)
    return (bend + np.pi) % (2 * np.pi) - np.pi, weight * twist
