"""What a performance says of its feet: where its soles are and when they touch, found out where it does not say."""

import numpy as np

from ...core.axis_rotations import rotate_vectors, transpose
from ...core.contacts import detect_contacts
from ..rig import SIDES

# Feet that touch no farther from z = 0 than this share of the hips' height stand on the floor, wherever the source has it.
_FLOOR_TOLERANCE = 0.17
# Contacts are found for a person of this hip height, m, whatever units a source is in.
_REFERENCE_HIP_HEIGHT = 0.9


def source_soles(performance, source, stance):
    """Heels and toes (F,4,3) m of a performance: its own, or points fixed to its feet; None where it has no feet."""
    if performance.soles is not None:
        return performance.soles
    if len(stance.feet) < len(SIDES):
        return None
    points = []
    for side in SIDES:
        foot = stance.feet[side]
        ball = foot.ball - ((foot.ball @ source.axes[:, 2]) - stance.floor) * source.axes[:, 2]
        bones = (foot.bone, foot.bone if foot.toes is None else foot.toes)
        for bone, point in zip(bones, (foot.heel, ball), strict=True):
            local = source.rotations[bone].T @ (point - source.heads[bone])
            points.append(performance.heads[:, bone] + rotate_vectors(performance.rotations[:, bone], local))
    return np.stack(points, 1)


def rest_floor_height(performance, source):
    """The height, m, of a source's soles at rest where the performance has soles: where its heels are, carried back; else None."""
    feet = [source.first_bone(f"{side}_foot") for side in SIDES]
    if performance.soles is None or None in feet:
        return None
    heights = []
    for foot, heel in zip(feet, (0, 2), strict=True):
        local = rotate_vectors(transpose(performance.rotations[:, foot]), performance.soles[:, heel] - performance.heads[:, foot])
        heights.append((source.heads[foot] + source.rotations[foot] @ np.median(local, 0)) @ source.axes[:, 2])
    return float(np.mean(heights))


def source_contacts(performance, soles, hip_height):
    """Contacts (F,4) bool of heels and toes: the performance's own, else found from its soles (F,4,3); all False without feet.

    hip_height: of the source, m: speeds and heights count by it.
    """
    if performance.contacts is not None:
        return performance.contacts > 0.5
    if soles is None:
        return np.zeros((len(performance), 4), bool)
    return detect_contacts(soles * (_REFERENCE_HIP_HEIGHT / hip_height), performance.timestamps) > 0.5


def source_floor_height(soles, contacts, hip_height):
    """The height, m, of the floor that a source's soles (F,4,3) stand on while they touch (F,4) bool; 0 where nothing tells."""
    if soles is None:
        return 0.0
    heights = soles[..., 2][contacts]
    heights = heights[np.abs(heights) < _FLOOR_TOLERANCE * hip_height]
    return float(np.median(heights)) if len(heights) else 0.0
