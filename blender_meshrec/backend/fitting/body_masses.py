"""The centre of mass of a body, from a few joints."""

import numpy as np

from ...core.array_types import FloatArray
from ...core.skeletons import H36M17, SMPL_JOINTS

# Shares of a body's mass, at the joints in whose middle they lie; and SMPL's joints at the same places.
MASSES = {"hip": 0.5, "thorax": 0.35, "left_knee": 0.075, "right_knee": 0.075}
SMPL_MASSES = {"pelvis": MASSES["hip"], "spine3": MASSES["thorax"], "left_knee": MASSES["left_knee"], "right_knee": MASSES["right_knee"]}
SHARES = np.array(list(MASSES.values()))
_ROWS, _SMPL_ROWS = [H36M17.index(name) for name in MASSES], [SMPL_JOINTS.index(name) for name in SMPL_MASSES]


def centre_of_mass(joints: FloatArray) -> FloatArray:
    """The centres of mass (F,3) m of h36m17 joints (F,17,3) m."""
    return SHARES @ joints[:, _ROWS]


def centre_of_mass_of_body(joints: FloatArray) -> FloatArray:
    """The centres of mass (F,3) m of SMPL's joints (F,24,3) m."""
    return SHARES @ joints[:, _SMPL_ROWS]
