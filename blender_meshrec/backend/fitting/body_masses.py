"""The centre of mass of a body, from a few joints."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17, SMPL_JOINTS

# Shares of a body's mass, at the joints of a lifted pose in whose middle they lie. The hips of the motion capture that the lifter has
# learnt from lie ahead of a body's, which makes up for a thorax behind its middle.
MASSES = {"hip": 0.5, "thorax": 0.35, "left_knee": 0.075, "right_knee": 0.075}
SHARES = np.array(list(MASSES.values()))
# The same at joints of SMPL's bodies, whose spine lies behind its middle: in motion capture of the open body they come within 15 mm of the
# centre of its volume (`python -m scripts.evaluate.body_masses`).
_PAIRS = {"hip": 0.38, "knee": 0.22, "shoulder": 0.325, "elbow": 0.075}
SMPL_MASSES = {f"{side}_{joint}": share / 2 for joint, share in _PAIRS.items() for side in ("left", "right")}
SMPL_SHARES = np.array(list(SMPL_MASSES.values()))
# Where the centre of mass of a body that stands upright lies above a sole: shares of its heel and its toe.
STANCE = np.array([0.58, 0.42])
_ROWS, _SMPL_ROWS = [H36M17.index(name) for name in MASSES], [SMPL_JOINTS.index(name) for name in SMPL_MASSES]


def centre_of_mass(joints: FloatArray) -> FloatArray:
    """The centres of mass (F,3) m of h36m17 joints (F,17,3) m."""
    return SHARES @ joints[:, _ROWS]


def centre_of_mass_of_body(joints: FloatArray) -> FloatArray:
    """The centres of mass (F,3) m of SMPL's joints (F,24,3) m."""
    return SMPL_SHARES @ joints[:, _SMPL_ROWS]
