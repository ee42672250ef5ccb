"""Soles, contacts and floor height of a performance: its own, or estimated from its motion."""

from typing import TYPE_CHECKING

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.axis_rotations import rotate_vectors, transpose
from ...core.contacts import detect_contacts
from ..rig import SIDES, Performance

if TYPE_CHECKING:
    from ..solve.rest_pose import RestPose
    from ..solve.stance import Stance

# Soles in contact at most this far from z = 0, as a fraction of the hips' height, stand on the floor; others on something else.
_FLOOR_TOLERANCE = 0.17
_REFERENCE_HIP_HEIGHT = 0.9  # m; performances are scaled to it for contact detection
_CONTACT_THRESHOLD = 0.5


def source_soles(performance: Performance, source: "RestPose", stance: "Stance") -> FloatArray | None:
    """Heels and toes (F,4,3) m of a performance: its own, or points fixed to its feet; None if it has no feet."""
    if performance.soles is not None:
        return performance.soles
    if len(stance.feet) < len(SIDES):
        return None
    up = source.axes[:, 2]
    points = []
    for side in SIDES:
        foot = stance.feet[side]
        ball_on_floor = foot.ball - ((foot.ball @ up) - stance.floor) * up
        toe_bone = foot.bone if foot.toes is None else foot.toes
        for bone, point in ((foot.bone, foot.heel), (toe_bone, ball_on_floor)):
            local = source.rotations[bone].T @ (point - source.heads[bone])
            points.append(performance.heads[:, bone] + rotate_vectors(performance.rotations[:, bone], local))
    return np.stack(points, 1)


def rest_floor_height(performance: Performance, source: "RestPose") -> float | None:
    """The height, m, of the heels in the source's rest pose; None if the performance has no soles of its own."""
    feet = [source.first_bone(f"{side}_foot") for side in SIDES]
    if performance.soles is None or None in feet:
        return None
    heights = []
    for foot, heel in zip(feet, (0, 2), strict=True):
        local = rotate_vectors(transpose(performance.rotations[:, foot]), performance.soles[:, heel] - performance.heads[:, foot])
        heights.append((source.heads[foot] + source.rotations[foot] @ np.median(local, 0)) @ source.axes[:, 2])
    return float(np.mean(heights))


def source_contacts(performance: Performance, soles: FloatArray | None, hip_height: float) -> BoolArray:
    """Contacts (F,4) of heels and toes: the performance's own, else detected from its soles (F,4,3); all False without soles.

    hip_height: of the source, m, the measure of speeds and heights.
    """
    if performance.contacts is not None:
        return performance.contacts > _CONTACT_THRESHOLD
    if soles is None:
        return np.zeros((len(performance), 4), bool)
    return detect_contacts(soles * (_REFERENCE_HIP_HEIGHT / hip_height), performance.timestamps) > _CONTACT_THRESHOLD


def source_floor_height(soles: FloatArray | None, contacts: BoolArray, hip_height: float) -> float:
    """The height, m, of the floor that soles (F,4,3) are on during contacts (F,4); 0 if it cannot be estimated."""
    if soles is None:
        return 0.0
    heights = soles[..., 2][contacts]
    heights = heights[np.abs(heights) < _FLOOR_TOLERANCE * hip_height]
    return float(np.median(heights)) if len(heights) else 0.0
