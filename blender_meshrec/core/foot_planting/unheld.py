"""Contacts that planting could not hold, because the legs do not reach that far."""

from typing import NamedTuple

import numpy as np

from ..array_types import ArrayLike, FloatArray
from ..body_contacts import SOLE_PARTS
from ..contacts import contact_runs
from .leg_kinematics import Soles, pose_legs

HELD_WITHIN = 0.01  # m, by which a point that is held may move


class UnheldContact(NamedTuple):
    """A contact that is not held: one of SOLE_PARTS, its first and last row, and how far the part moves, m."""

    part: str
    first: int
    last: int
    distance: float


def unheld_contacts(
    rotmats: FloatArray, pelvis: FloatArray, rest_joints: FloatArray, soles: Soles, contacts: ArrayLike
) -> list[UnheldContact]:
    """The contacts of heels and toes during which these move.

    Args:
        rotmats: (F,J,3,3), pelvis: (F,3) m and the rest: as of `plant_body`, once planted.
    """
    points, found = pose_legs(rotmats, pelvis, rest_joints, soles).points, list[UnheldContact]()
    for column, part in enumerate(SOLE_PARTS):
        for first, last in contact_runs(np.asarray(contacts)[:, column] > 0.5):
            path = points[first:last, column]
            distance = float(np.linalg.norm(path - np.median(path, 0), axis=-1).max())
            if distance > HELD_WITHIN:
                found.append(UnheldContact(part, int(first), int(last) - 1, distance))
    return found
