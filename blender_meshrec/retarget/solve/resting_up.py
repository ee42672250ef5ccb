"""The direction up of a rig that does not stand upright at rest, from what its feet stand on.

Exporters write the pose of some frame as the rest pose: the whole body is tilted then, its feet with it. A character that leans
has its feet flat on a level floor.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from ...core.array_types import FloatArray
from ...core.axis_rotations import unit_vector
from ..rig import SIDES
from .foot_skin import FootSkin
from .rest_pose import RestPose

# A ground that is tilted by less is level.
_MIN_TILT = np.radians(4.0)
# Legs and trunk both lean less from the normal of a tilted ground than from the vertical: on average by this fraction of the tilt.
_MIN_IMPROVEMENT = 0.4
# A foot stands on those of its points that are farthest in these many downward directions.
_NUM_DIRECTIONS = 24
# Planes may cut into the skin by this fraction of the distance between the feet.
_PLANE_TOLERANCE = 1e-4
# What is farther above the lowest skin, as a fraction of the distance between hips and feet, is not stood on.
_MAX_HEIGHT = 0.35


def resting_up(rest: RestPose, skins: Mapping[str, FootSkin]) -> FloatArray | None:
    """The direction up (3,) of a body that is tilted at rest as a whole; None where its axes have the right one.

    Args:
        skins: side -> the skin of the foot.
    """
    if any(side not in skins for side in SIDES):
        return None
    up = rest.axes[:, 2]
    feet = [skins[side].in_axes_of(rest) for side in SIDES]
    ground = _ground_normal(feet, up, float(np.linalg.norm(rest.hip_centre - np.concatenate(feet).mean(0))))
    if ground is None or (tilt := _angle(ground, up)) < _MIN_TILT:
        return None
    shoulders = rest.heads[[rest.slots[f"{side}_upper_arm"][0] for side in SIDES]].mean(0)
    ankles = np.mean([rest.segment_end(f"{side}_lower_leg", f"{side}_foot") for side in SIDES], axis=0)
    directions = unit_vector(rest.hip_centre - ankles), unit_vector(shoulders - rest.hip_centre)
    improvements = [_angle(direction, up) - _angle(direction, ground) for direction in directions]
    return ground if min(improvements) > 0 and float(np.mean(improvements)) > _MIN_IMPROVEMENT * tilt else None


def _ground_normal(feet: list[FloatArray], up: FloatArray, leg: float) -> FloatArray | None:
    """The normal (3,) of the plane that the feet, two of (N,3), stand on: the highest one between them that is below all their skin."""
    heights = np.concatenate(feet) @ up
    low = [points[points @ up < heights.min() + _MAX_HEIGHT * leg] for points in feet]
    if any(len(points) == 0 for points in low):
        return None
    downward = 0.6 * np.random.default_rng(0).normal(size=(_NUM_DIRECTIONS, 3)) - up
    points = np.concatenate([points[np.unique((points @ downward.T).argmax(0))] for points in low])
    middle = np.mean([points.mean(0) for points in low], axis=0)
    tolerance = _PLANE_TOLERANCE * float(np.ptp(points, axis=0).max())
    triples = points[np.array(list(combinations(range(len(points)), 3)))]
    normals = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    usable = lengths > tolerance**2
    normals = normals[usable] / lengths[usable, None]
    normals *= np.sign(normals @ up)[:, None]
    offsets = (normals * triples[usable, 0]).sum(1)
    is_ground = (normals @ up > 0.5) & ((normals @ points.T).min(1) >= offsets - tolerance)
    if not is_ground.any():
        return None
    clearance = np.where(is_ground, ((normals @ middle) - offsets) / np.maximum(normals @ up, 0.5), np.inf)
    return normals[int(clearance.argmin())]


def _angle(first: FloatArray, second: FloatArray) -> float:
    """The angle between two vectors (3,), rad."""
    return float(np.arctan2(np.linalg.norm(np.cross(first, second)), first @ second))
