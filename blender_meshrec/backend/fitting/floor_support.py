"""Which way is up, by people who sit or lie on the floor: what touches the ground is below their centre of mass.

For every tilt of the camera the lowest points of a body are what touches. A body at rest is above the area that they span; how far it is
beyond is the overhang, as of somebody who lies on air. People on their feet are not asked: they may sit on something, and tell up by their
balance, in gravity_and_floor.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...core.array_types import BoolArray, FloatArray
from ...core.contacts import point_speeds
from ...core.skeletons import H36M17
from .body_masses import centre_of_mass
from .tilt_from_lines import up_of_tilt

PITCHES, ROLLS = np.radians(np.arange(-60.0, 60.5, 4.0)), np.radians(np.arange(-32.0, 32.5, 4.0))
LOW_HIPS = 0.3  # m above the lowest point of a body that is on the floor, in a level camera
SLOW = 0.5  # m/s, of hips at rest
TOUCH = 0.12  # m above the lowest point: joints are inside the body, and their depths are estimates
OVERHANG_SIGMA, OVERHANG_TAIL = 0.1, 3.0  # m; sigma from which it lets go (Cauchy)
# Frames that are looked at; how long a person must rest to count fully, s. The lifter errs alike in all frames: together they count as one.
MAX_FRAMES, FULL_TIME = 16, 0.5
_DIRECTIONS = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)])  # (2,16)
_HIP = H36M17.index("hip")


class RestingBody(NamedTuple):
    """A person at rest on the floor: joints and soles (F,21,3) m, centres of mass (F,3) m, camera axes; weight: 0..1, by how long."""

    points: FloatArray
    centres: FloatArray
    weight: float


def find_resting_body(joints: FloatArray, soles: FloatArray, visible: BoolArray, timestamps: FloatArray) -> RestingBody | None:
    """A person in the frames in which they rest on the floor; None without any.

    Args:
        joints: (F,17,3) m, h36m17, and soles: (F,4,3) m, camera axes. visible: (F,). timestamps: (F,) s.
    """
    points = np.concatenate([joints, soles], 1)
    is_low = points[..., 1].max(1) - joints[:, _HIP, 1] < LOW_HIPS  # y is down
    rests = visible & is_low & (point_speeds(joints[:, [_HIP]], timestamps, camera=np.zeros(3))[:, 0] < SLOW)
    rows = np.flatnonzero(rests)
    if not len(rows):
        return None
    frame = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else FULL_TIME
    weight = min(1.0, len(rows) * frame / FULL_TIME)
    rows = rows[:: -(-len(rows) // MAX_FRAMES)]
    return RestingBody(points[rows], centre_of_mass(joints[rows]), weight)


def log_of_support(bodies: Sequence[RestingBody]) -> FloatArray:
    """The logarithm of the likelihood of each of PITCHES and ROLLS, (P,R), up to a constant: 0 where all bodies are supported."""
    log = np.zeros((len(PITCHES), len(ROLLS)))
    for body in bodies:
        excess = overhangs(body) / OVERHANG_SIGMA
        cost = 0.5 * OVERHANG_TAIL**2 * np.log1p((excess / OVERHANG_TAIL) ** 2)
        log -= body.weight * cost.mean(1).reshape(log.shape) / len(bodies)
    return log


def overhangs(body: RestingBody) -> FloatArray:
    """How far each centre of mass is beyond what touches the ground, (P*R,F) m, for every tilt."""
    result: list[FloatArray] = []
    for up in up_of_tilt(*np.broadcast_arrays(PITCHES[:, None], ROLLS)).reshape(-1, 3):
        across = np.cross(up, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        ways = np.stack([across, np.cross(up, across)], -1) @ _DIRECTIONS  # (3,16), level
        heights = body.points @ up
        touches = heights < heights.min(1, keepdims=True) + TOUCH
        reach = np.where(touches[..., None], body.points @ ways, -np.inf).max(1)
        result.append(np.maximum((body.centres @ ways - reach).max(1), 0.0))
    return np.array(result)


def on_tilts(log: FloatArray, pitch: FloatArray, roll: FloatArray) -> FloatArray:
    """`log_of_support` (P,R) at other pitches (A,) and rolls (B,) rad, (A,B)."""
    columns = np.stack([np.interp(pitch, PITCHES, column) for column in log.T], 1)
    return np.stack([np.interp(roll, ROLLS, row) for row in columns])
