"""The bending plane of a limb as a pole, and the limb that IK makes of its root, its end and that pole."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import bend_hinge, perpendicular_part, rotation_between, unit_vector
from .records import CapturedMotion, LimbControls

_BEND_SINES = (0.015, 0.06)  # of a limb, between which its own plane gradually replaces its hinge
_MIN_MEASURED_BEND = 0.04  # m; a straighter limb is taken to be bent so far, so that its twist follows
_DRIFT_WEIGHT = 0.02  # of a pole's shift within the plane, which does not move the limb


def pole_places(captured: CapturedMotion, limb: LimbControls) -> FloatArray:
    """The places (F,3) m of a pole in the limb's plane of bending, on the side that its middle points to."""
    root, middle, end = (captured.heads[:, joint] for joint in (limb.upper, limb.middle, limb.end))
    straight_hinge = captured.turns[:, limb.upper] @ limb.hinge
    hinge = bend_hinge(unit_vector(middle - root), unit_vector(end - middle), straight_hinge, _BEND_SINES)
    return (root + end) / 2 + limb.reach * unit_vector(np.cross(end - root, hinge))


def pole_metric(captured: CapturedMotion, limb: LimbControls, poles: FloatArray) -> FloatArray:
    """The matrices (F,4,3) from a pole's shift to how far it moves the limb's middle, m; elsewhere a pole may drift."""
    root, middle, end = (captured.heads[:, joint] for joint in (limb.upper, limb.middle, limb.end))
    axis = unit_vector(end - root)
    bend = np.linalg.norm(perpendicular_part(middle - root, axis), axis=-1)
    arm = perpendicular_part(poles - root, axis)
    distance = np.linalg.norm(arm, axis=-1)
    normal = np.cross(axis, arm / distance[:, None])
    sideways = normal * (np.maximum(bend, _MIN_MEASURED_BEND) / distance)[:, None]
    return np.concatenate([sideways[:, None], np.broadcast_to(_DRIFT_WEIGHT * np.eye(3), (len(poles), 3, 3))], 1)


def ik_limb(root: FloatArray, end: FloatArray, pole: FloatArray, lengths: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """The middle and the reached end (F,3) m of a limb of two lengths, m, whose middle bends towards a pole (F,3)."""
    upper, lower = lengths
    offset = end - root
    axis = unit_vector(offset)
    distance = np.clip(np.linalg.norm(offset, axis=-1), abs(upper - lower) + 1e-6, upper + lower - 1e-9)
    along = (distance**2 + upper**2 - lower**2) / (2 * distance)
    across = np.sqrt(np.maximum(upper**2 - along**2, 0))
    middle = root + along[:, None] * axis + across[:, None] * unit_vector(perpendicular_part(pole - root, axis))
    return middle, root + distance[:, None] * axis


def least_turn(turns: FloatArray, rest_direction: FloatArray, direction: FloatArray) -> FloatArray:
    """Turns (F,3,3), turned further by the least angle so that a direction at rest (3,) becomes `direction` (F,3)."""
    return rotation_between(turns @ rest_direction, direction) @ turns
